/** The rows of troubles, of the rules' state, and of the entries to judge again. */
import type { LogEntry, Readings, Structure, Trouble, TroubleGroup } from '../../schemas/types.ts';
import type { Client, Database } from '../database/database.ts';
import { cursorOf, keyOf } from '../database/page-cursor.ts';
import { isNotRemoved } from '../database/removed-printers.ts';
import { textArray } from '../database/sql-arrays.ts';
import { storableJson, storableText } from '../ingest/storable.ts';
import type { Page, PageRequest, TroubleFilter } from '../queries.ts';
import { type Derived, type ReadingSigns, signsOf } from '../readings/signs.ts';
import { type TroubleRow, troubleOf } from './rows.ts';

/** The SQL conditions of a filter on `troubles t`. */
function conditionsOf(filter: TroubleFilter) {
  const where: string[] = [];
  const values: unknown[] = [];
  const value = (one: unknown) => `$${values.push(one)}`;
  if (filter.printer !== undefined) where.push(`t.printer = ${value(filter.printer)}`);
  if (filter.rule !== undefined) where.push(`t.rule = ${value(filter.rule)}`);
  if (filter.state !== undefined) where.push(`t.state = ${value(filter.state)}`);
  if (filter.open === true) where.push(`t.state IN ('open', 'escalated')`);
  if (filter.open === false) where.push(`t.state NOT IN ('open', 'escalated')`);
  if (filter.owner !== undefined) where.push(`t.owner = ${value(filter.owner)}`);
  if (filter.acknowledged !== undefined) {
    where.push(`t.acknowledged IS ${filter.acknowledged ? 'NOT NULL' : 'NULL'}`);
  }
  if (filter.snoozed !== undefined) where.push(`t.snoozed IS ${filter.snoozed ? 'NOT NULL' : 'NULL'}`);
  if (filter.printers) {
    const conditions = filter.printers(value);
    if (conditions.length > 0) {
      where.push(`t.printer IN (SELECT p.id FROM printers p WHERE ${conditions.join(' AND ')})`);
    }
  }
  return { where, values, value };
}

/** Entries of one printer's log as stored, in order of arrival. */
export interface StoredBatch {
  printer: string;
  log: string;
  entries: LogEntry[];
}

const SEVERITIES: readonly LogEntry['severity'][] = ['info', 'warning', 'error', 'fatal'];
const FETCH_ROWS = 5000;

interface EntryRow {
  printer: string;
  log: string;
  seq: number;
  at: Date;
  severity: number;
  code: string;
  unit: string | null;
  pages: number | null;
  detail: Record<string, unknown> | null;
}

