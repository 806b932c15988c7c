/**
 * Lists and counts the printers of a filter, in one of the indexed orders. Every statement has a timeout, because a
 * filter without a usable index scans all printers.
 */
import { PlatenError } from '../../schemas/errors.ts';
import type { Term } from '../../schemas/where.ts';
import type { Client, Database } from '../database/database.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { PrinterSort, PrinterSortKey, Total } from '../queries.ts';
import { filterConditions, type PrinterConditions, rangesOf } from './filter-sql.ts';
import { fromRow, PRINTER_COLUMNS, type PrinterRow, type Row } from './printer-row.ts';

interface SortColumn {
  column: string;
  type: 'text' | 'timestamptz' | 'int';
  /** The value as a text, from which a cursor restores its place in the order. */
  text: string;
  /** Whether the value may be missing. */
  nullable: boolean;
}

const SORT_COLUMNS: Record<PrinterSortKey, SortColumn> = {
  id: { column: 'p.id', type: 'text', text: 'p.id', nullable: false },
  model: { column: 'p.model', type: 'text', text: 'p.model', nullable: true },
  site: { column: 'p.site', type: 'text', text: 'p.site', nullable: true },
  seen: {
    column: 'p.last_seen',
    type: 'timestamptz',
    text: `to_char(p.last_seen AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`,
    nullable: true,
  },
  verdict: { column: 'p.verdict', type: 'text', text: 'p.verdict', nullable: true },
  troubles: { column: 'p.open_troubles', type: 'int', text: 'p.open_troubles::text', nullable: false },
};

/** The last printer of a page and its sort value; null when it has none. */
export interface Place {
  value: string | null;
  id: string;
}

export interface ListedPrinter {
  row: PrinterRow;
  place: Place;
}

/** Whether a version of a software is in a range, in the catalog's order of its versions. */
export type RangeMatcher = (software: string, range: string) => (version: string) => boolean;

function whereClause(conditions: readonly string[]): string {
  return conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '';
}

type PlacedRow = Row & { place: string | null };

function keyOfSort(sort: PrinterSort): PrinterSortKey {
  return sort.replace('-', '') as PrinterSortKey;
}

/** `FROM printers p WHERE …` and its parameters. */
function fromPrinters(filter: PrinterConditions): { from: string; values: unknown[] } {
  const values: unknown[] = [];
  const conditions = filter((value) => `$${values.push(value)}`);
  return { from: `FROM printers p ${whereClause(conditions)}`, values };
}

/** A page of the printers that have a sort value, or of those that have none. */
export function pageOf(
  filter: PrinterConditions,
  sort: PrinterSort,
  part: 'value' | 'none',
  limit: number,
  after: Place | undefined,
): { text: string; values: unknown[] } {
  const { column, type, text, nullable } = SORT_COLUMNS[keyOfSort(sort)];
  const [direction, beyond] = sort.startsWith('-') ? ['DESC', '<'] : ['ASC', '>'];
  const values: unknown[] = [];
  const param = (value: unknown) => `$${values.push(value)}`;
  const conditions = filter(param);
  const byId = part === 'none' || column === 'p.id';
  if (part === 'none') conditions.push(`${column} IS NULL`);
  if (after === undefined) {
    if (part === 'value' && nullable) conditions.push(`${column} IS NOT NULL`);
  } else if (byId) conditions.push(`p.id ${beyond} ${param(after.id)}`);
  else conditions.push(`(${column}, p.id) ${beyond} (${param(after.value)}::${type}, ${param(after.id)})`);
  const order = byId ? `p.id ${direction}` : `${column} ${direction}, p.id ${direction}`;
  return {
    text: `SELECT ${PRINTER_COLUMNS}, ${text} AS place FROM printers p ${whereClause(conditions)}
           ORDER BY ${order} LIMIT ${limit}`,
    values,
  };
}

/**
 * A page for a filter that matches few printers: finds them all, then sorts. Walking the index of the order, as
 * `pageOf` does, can take long to reach a match when the order correlates with the filter.
 */
