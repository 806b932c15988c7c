/**
 * Reads and writes single printers: their details, log entries, standing and open troubles, and the counts over the
 * fleet. Lists are in `printer-lists.ts`.
 */
import { Tally } from '../../schemas/tally.ts';
import type { LogEntry, Structure, Verdict } from '../../schemas/types.ts';
import type { Client, Database } from '../database/database.ts';
import type { StructureChange } from '../ingest/structure-changes.ts';
import { CENTER_LIMITS } from '../limits.ts';
import { fromRow, PRINTER_COLUMNS, type PrinterRow, type Row, type Standing } from './printer-row.ts';

export interface PrinterDetails extends PrinterRow {
  structure?: Structure;
  /** RFC 3339: when the center got the structure. */
  structureReceived?: string;
  verdictDocument?: Verdict;
  logs: { log: string; upTo: number; first: number; lost: number }[];
}

export interface EntryRow extends LogEntry {
  log: string;
  /** RFC 3339: when the center got it. */
  received: string;
}

export interface FleetCounts {
  /** Printers that take part; the other counts include only these. */
  printers: number;
  /** Printers that don't take part. */
  left: { retired: number; revoked: number };
  presence: { online: number; offline: number };
  /** Online printers whose agent can't reach the device. */
  unreachable: number;
  verdict: Record<string, number>;
  model: Record<string, number>;
}

