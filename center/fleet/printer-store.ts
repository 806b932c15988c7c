/**
 * What operators ask of printers: lists by what they are looked for, one printer with all that is known, its entries,
 * and counts over the fleet. Built for a million printers: lists page by id along an index.
 */
import { Tally } from '../../schemas/tally.ts';
import type { LogEntry, Structure, Verdict } from '../../schemas/types.ts';
import type { Client, Database } from '../database/database.ts';
import type { StructureChange } from '../ingest/structure-changes.ts';
import { CENTER_LIMITS } from '../limits.ts';

/** Whether a printer takes part. Those that don't are shown, and neither counted nor updated. */
export type Standing = 'active' | 'retired' | 'revoked';

export interface PrinterFilter {
  /** The id begins with it. */
  idPrefix?: string;
  model?: string;
  site?: string;
  /** Every one of these labels has this value. */
  labels?: Record<string, string>;
  verdict?: Verdict['status'] | 'none';
  online?: boolean;
  openTrouble?: boolean;
  /** Has an open trouble of this rule. */
  rule?: string;
  /** Takes part, or why it doesn't. */
  standing?: Standing;
  /** Has this software installed, in one of these versions when they are given. */
  software?: { id: string; versions?: string[] };
}

export interface PrinterRow {
  id: string;
  online: boolean;
  session?: string;
  presenceAt?: string;
  lastSeen?: string;
  model?: string;
  serial?: string;
  site?: string;
  labels: Record<string, string>;
  timezone?: string;
  verdict?: Verdict['status'];
  openTroubles: number;
  standing: Standing;
  standingAt?: string;
  standingReason?: string;
  /** What its agent last said of the device, when it speaks of it at all. */
  device?: 'reachable' | 'unreachable';
  deviceAt?: string;
}

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
  /** Those that take part; all other counts are of them too. */
  printers: number;
  /** Those that don't. */
  left: { retired: number; revoked: number };
  presence: { online: number; offline: number };
  /** Of those online, how many whose agent can't reach the device. */
  unreachable: number;
  verdict: Record<string, number>;
  model: Record<string, number>;
}

interface Row {
  id: string;
  online: boolean;
  session: string | null;
  presence_at: Date | null;
  last_seen: Date | null;
  model: string | null;
  serial: string | null;
  site: string | null;
  labels: Record<string, string>;
  timezone: string | null;
  verdict: Verdict['status'] | null;
  open_troubles: number;
  standing: Standing;
  standing_at: Date | null;
  standing_reason: string | null;
  device: 'reachable' | 'unreachable' | null;
  device_at: Date | null;
}

const COLUMNS = `p.id, p.online, p.session, p.presence_at, p.last_seen, p.model, p.serial, p.site, p.labels,
  p.timezone, p.verdict, p.open_troubles, p.standing, p.standing_at, p.standing_reason, p.device, p.device_at`;

function fromRow(row: Row): PrinterRow {
  return {
    id: row.id,
    online: row.online,
    labels: row.labels,
    openTroubles: row.open_troubles,
    standing: row.standing,
    ...(row.standing_at === null ? {} : { standingAt: row.standing_at.toISOString() }),
    ...(row.standing_reason === null ? {} : { standingReason: row.standing_reason }),
    ...(row.device === null ? {} : { device: row.device }),
    ...(row.device_at === null ? {} : { deviceAt: row.device_at.toISOString() }),
    ...(row.session === null ? {} : { session: row.session }),
    ...(row.presence_at === null ? {} : { presenceAt: row.presence_at.toISOString() }),
    ...(row.last_seen === null ? {} : { lastSeen: row.last_seen.toISOString() }),
    ...(row.model === null ? {} : { model: row.model }),
    ...(row.serial === null ? {} : { serial: row.serial }),
    ...(row.site === null ? {} : { site: row.site }),
    ...(row.timezone === null ? {} : { timezone: row.timezone }),
    ...(row.verdict === null ? {} : { verdict: row.verdict }),
  };
}

/** The first text that sorts after everything that begins with `prefix`, byte by byte. */
function prefixEnd(prefix: string): string {
  return `${prefix}\u{10FFFF}`;
}

