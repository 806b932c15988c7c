/**
 * Lists of printers by a filter, in one of the orders that have an index, and how many match. Every statement is bounded
 * in time: a filter that no index answers has to look at every printer.
 */
import { PlatenError } from '../../schemas/errors.ts';
import type { Term } from '../../schemas/where.ts';
import type { Client, Database } from '../database/database.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { PrinterSort, PrinterSortKey } from '../queries.ts';
import { filterConditions, rangesOf } from './filter-sql.ts';
import { fromRow, PRINTER_COLUMNS, type PrinterRow, type Row } from './printer-row.ts';

interface SortColumn {
  column: string;
  type: 'text' | 'timestamptz' | 'int';
  /** The value as a text that sorts its printer again. */
  text: string;
  /** Whether printers may have no value. */
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

/** The last printer of a page: its value of what the list is sorted by, null where it has none. */
export interface Place {
  value: string | null;
  id: string;
}

export interface ListedPrinter {
  row: PrinterRow;
  place: Place;
}

/** How many match. */
export interface Total {
  total: number;
  /** Otherwise it is the planner's estimate. */
  exact: boolean;
}

/** Whether a version of a software lies in a range: the catalog knows in which order its versions stand. */
export type RangeMatcher = (software: string, range: string) => (version: string) => boolean;

/** A filter as it stands in statements. */
interface Compiled {
  conditions: string[];
  values: unknown[];
}

function whereClause(conditions: readonly string[]): string {
  return conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '';
}

/** Postgres ends a statement that takes too long with it. */
const QUERY_CANCELED = '57014';

export class PrinterLists {
  readonly #database: Database;
  readonly #ms_max: number;

  constructor(database: Database, ms_max: number = CENTER_LIMITS.filter_ms_max) {
    this.#database = database;
    this.#ms_max = ms_max;
  }

  /**
   * Reads in one snapshot and within a time.
   * @throws PlatenError request/filter-too-slow
   */
  async bounded<T>(work: (client: Client) => Promise<T>): Promise<T> {
    try {
      return await this.#database.borrow(async (client) => {
        // One round trip. Compiling a statement costs more than such a list does.
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

  /** A filter whose ranges are resolved to the versions that are installed anywhere. */
  async compile(terms: readonly Term[], matcher: RangeMatcher, now_ms: number): Promise<Compiled> {
    const installed = new Map<string, string[]>();
    for (const { software } of rangesOf(terms)) {
      if (!installed.has(software)) installed.set(software, await this.#versionsOf(software));
    }
    const values: unknown[] = [];
    const conditions = filterConditions(terms, {
      now_ms,
      param: (value) => `$${values.push(value)}`,
      versions: (software, range) => (installed.get(software) ?? []).filter(matcher(software, range)),
    });
    return { conditions, values };
  }

  /** A page of printers in an order, those after `after`. */
  async list(filter: Compiled, sort: PrinterSort, limit: number, after?: Place): Promise<ListedPrinter[]> {
    const descending = sort.startsWith('-');
    const { column, type, text, nullable } = SORT_COLUMNS[sort.replace('-', '') as PrinterSortKey];
    const [direction, beyond] = descending ? ['DESC', '<'] : ['ASC', '>'];
    const page = (conditions: string[], values: unknown[], order: string, most: number) => ({
      text: `SELECT ${PRINTER_COLUMNS}, ${text} AS place FROM printers p
             ${whereClause([...filter.conditions, ...conditions])} ORDER BY ${order} LIMIT ${most}`,
      values: [...filter.values, ...values],
    });
    const at = filter.values.length;
    return this.bounded(async (client) => {
      const rows: (Row & { place: string | null })[] = [];
      if (after === undefined || after.value !== null) {
        const order = column === 'p.id' ? `p.id ${direction}` : `${column} ${direction}, p.id ${direction}`;
        const behind =
          column === 'p.id'
            ? `p.id ${beyond} $${at + 1}`
            : `(${column}, p.id) ${beyond} ($${at + 2}::${type}, $${at + 1})`;
        const key = after === undefined ? [] : column === 'p.id' ? [after.id] : [after.id, after.value];
        const conditions = [
          ...(after === undefined ? [] : [behind]),
          ...(nullable && after === undefined ? [`${column} IS NOT NULL`] : []),
        ];
        rows.push(...(await client.query(page(conditions, key, order, limit))).rows);
      }
      if (nullable && rows.length < limit) {
        const behind = after?.value === null ? [`p.id ${beyond} $${at + 1}`] : [];
        const key = after?.value === null ? [after.id] : [];
        const order = `p.id ${direction}`;
        rows.push(
          ...(await client.query(page([`${column} IS NULL`, ...behind], key, order, limit - rows.length)))
            .rows,
        );
      }
      return rows.map((row) => ({ row: fromRow(row), place: { value: row.place, id: row.id } }));
    });
  }

  /** How many match: counted up to a bound, estimated beyond it. */
  async total(
    { conditions, values }: Compiled,
    exactMax: number = CENTER_LIMITS.exact_total_max,
  ): Promise<Total> {
    const from = `FROM printers p ${whereClause(conditions)}`;
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
      return { total: Math.max(n, estimate), exact: false };
    });
  }

  /** How many match, exactly, however many they are. */
  async count({ conditions, values }: Compiled): Promise<number> {
    return this.bounded(async (client) => {
      const { rows } = await client.query<{ n: number }>(
        `SELECT count(*)::int AS n FROM printers p ${whereClause(conditions)}`,
        values,
      );
      return rows[0]?.n ?? 0;
    });
  }

  /** Which versions of a software are installed anywhere. */
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

export type { Compiled as CompiledFilter };