export function fewPageOf(
  filter: PrinterConditions,
  sort: PrinterSort,
  limit: number,
  after: Place | undefined,
  most: number,
): { text: string; values: unknown[] } {
  const { column, type, text } = SORT_COLUMNS[keyOfSort(sort)];
  const [direction, beyond] = sort.startsWith('-') ? ['DESC', '<'] : ['ASC', '>'];
  const values: unknown[] = [];
  const param = (value: unknown) => `$${values.push(value)}`;
  const conditions = filter(param);
  const from =
    after === undefined
      ? 'true'
      : after.value === null
        ? `value IS NULL AND id ${beyond} ${param(after.id)}`
        : `(value IS NULL OR (value, id) ${beyond} (${param(after.value)}::${type}, ${param(after.id)}))`;
  const order = (id: string, value: string) =>
    `ORDER BY ${value} IS NULL, ${value} ${direction}, ${id} ${direction}`;
  return {
    text: `WITH few AS MATERIALIZED (SELECT p.id, ${column} AS value FROM printers p ${whereClause(conditions)}
                                     LIMIT ${most + 1}),
             page AS (SELECT id, value FROM few WHERE ${from} ${order('id', 'value')} LIMIT ${limit})
           SELECT ${PRINTER_COLUMNS}, ${text} AS place, counted.n
           FROM (SELECT count(*)::int AS n FROM few) counted
           LEFT JOIN (page JOIN printers p USING (id)) ON true ${order('p.id', 'page.value')}`,
    values,
  };
}

/** The code with which Postgres cancels a statement that takes too long. */
const QUERY_CANCELED = '57014';

export class PrinterLists {
  readonly #database: Database;
  readonly #ms_max: number;
  /** By filter, oldest first. */
  readonly #estimates = new Map<string, { total: Total; at: number }>();

  constructor(database: Database, ms_max: number = CENTER_LIMITS.filter_ms_max) {
    this.#database = database;
    this.#ms_max = ms_max;
  }