export class TroubleStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  transaction<T>(work: (client: Client) => Promise<T>): Promise<T> {
    return this.#database.transaction(work);
  }

  /** Writes troubles; keeps what operators and proofs have added. @returns the ids that had no row */
  async put(client: Client, rows: TroubleRow[]): Promise<Set<string>> {
    if (rows.length === 0) return new Set();
    const { rows: stored } = await client.query<{ id: string; fresh: boolean }>(
      `INSERT INTO troubles (id, rule, title, key, printer, unit, scope, state, severity, count, opened_at, updated_at,
                             closed_at, last_at, evidence, codes, remedy, proposal, note, explanation, proven_at,
                             owner, acknowledged, snoozed)
       SELECT r.id, r.rule, r.title, r.key, r.printer, r.unit, r.scope, r.state, r.severity, r.count, r.opened_at,
              r.updated_at, r.closed_at, r.last_at, r.evidence, r.codes, r.remedy, r.proposal, r.note, r.explanation,
              r.proven_at, r.owner, r.acknowledged, r.snoozed
       FROM jsonb_populate_recordset(NULL::troubles, $1::jsonb) AS r ORDER BY r.id
       ON CONFLICT (id) DO UPDATE SET title = excluded.title, state = excluded.state, severity = excluded.severity,
         count = excluded.count, updated_at = excluded.updated_at, closed_at = excluded.closed_at,
         last_at = excluded.last_at, evidence = excluded.evidence, codes = excluded.codes, remedy = excluded.remedy,
         proposal = excluded.proposal, note = excluded.note, explanation = excluded.explanation,
         proven_at = excluded.proven_at, owner = excluded.owner, acknowledged = excluded.acknowledged,
         snoozed = excluded.snoozed, publish_due = true
       RETURNING id, (xmax = 0) AS fresh`,
      [storableJson(rows)],
    );
    const fresh = stored.filter((row) => row.fresh).map(({ id }) => id);
    // A withdrawn trouble that is back has a document again, which must not be cleared.
    await this.forgetWithdrawn(fresh, client);
    return new Set(fresh);
  }

  /** Deletes rows, and remembers that their retained documents must be cleared. */
  async remove(client: Client, ids: string[]): Promise<void> {
    if (ids.length === 0) return;
    await client.query('DELETE FROM troubles WHERE id = ANY($1)', [ids]);
    await client.query(
      'INSERT INTO withdrawn_troubles (id) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING',
      [ids],
    );
  }

  /** Withdrawn troubles whose retained document may still be there. */
  async withdrawn(limit: number): Promise<string[]> {
    const rows = await this.#database.query<{ id: string }>(
      'SELECT id FROM withdrawn_troubles ORDER BY id LIMIT $1',
      [limit],
    );
    return rows.map(({ id }) => id);
  }

  /** Forgets withdrawn troubles whose retained documents are cleared. */
  async forgetWithdrawn(ids: string[], client?: Client): Promise<void> {
    if (ids.length === 0) return;
    const text = 'DELETE FROM withdrawn_troubles WHERE id = ANY($1)';
    if (client) await client.query(text, [ids]);
    else await this.#database.query(text, [ids]);
  }

  /** Troubles that rules changed since a time, without those ended by operators and cures. */
  async changedSince(since: Date): Promise<TroubleRow[]> {
    const rows = await this.#database.query<{ row: TroubleRow }>(
      `SELECT to_jsonb(t) AS row FROM troubles t
       WHERE updated_at >= $1 AND state NOT IN ('closed', 'cured')
         AND (printer IS NULL OR ${isNotRemoved('printer')}) ORDER BY id`,
      [since],
    );
    return rows.map(({ row }) => row);
  }

  /** Open troubles with a remedy that is not known to have started. */
  async withoutRemedy(): Promise<TroubleRow[]> {
    return (await this.open()).filter(({ remedy, proposal }) => remedy !== null && proposal === null);
  }

  /** Rows by id, as JSON rows. */
  async byId(ids: string[], client?: Client): Promise<Map<string, TroubleRow>> {
    const text = 'SELECT to_jsonb(t) AS row FROM troubles t WHERE id = ANY($1)';
    const rows = client
      ? (await client.query<{ row: TroubleRow }>(text, [ids])).rows
      : await this.#database.query<{ row: TroubleRow }>(text, [ids]);
    return new Map(rows.map(({ row }) => [row.id, row]));
  }

  /** Open troubles, all or of some printers. */
  async open(printers?: string[], client?: Client): Promise<TroubleRow[]> {
    const text = `SELECT to_jsonb(t) AS row FROM troubles t
                  WHERE state IN ('open', 'escalated') AND ($1::text[] IS NULL OR printer = ANY($1)) ORDER BY id`;
    const values = [printers ?? null];
    const rows = client
      ? (await client.query<{ row: TroubleRow }>(text, values)).rows
      : await this.#database.query<{ row: TroubleRow }>(text, values);
    return rows.map(({ row }) => row);
  }

  /** Which open troubles printers have. */
  async openOf(printers: string[], client: Client): Promise<{ id: string; rule: string; printer: string }[]> {
    const { rows } = await client.query<{ id: string; rule: string; printer: string }>(
      `SELECT id, rule, printer FROM troubles
       WHERE state IN ('open', 'escalated') AND printer = ANY($1) ORDER BY id`,
      [printers],
    );
    return rows;
  }

  async countOpen(): Promise<number> {
    const [row] = await this.#database.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM troubles t WHERE state IN ('open', 'escalated')
         AND NOT EXISTS (SELECT 1 FROM printers p WHERE p.id = t.printer AND p.standing <> 'active')`,
    );
    return row?.n ?? 0;
  }

  /** Up to which time operators and cures have ended each key. */
  async cuts(): Promise<{ rule: string; printer: string | undefined; key: string; at: number }[]> {
    const rows = await this.#database.query<{ rule: string; printer: string | null; key: string; at: Date }>(
      `SELECT rule, printer, key, max(closed_at) AS at FROM troubles
       WHERE state IN ('closed', 'cured') AND closed_at IS NOT NULL AND (printer IS NULL OR ${isNotRemoved('printer')})
       GROUP BY rule, printer, key`,
    );
    return rows.map(({ rule, printer, key, at }) => ({
      rule,
      printer: printer ?? undefined,
      key,
      at: at.getTime(),
    }));
  }

  /** Newest first. */
  async list(filter: TroubleFilter, page: PageRequest): Promise<Page<Trouble>> {
    const { where, values, value } = conditionsOf(filter);
    if (page.cursor !== undefined) {
      const [at, id] = keyOf('troubles', page.cursor, ['time', 'text']);
      where.push(`(opened_at, id) < (${value(at)}::timestamptz, ${value(id)})`);
    }
    const rows = await this.#database.query<{ row: TroubleRow }>(
      `SELECT to_jsonb(t) AS row FROM troubles t ${where.length > 0 ? `WHERE ${where.join(' AND ')}` : ''}
       ORDER BY opened_at DESC, id DESC LIMIT ${value(page.limit + 1)}`,
      values,
    );
    const items = rows.slice(0, page.limit).map(({ row }) => row);
    const last = items.at(-1);
    const next =
      rows.length > page.limit && last ? cursorOf('troubles', [last.opened_at, last.id]) : undefined;
    return { items: items.map(troubleOf), ...(next === undefined ? {} : { next }) };
  }

  /** Number of troubles by rule, by site, or by both: a page of groups, by name. */
  async groups(
    filter: TroubleFilter,
    by: readonly ('rule' | 'site')[],
    page: PageRequest,
  ): Promise<{ groups: TroubleGroup[]; next?: string }> {
    const { where, values, value } = conditionsOf(filter);
    const rule = by.includes('rule') ? 't.rule' : `'' COLLATE "C"`;
    const site = by.includes('site') ? `coalesce(p.site, '')` : `'' COLLATE "C"`;
    if (page.cursor !== undefined) {
      const [afterRule, afterSite] = keyOf('trouble groups', page.cursor, ['text', 'text']);
      where.push(`(${rule}, ${site}) > (${value(afterRule)}, ${value(afterSite)})`);
    }
    const rows = await this.#database.query<
      Omit<TroubleGroup, 'oldest' | 'newest'> & { rule: string; site: string; oldest: Date; newest: Date }
    >(
      `SELECT ${rule} AS rule, ${site} AS site, max(t.title) AS title, count(*)::int AS troubles,
              count(DISTINCT t.printer)::int AS printers, array_agg(DISTINCT t.severity) AS severities,
              min(t.opened_at) AS oldest, max(t.opened_at) AS newest,
              (array_agg(t.id ORDER BY t.opened_at DESC, t.id DESC))[1] AS example
       FROM troubles t LEFT JOIN printers p ON p.id = t.printer
       ${where.length > 0 ? `WHERE ${where.join(' AND ')}` : ''}
       GROUP BY 1, 2 ORDER BY 1, 2 LIMIT ${value(page.limit + 1)}`,
      values,
    );
    const shown = rows.slice(0, page.limit);
    const last = shown.at(-1);
    const groups = shown.map((row): TroubleGroup => {
      const { rule: ofRule, site: ofSite, title, oldest, newest, ...counts } = row;
      return {
        ...(by.includes('rule') ? { rule: ofRule, ...(title ? { title } : {}) } : {}),
        ...(by.includes('site') ? { site: ofSite } : {}),
        ...counts,
        oldest: oldest.toISOString(),
        newest: newest.toISOString(),
      };
    });
    return {
      groups,
      ...(rows.length > page.limit && last
        ? { next: cursorOf('trouble groups', [last.rule, last.site]) }
        : {}),
    };
  }

  /** Troubles whose snooze is over at `now`. */
  async snoozedUntil(now: Date, client: Client): Promise<TroubleRow[]> {
    const { rows } = await client.query<{ row: TroubleRow }>(
      `SELECT to_jsonb(t) AS row FROM troubles t
       WHERE snoozed IS NOT NULL AND (snoozed->>'until') COLLATE "C" <= $1 ORDER BY id`,
      [now.toISOString()],
    );
    return rows.map(({ row }) => row);
  }

  /** When the next snooze ends (ms). */
  async nextAwake(): Promise<number | undefined> {
    const [row] = await this.#database.query<{ until: string | null }>(
      `SELECT min((snoozed->>'until') COLLATE "C") AS until FROM troubles WHERE snoozed IS NOT NULL`,
    );
    return row?.until == null ? undefined : Date.parse(row.until);
  }

  /** Troubles whose retained document is outdated, up to a limit. */
  async due(limit: number): Promise<TroubleRow[]> {
    const rows = await this.#database.query<{ row: TroubleRow }>(
      'SELECT to_jsonb(t) AS row FROM troubles t WHERE publish_due ORDER BY id LIMIT $1',
      [limit],
    );
    return rows.map(({ row }) => row);
  }

  /** Notes that documents were published as of their row's `updated_at`. */
  async published(rows: TroubleRow[]): Promise<void> {
    await this.#database.query(
      `UPDATE troubles t SET publish_due = false FROM unnest($1::text[], $2::timestamptz[]) AS u (id, updated_at)
       WHERE t.id = u.id AND t.updated_at = u.updated_at`,
      [rows.map(({ id }) => id), rows.map(({ updated_at }) => updated_at)],
    );
  }

  async putStates(client: Client, states: { printer: string; state: string }[]): Promise<void> {
    await client.query(
      `INSERT INTO trouble_states (printer, state)
       SELECT u.printer, u.state FROM unnest($1::text[], $2::text[]) AS u (printer, state) ORDER BY 1
       ON CONFLICT (printer) DO UPDATE SET state = excluded.state`,
      [
        textArray(states.map(({ printer }) => printer)),
        textArray(states.map(({ state }) => storableText(state))),
      ],
    );
  }

  async putCursor(client: Client, received: Date, rules: string): Promise<void> {
    await client.query(
      `INSERT INTO trouble_cursor (received, rules) VALUES ($1, $2)
       ON CONFLICT (single) DO UPDATE SET received = excluded.received, rules = excluded.rules`,
      [received, rules],
    );
  }

  async cursor(): Promise<{ received: Date; rules: string } | undefined> {
    const [row] = await this.#database.query<{ received: Date; rules: string }>(
      'SELECT received, rules FROM trouble_cursor',
    );
    return row;
  }

  /** Every stored state, a page at a time. */
  async eachState(take: (printer: string, state: string) => void): Promise<void> {
    let after = '';
    let first = true;
    for (;;) {
      const rows: { printer: string; state: string }[] = await this.#database.query(
        `SELECT printer, state FROM trouble_states WHERE printer > $1 OR ($2 AND printer = $1) ORDER BY printer LIMIT 500`,
        [after, first],
      );
      for (const { printer, state } of rows) take(printer, state);
      first = false;
      const last = rows.at(-1);
      if (!last || rows.length < 500) return;
      after = last.printer;
    }
  }

  /** Structures in order of arrival, so that late entries are judged by the one in force at their time. */
  async eachStructure(since: Date, take: (printer: string, structure: Structure) => void): Promise<void> {
    await this.#fetch<{ printer: string; document: Structure }>(
      `SELECT printer, document FROM (
         SELECT printer, document, at, 0 AS number FROM structures
         UNION ALL SELECT printer, document, at, id FROM structure_history
         WHERE received >= $1 AND document IS NOT NULL
       ) AS s ORDER BY printer, at, number DESC`,
      [since],
      (rows) => {
        for (const { printer, document } of rows) take(printer, document);
      },
    );
  }

  /** The current structures of many printers. */
  async structuresOf(printers: string[]): Promise<Map<string, Structure>> {
    const rows = await this.#database.query<{ printer: string; document: Structure }>(
      'SELECT printer, document FROM structures WHERE printer = ANY($1)',
      [printers],
    );
    return new Map(rows.map(({ printer, document }) => [printer, document]));
  }

  /** Ids of participating printers with some software installed. */
  async printersWith(
    software: string,
    after: string,
    limit: number,
  ): Promise<{ printer: string; structure: Structure }[]> {
    return this.#database.query(
      `SELECT s.printer, s.document AS structure FROM structures s JOIN printers p ON p.id = s.printer
       WHERE s.printer > $2 AND p.standing = 'active' AND s.printer IN (SELECT printer FROM installed_software WHERE software = $1)
       ORDER BY s.printer LIMIT $3`,
      [software, after, limit],
    );
  }

  /** Entries received since `since`, in order of arrival. */
  async eachBatch(since: Date, take: (batch: StoredBatch) => void): Promise<void> {
    await this.#fetch<EntryRow>(
      `SELECT s.printer, s.log, e.seq, e.at, e.severity, e.code, e.unit, e.pages, e.detail
       FROM entries e JOIN log_streams s ON s.id = e.stream
       WHERE e.received >= $1 AND ${isNotRemoved('s.printer')} ORDER BY e.received, e.batch, e.stream, e.seq`,
      [since],
      (rows) => {
        let batch: StoredBatch | undefined;
        for (const row of rows) {
          if (batch?.printer !== row.printer || batch.log !== row.log) {
            if (batch) take(batch);
            batch = { printer: row.printer, log: row.log, entries: [] };
          }
          batch.entries.push(entryOf(row));
        }
        if (batch) take(batch);
      },
    );
  }

  /** New readings received since `since`, in the order in which they were counted. */
  async eachReading(since: Date, take: (printer: string, signs: ReadingSigns) => void): Promise<void> {
    await this.#fetch<{ printer: string; document: Readings; derived: Derived }>(
      `SELECT r.printer, r.document, r.derived FROM readings r
       WHERE r.received >= $1 AND r.derived IS NOT NULL AND ${isNotRemoved('r.printer')}
       ORDER BY r.received, (r.derived->>'t')::numeric, r.number`,
      [since],
      (rows) => {
        for (const { printer, document, derived } of rows) take(printer, signsOf(document, derived));
      },
    );
  }

  // A database cursor: neither side holds the whole result or blocks for long.
  async #fetch<R extends object>(text: string, values: unknown[], take: (rows: R[]) => void): Promise<void> {
    await this.#database.transaction(async (client) => {
      await client.query(`DECLARE platen_rows NO SCROLL CURSOR FOR ${text}`, values);
      for (;;) {
        const { rows } = await client.query<R>(`FETCH ${FETCH_ROWS} FROM platen_rows`);
        if (rows.length === 0) return;
        take(rows);
      }
    });
  }
}

function entryOf(row: EntryRow): LogEntry {
  return {
    seq: row.seq,
    at: row.at.toISOString(),
    code: row.code,
    severity: SEVERITIES[row.severity] ?? 'info',
    ...(row.unit === null ? {} : { unit: row.unit }),
    ...(row.pages === null ? {} : { pages: row.pages }),
    ...(row.detail === null ? {} : { detail: row.detail }),
  };
}
