/**
 * Partitions of tables that grow all the time (log entries, readings): created ahead of time or when needed, dropped
 * as a whole when everything in them exceeds the retention.
 */
import { Serial } from '../../base/serial.ts';
import type { Database } from './database.ts';
import type { StoreLog } from './store-log.ts';

const DAY_MS = 86_400_000;
/** How many partitions exist beyond the current one. */
const PARTITIONS_AHEAD = 3;

/** A table that is partitioned by `received`. */
export interface PartitionedTable {
  table: 'entries' | 'readings';
  /** A partition holds this many days, counted from the epoch. */
  days: number;
}
export const ENTRIES: PartitionedTable = { table: 'entries', days: 7 };
export const READINGS: PartitionedTable = { table: 'readings', days: 1 };

interface Span {
  name: string;
  from: Date;
  to: Date;
}

function spanAt({ table, days }: PartitionedTable, ms: number): Span {
  const width_ms = days * DAY_MS;
  const from = new Date(Math.floor(ms / width_ms) * width_ms);
  return {
    name: `${table}_${from.toISOString().slice(0, 10).replaceAll('-', '')}`,
    from,
    to: new Date(from.getTime() + width_ms),
  };
}

/** Whether a statement failed because a partition is missing: the error then names no constraint. */
export function isUnplaced(error: unknown): boolean {
  const { code, constraint } = error as { code?: unknown; constraint?: unknown };
  return code === '23514' && constraint === undefined;
}

export class Partitions {
  readonly #database: Database;
  readonly #of: PartitionedTable;
  /** Names of the existing partitions. */
  #known = new Set<string>();
  /** Between these times every partition exists, so names need not be checked. */
  #from_ms = Number.POSITIVE_INFINITY;
  #to_ms = Number.NEGATIVE_INFINITY;
  readonly #serial = new Serial();

  constructor(database: Database, of: PartitionedTable = ENTRIES) {
    this.#database = database;
    this.#of = of;
  }

  /** Whether the partition for this time exists. */
  has(time_ms: number): boolean {
    return time_ms >= this.#from_ms && time_ms < this.#to_ms;
  }

  /** Creates the partitions around and after a time. Several processes may do it at once. */
  ensure(time_ms: number): Promise<void> {
    return this.#serial.run(() => this.#make(time_ms));
  }

  /** Forgets the known partitions: one of them turned out to be missing. */
  forget(): void {
    this.#from_ms = Number.POSITIVE_INFINITY;
    this.#to_ms = Number.NEGATIVE_INFINITY;
  }

  async #make(time_ms: number): Promise<void> {
    const width_ms = this.#of.days * DAY_MS;
    this.#known = new Set(await this.#existing());
    // One before: the clock may be set back a little.
    for (let ahead = -1; ahead <= PARTITIONS_AHEAD; ahead += 1) {
      const span = spanAt(this.#of, time_ms + ahead * width_ms);
      if (this.#known.has(span.name)) continue;
      await this.#database.query(
        `CREATE TABLE IF NOT EXISTS ${span.name} PARTITION OF ${this.#of.table}
         FOR VALUES FROM ('${span.from.toISOString()}') TO ('${span.to.toISOString()}')`,
      );
      this.#known.add(span.name);
    }
    this.#from_ms = spanAt(this.#of, time_ms - width_ms).from.getTime();
    // While one is left, so that the next ones are created before they are needed.
    this.#to_ms = spanAt(this.#of, time_ms + (PARTITIONS_AHEAD - 1) * width_ms).to.getTime();
  }

  async #existing(): Promise<string[]> {
    const rows = await this.#database.query<{ name: string }>(
      `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
       WHERE i.inhparent = '${this.#of.table}'::regclass ORDER BY 1`,
    );
    return rows.map((row) => row.name);
  }

  /** When the newest row was stored; undefined when there is none. */
  async newest(): Promise<number | undefined> {
    // Names sort by date, and so do the times in them.
    for (const name of (await this.#existing()).reverse()) {
      const [row] = await this.#database.query<{ newest: Date | null }>(
        `SELECT max(received) AS newest FROM ${name}`,
      );
      if (row?.newest) return row.newest.getTime();
    }
    return undefined;
  }

  /** Drops partitions with nothing younger than `retention_days` at `reference_ms`. @returns their names */
  async drop(reference_ms: number, retention_days: number, log: StoreLog): Promise<string[]> {
    const limit_ms = reference_ms - retention_days * DAY_MS;
    const limit = spanAt(this.#of, limit_ms).name;
    const kept = await this.#database.query<{ name: string }>(
      'SELECT name FROM kept_partitions WHERE kept_from >= $1',
      [new Date(limit_ms)],
    );
    const spared = new Set(kept.map(({ name }) => name));
    const old = (await this.#existing()).filter((name) => name < limit && !spared.has(name));
    for (const name of old) {
      await this.#database.query(`DROP TABLE ${name}`);
      await this.#database.query('DELETE FROM kept_partitions WHERE name = $1', [name]);
      log.info(
        { partition: name, retention_days },
        `${this.#of.table}: a partition beyond the retention was dropped`,
      );
    }
    if (old.length > 0) this.forget();
    return old;
  }

  /** Keeps every existing partition for a whole retention from a time on, whatever times it contains. */
  async keepAll(from_ms: number): Promise<void> {
    await this.#database.query(
      `INSERT INTO kept_partitions (name, kept_from) SELECT unnest($1::text[]), $2
       ON CONFLICT (name) DO UPDATE SET kept_from = excluded.kept_from`,
      [await this.#existing(), new Date(from_ms)],
    );
  }
}