  /**
   * Reads in one snapshot, with a timeout.
   * @throws PlatenError request/filter-too-slow
   */
  async bounded<T>(work: (client: Client) => Promise<T>): Promise<T> {
    try {
      return await this.#database.borrow(async (client) => {
        // One round trip. JIT compilation costs more than such a list.
        await client.query(
          `BEGIN READ ONLY; SET LOCAL statement_timeout = ${this.#ms_max}; SET LOCAL jit = off`,
        );
        try {
          return await work(client);
        } finally {
          await client.query('ROLLBACK');
        }
      });
    } catch (error) {
      if ((error as { code?: unknown }).code !== QUERY_CANCELED) throw error;
      throw new PlatenError('request/filter-too-slow', { seconds: this.#ms_max / 1_000 });
    }
  }

  /** A filter whose ranges are resolved to installed versions. */
  async compile(terms: readonly Term[], matcher: RangeMatcher, now_ms: number): Promise<PrinterConditions> {
    const installed = new Map<string, string[]>();
    for (const { software } of rangesOf(terms)) {
      if (!installed.has(software)) installed.set(software, await this.#versionsOf(software));
    }
    const versions = (software: string, range: string) =>
      (installed.get(software) ?? []).filter(matcher(software, range));
    return (param) => filterConditions(terms, { now_ms, param, versions });
  }

  /** A page of printers in an order, after `after`. */
  async list(
    filter: PrinterConditions,
    sort: PrinterSort,
    limit: number,
    after?: Place,
  ): Promise<ListedPrinter[]> {
    const { nullable } = SORT_COLUMNS[keyOfSort(sort)];
    return this.bounded(async (client) => {
      const rows: PlacedRow[] = [];
      if (after?.value !== null) {
        const { text, values } = pageOf(filter, sort, 'value', limit, after);
        rows.push(...(await client.query<PlacedRow>(text, values)).rows);
      }
      if (nullable && rows.length < limit) {
        const from = after?.value === null ? after : undefined;
        const { text, values } = pageOf(filter, sort, 'none', limit - rows.length, from);
        rows.push(...(await client.query<PlacedRow>(text, values)).rows);
      }
      return rows.map((row) => ({ row: fromRow(row), place: { value: row.place, id: row.id } }));
    });
  }

  /**
   * A page, and the total number of matches.
   * @param from where the page begins, and the total from the first page
   */
  async countedList(
    filter: PrinterConditions,
    sort: PrinterSort,
    limit: number,
    from: { place: Place; total?: Total | undefined } | undefined,
  ): Promise<{ printers: ListedPrinter[]; total: Total }> {
    const { place, total: known } = from ?? {};
    if (fromPrinters(filter).values.length > 0 && known?.exact !== false && !this.#estimateOf(filter)) {
      const few = await this.#few(filter, sort, limit, place);
      if (few) return { printers: few.printers, total: known ?? few.total };
    }
    const total = known ?? (await this.total(filter));
    return { printers: await this.list(filter, sort, limit, place), total };
  }

  /** A page for a filter that matches few printers; undefined if it matches many. */
  async #few(
    filter: PrinterConditions,
    sort: PrinterSort,
    limit: number,
    after: Place | undefined,
  ): Promise<{ printers: ListedPrinter[]; total: Total } | undefined> {
    const { exact_total_max } = CENTER_LIMITS;
    const { text, values } = fewPageOf(filter, sort, limit, after, exact_total_max);
    const { rows } = await this.bounded((client) =>
      client.query<Omit<PlacedRow, 'id'> & { id: string | null; n: number }>(text, values),
    );
    const n = rows[0]?.n ?? 0;
    if (n > exact_total_max) return undefined;
    const found = rows.filter((row): row is PlacedRow & { n: number } => row.id !== null);
    return {
      printers: found.map((row) => ({ row: fromRow(row), place: { value: row.place, id: row.id } })),
      total: { total: n, exact: true },
    };
  }

  /** The cached estimate for a filter that recently matched many printers. */
  #estimateOf(filter: PrinterConditions): Total | undefined {
    const kept = this.#estimates.get(JSON.stringify(fromPrinters(filter)));
    return kept && performance.now() - kept.at < CENTER_LIMITS.estimates_kept_ms ? kept.total : undefined;
  }

  #keepEstimate(filter: PrinterConditions, total: Total): void {
    const key = JSON.stringify(fromPrinters(filter));
    this.#estimates.delete(key);
    this.#estimates.set(key, { total, at: performance.now() });
    const [oldest] = this.#estimates.keys();
    if (oldest !== undefined && this.#estimates.size > CENTER_LIMITS.estimates_kept_max) {
      this.#estimates.delete(oldest);
    }
  }

  /** The number of matches: counted up to a bound, estimated beyond it. Estimates are cached for some seconds. */
  async total(filter: PrinterConditions, exactMax: number = CENTER_LIMITS.exact_total_max): Promise<Total> {
    const usual = exactMax === CENTER_LIMITS.exact_total_max;
    const kept = usual ? this.#estimateOf(filter) : undefined;
    if (kept) return kept;
    const { from, values } = fromPrinters(filter);
    return this.bounded(async (client) => {
      const counted = await client.query<{ n: number }>(
        `SELECT count(*)::int AS n FROM (SELECT 1 ${from} LIMIT ${exactMax + 1}) counted`,
        values,
      );
      const n = counted.rows[0]?.n ?? 0;
      if (n <= exactMax) return { total: n, exact: true };
      const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: { 'Plan Rows': number } }] }>(
        `EXPLAIN (FORMAT JSON) SELECT 1 ${from}`,
        values,
      );
      const estimate = rows[0]?.['QUERY PLAN'][0].Plan['Plan Rows'] ?? n;
      const total = { total: Math.max(n, estimate), exact: false };
      if (usual) this.#keepEstimate(filter, total);
      return total;
    });
  }

  /** The exact number of matches. */
  async count(filter: PrinterConditions): Promise<number> {
    const { from, values } = fromPrinters(filter);
    return this.bounded(async (client) => {
      const { rows } = await client.query<{ n: number }>(`SELECT count(*)::int AS n ${from}`, values);
      return rows[0]?.n ?? 0;
    });
  }

  /** The ids of all matches, in ascending order. */
  async ids(filter: PrinterConditions): Promise<string[]> {
    const { from, values } = fromPrinters(filter);
    return this.bounded(async (client) => {
      const { rows } = await client.query<{ id: string }>(`SELECT p.id ${from} ORDER BY p.id`, values);
      return rows.map(({ id }) => id);
    });
  }

  /** The versions of a software that are installed in the fleet. */
  async #versionsOf(software: string): Promise<string[]> {
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
}