function conditions(filter: PrinterFilter): { where: string[]; values: unknown[] } {
  const where: string[] = [];
  const values: unknown[] = [];
  const value = (one: unknown) => `$${values.push(one)}`;
  if (filter.idPrefix !== undefined && filter.idPrefix !== '') {
    where.push(`p.id >= ${value(filter.idPrefix)} AND p.id < ${value(prefixEnd(filter.idPrefix))}`);
  }
  if (filter.model !== undefined) where.push(`p.model = ${value(filter.model)}`);
  if (filter.site !== undefined) where.push(`p.site = ${value(filter.site)}`);
  if (filter.labels !== undefined) where.push(`p.labels @> ${value(JSON.stringify(filter.labels))}::jsonb`);
  if (filter.verdict === 'none') where.push('p.verdict IS NULL');
  else if (filter.verdict !== undefined) where.push(`p.verdict = ${value(filter.verdict)}`);
  if (filter.online !== undefined) where.push(`p.online = ${value(filter.online)}`);
  if (filter.standing !== undefined) where.push(`p.standing = ${value(filter.standing)}`);
  if (filter.openTrouble !== undefined) {
    where.push(filter.openTrouble ? 'p.open_troubles > 0' : 'p.open_troubles = 0');
  }
  if (filter.rule !== undefined) {
    where.push(
      `EXISTS (SELECT 1 FROM printer_troubles t WHERE t.printer = p.id AND t.rule = ${value(filter.rule)})`,
    );
  }
  if (filter.software) {
    const versions = filter.software.versions;
    const inVersions = versions ? ` AND i.version = ANY(${value(versions)})` : '';
    where.push(
      `EXISTS (SELECT 1 FROM installed_software i
        WHERE i.printer = p.id AND i.software = ${value(filter.software.id)}${inVersions})`,
    );
  }
  return { where, values };
}

export class Printers {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** A page of printers in the order of their ids, those after `after`. */
  async list(filter: PrinterFilter, limit: number, after?: string): Promise<PrinterRow[]> {
    const { where, values } = conditions(filter);
    if (after !== undefined) where.push(`p.id > $${values.push(after)}`);
    const rows = await this.#database.query<Row>(
      `SELECT ${COLUMNS} FROM printers p ${where.length > 0 ? `WHERE ${where.join(' AND ')}` : ''}
       ORDER BY p.id LIMIT $${values.push(limit)}`,
      values,
    );
    return rows.map(fromRow);
  }

  /** How many printers match. */
  async count(filter: PrinterFilter): Promise<number> {
    const { where, values } = conditions(filter);
    const [row] = await this.#database.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM printers p ${where.length > 0 ? `WHERE ${where.join(' AND ')}` : ''}`,
      values,
    );
    return row?.n ?? 0;
  }

  /** Of these ids those that no printer has. */
  async missing(printers: readonly string[]): Promise<string[]> {
    const rows = await this.#database.query<{ id: string }>(
      `SELECT id FROM unnest($1::text[]) AS asked(id)
       WHERE NOT EXISTS (SELECT 1 FROM printers p WHERE p.id = asked.id) ORDER BY id`,
      [printers],
    );
    return rows.map(({ id }) => id);
  }

  /** Which versions of a software are installed anywhere: a range is resolved to versions with it. */
  async versionsOf(software: string): Promise<string[]> {
    const rows = await this.#database.query<{ version: string }>(
      `WITH RECURSIVE v AS (
         (SELECT version FROM installed_software WHERE software = $1 AND version IS NOT NULL ORDER BY version LIMIT 1)
         UNION ALL
         SELECT (SELECT i.version FROM installed_software i WHERE i.software = $1 AND i.version > v.version
                 ORDER BY i.version LIMIT 1) FROM v WHERE v.version IS NOT NULL)
       SELECT version FROM v WHERE version IS NOT NULL`,
      [software],
    );
    return rows.map((row) => row.version);
  }

  /** All that is known of a printer, or undefined when there is none of this id. */
  async get(id: string): Promise<PrinterDetails | undefined> {
    const [row] = await this.#database.query<
      Row & { document: Structure | null; received: Date | null; judged: Verdict | null }
    >(
      `SELECT ${COLUMNS}, s.document, s.received, v.document AS judged FROM printers p
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

  /** What changed in a printer, the latest first. */
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
   * A page of a printer's entries, the latest first by the printer's clock. `before` is the last entry of the page
   * before.
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
   * Writes when printers were last heard of, where that is later than what is there. A row that somebody else is
   * writing is left out rather than waited for.
   * @returns the printers that were left out
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
   * Says whether a printer takes part. One whose credentials were revoked stays so: it is enrolled again instead. Those
   * that leave are taken out of the campaigns that have not come to them.
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
   * Tells which rules a printer has open troubles of (one id a trouble): what lists are filtered by. To be called in
   * the transaction that opens or closes them.
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