export class Printers {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** The ids that no printer has. */
  async missing(printers: readonly string[]): Promise<string[]> {
    const rows = await this.#database.query<{ id: string }>(
      `SELECT id FROM unnest($1::text[]) AS asked(id)
       WHERE NOT EXISTS (SELECT 1 FROM printers p WHERE p.id = asked.id) ORDER BY id`,
      [printers],
    );
    return rows.map(({ id }) => id);
  }

  /** A printer's details; undefined when no printer has this id. */
  async get(id: string): Promise<PrinterDetails | undefined> {
    const [row] = await this.#database.query<
      Row & { document: Structure | null; received: Date | null; judged: Verdict | null }
    >(
      `SELECT ${PRINTER_COLUMNS}, s.document, s.received, v.document AS judged FROM printers p
       LEFT JOIN structures s ON s.printer = p.id LEFT JOIN verdicts v ON v.printer = p.id WHERE p.id = $1`,
      [id],
    );
    if (!row) return undefined;
    const logs = await this.#database.query<{ log: string; upTo: number; first: number; lost: number }>(
      `SELECT log, up_to AS "upTo", first_seq AS first, lost FROM log_streams
       WHERE printer = $1 ORDER BY id DESC LIMIT $2`,
      [id, CENTER_LIMITS.logs_listed_max],
    );
    return {
      ...fromRow(row),
      ...(row.document ? { structure: row.document } : {}),
      ...(row.received ? { structureReceived: row.received.toISOString() } : {}),
      ...(row.judged ? { verdictDocument: row.judged } : {}),
      logs,
    };
  }

  /** Changes in a printer's structure, newest first. */
  async history(
    id: string,
    limit: number,
    before?: number,
  ): Promise<{ id: number; at: string; received: string; changes: StructureChange[] }[]> {
    const rows = await this.#database.query<{
      id: number;
      at: Date;
      received: Date;
      changes: StructureChange[];
    }>(
      `SELECT id, at, received, changes FROM structure_history
       WHERE printer = $1 AND ($3::int8 IS NULL OR id < $3) ORDER BY id DESC LIMIT $2`,
      [id, limit, before ?? null],
    );
    return rows.map((row) => ({
      ...row,
      at: row.at.toISOString(),
      received: row.received.toISOString(),
    }));
  }

  /**
   * A page of a printer's entries, newest first by the printer's clock. `before` is the last entry of the previous
   * page.
   */
  async errors(
    id: string,
    query: {
      limit: number;
      before?: { at: string; log: string; seq: number };
      since?: string;
      until?: string;
      code?: string;
    },
  ): Promise<EntryRow[]> {
    const rows = await this.#database.query<{
      log: string;
      seq: number;
      at: Date;
      received: Date;
      pages: number | null;
      severity: LogEntry['severity'];
      code: string;
      unit: string | null;
      detail: object | null;
    }>(
      `SELECT s.log, e.seq, e.at, e.received, e.pages,
              (ARRAY['info', 'warning', 'error', 'fatal'])[e.severity + 1] AS severity, e.code, e.unit, e.detail
       FROM log_streams s CROSS JOIN LATERAL (
         SELECT * FROM entries e
         WHERE e.stream = s.id AND ($3::timestamptz IS NULL OR e.at <= $3) AND ($6::timestamptz IS NULL OR e.at >= $6)
           AND ($3::timestamptz IS NULL OR (e.at, s.log, e.seq) < ($3, $4, $5))
           AND ($7::text IS NULL OR e.code = $7) AND ($8::timestamptz IS NULL OR e.at <= $8)
         ORDER BY e.at DESC, e.seq DESC LIMIT $2) e
       WHERE s.printer = $1 ORDER BY e.at DESC, s.log DESC, e.seq DESC LIMIT $2`,
      [
        id,
        query.limit,
        query.before?.at ?? null,
        query.before?.log ?? '',
        query.before?.seq ?? 0,
        query.since ?? null,
        query.code ?? null,
        query.until ?? null,
      ],
    );
    return rows.map((row) => ({
      log: row.log,
      seq: row.seq,
      at: row.at.toISOString(),
      received: row.received.toISOString(),
      code: row.code,
      severity: row.severity,
      ...(row.unit === null ? {} : { unit: row.unit }),
      ...(row.pages === null ? {} : { pages: row.pages }),
      ...(row.detail === null ? {} : { detail: row.detail }),
    }));
  }

  /** Counts over the fleet. */
  async counts(): Promise<FleetCounts> {
    const rows = await this.#database.query<{
      standing: Standing;
      online: boolean;
      unreachable: boolean;
      verdict: string | null;
      model: string | null;
      n: number;
    }>(
      `SELECT standing, online, device IS NOT DISTINCT FROM 'unreachable' AS unreachable, verdict, model, count(*) AS n
       FROM printers GROUP BY 1, 2, 3, 4, 5`,
    );
    const counts: FleetCounts = {
      printers: 0,
      left: { retired: 0, revoked: 0 },
      presence: { online: 0, offline: 0 },
      unreachable: 0,
      verdict: {},
      model: {},
    };
    const verdicts = new Tally();
    const models = new Tally();
    for (const row of rows) {
      if (row.standing !== 'active') {
        counts.left[row.standing] += row.n;
        continue;
      }
      if (row.online && row.unreachable) counts.unreachable += row.n;
      counts.printers += row.n;
      counts.presence[row.online ? 'online' : 'offline'] += row.n;
      verdicts.add(row.verdict ?? 'none', row.n);
      models.add(row.model ?? 'unknown', row.n);
    }
    return { ...counts, verdict: verdicts.counts, model: models.counts };
  }

  /**
   * Moves `last_seen` forward. A row that another transaction has locked is skipped, not waited for.
   * @returns the printers that were skipped
   */
  async putLastSeen(list: readonly (readonly [printer: string, at: number])[]): Promise<string[]> {
    const rows = await this.#database.query<{ id: string }>(
      `WITH given AS (SELECT * FROM unnest($1::text[], $2::timestamptz[]) AS g (id, at)),
       free AS (SELECT p.id FROM printers p JOIN given g ON g.id = p.id FOR UPDATE OF p SKIP LOCKED),
       written AS (
         UPDATE printers p SET last_seen = greatest(p.last_seen, g.at)
         FROM given g JOIN free f ON f.id = g.id WHERE p.id = g.id)
       SELECT p.id FROM printers p JOIN given g ON g.id = p.id WHERE p.id NOT IN (SELECT id FROM free)`,
      [list.map(([printer]) => printer), list.map(([, at]) => new Date(at))],
    );
    return rows.map(({ id }) => id);
  }

  /**
   * Sets whether a printer takes part. A revoked printer stays revoked until it is enrolled again.
   * @returns undefined when there is no such printer
   */
  async setStanding(
    id: string,
    standing: 'active' | 'retired',
    at: Date,
    reason?: string,
  ): Promise<{ standing: Standing; online: boolean } | undefined> {
    const [row] = await this.#database.query<{ standing: Standing; online: boolean }>(
      `UPDATE printers SET
         standing = CASE WHEN standing = 'revoked' THEN standing ELSE $2 END,
         standing_at = CASE WHEN standing = 'revoked' THEN standing_at WHEN $2 = 'active' THEN NULL ELSE $3 END,
         standing_reason = CASE WHEN standing = 'revoked' OR $2 = 'active' THEN NULL ELSE $4 END
       WHERE id = $1 RETURNING standing, online`,
      [id, standing, at, reason ?? null],
    );
    return row;
  }

  /**
   * Replaces the open troubles of printers that lists filter by. Call it in the transaction that opens or closes them.
   */
  async setOpenTroubles(
    list: { printer: string; open: { trouble: string; rule: string }[] }[],
    client?: Client,
  ) {
    const run = async (on: Client) => {
      const printers = list.map((one) => one.printer);
      const rows = list.flatMap(({ printer, open }) => open.map((one) => ({ printer, ...one })));
      await on.query('DELETE FROM printer_troubles WHERE printer = ANY($1)', [printers]);
      await on.query(
        `INSERT INTO printer_troubles (printer, trouble, rule) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])`,
        [rows.map((row) => row.printer), rows.map((row) => row.trouble), rows.map((row) => row.rule)],
      );
      await on.query(
        `UPDATE printers p SET open_troubles = u.open
         FROM unnest($1::text[], $2::int[]) AS u (printer, open) WHERE p.id = u.printer`,
        [printers, list.map((one) => one.open.length)],
      );
    };
    if (client) await run(client);
    else await this.#database.transaction(run);
  }
}
