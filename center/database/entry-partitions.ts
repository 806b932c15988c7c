/**
 * Partitions of the entries: made ahead of time, dropped whole when everything in them is older than the retention.
 */
import type { Database } from './database.ts';
import type { StoreLog } from './store-log.ts';

const DAY_MS = 86_400_000;
/** A partition holds this many days, counted from the epoch. */
export const PARTITION_DAYS = 7;
/** How many partitions stand ready beyond the current one. */
export const PARTITIONS_AHEAD = 3;
const TABLE = 'entries';

interface Span {
  name: string;
  from: Date;
  to: Date;
}

function spanAt(ms: number): Span {
  const width_ms = PARTITION_DAYS * DAY_MS;
  const from = new Date(Math.floor(ms / width_ms) * width_ms);
  return {
    name: `${TABLE}_${from.toISOString().slice(0, 10).replaceAll('-', '')}`,
    from,
    to: new Date(from.getTime() + width_ms),
  };
}

async function existing(database: Database): Promise<string[]> {
  const rows = await database.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = '${TABLE}'::regclass ORDER BY 1`,
  );
  return rows.map((row) => row.name);
}

/** Makes the partitions around and ahead of `now_ms`. Several processes may do it at once. */
export async function makePartitions(database: Database, now_ms: number): Promise<void> {
  const known = new Set(await existing(database));
  // One behind: the clock may be set back a little.
  for (let ahead = -1; ahead <= PARTITIONS_AHEAD; ahead += 1) {
    const span = spanAt(now_ms + ahead * PARTITION_DAYS * DAY_MS);
    if (known.has(span.name)) continue;
    await database.query(
      `CREATE TABLE IF NOT EXISTS ${span.name} PARTITION OF ${TABLE}
       FOR VALUES FROM ('${span.from.toISOString()}') TO ('${span.to.toISOString()}')`,
    );
  }
}

/** Drops the partitions that hold nothing younger than `retention_days`; gives their names. */
export async function dropPartitions(
  database: Database,
  now_ms: number,
  retention_days: number,
  log: StoreLog,
): Promise<string[]> {
  const limit = spanAt(now_ms - retention_days * DAY_MS).name;
  // Names sort as their dates do.
  const old = (await existing(database)).filter((name) => name < limit);
  for (const name of old) {
    await database.query(`DROP TABLE ${name}`);
    log.info({ partition: name, retention_days }, 'entries beyond the retention were dropped');
  }
  return old;
}

/** What grows with what printers say, besides the entries; what is in force stands elsewhere. */
const HISTORIES = ['structure_history', 'update_reports'];
/** Rows that one statement drops, so that none of them holds the tables for long. */
const DROPPED_AT_ONCE = 10_000;

/** Runs a statement that drops at most DROPPED_AT_ONCE rows from before `$1` until few are left; gives how many went. */
async function dropInPortions(database: Database, text: string, limit: Date): Promise<number> {
  for (let dropped = 0; ; ) {
    const [row] = await database.query<{ count: number }>(text, [limit]);
    const count = row?.count ?? 0;
    dropped += count;
    if (count < DROPPED_AT_ONCE) return dropped;
  }
}

/** Drops old structures and reports of updates that are older than the retention; gives how many rows. */
export async function dropHistory(
  database: Database,
  now_ms: number,
  retention_days: number,
  log: StoreLog,
): Promise<number> {
  const limit = new Date(now_ms - retention_days * DAY_MS);
  let dropped = 0;
  for (const table of HISTORIES) {
    dropped += await dropInPortions(
      database,
      `WITH dropped AS (DELETE FROM ${table} WHERE ctid = ANY (ARRAY(
         SELECT ctid FROM ${table} WHERE received < $1 LIMIT ${DROPPED_AT_ONCE})) RETURNING 1)
       SELECT count(*) AS count FROM dropped`,
      limit,
    );
  }
  if (dropped > 0) log.info({ rows: dropped, retention_days }, 'reports beyond the retention were dropped');
  return dropped;
}

/**
 * Forgets log memories that their printers have replaced, once the retention has taken the last of their entries; gives
 * how many. What such a memory would still send is then new again: nothing is left that it could double.
 */
export async function dropStreams(
  database: Database,
  now_ms: number,
  retention_days: number,
  log: StoreLog,
): Promise<number> {
  const limit = new Date(now_ms - retention_days * DAY_MS);
  // The version tells whether entries came meanwhile: then the row is another one and stays.
  const dropped = await dropInPortions(
    database,
    `WITH old AS (
       SELECT s.id, s.version FROM log_streams s
       WHERE s.created_at < $1
         AND EXISTS (SELECT 1 FROM log_streams n WHERE n.printer = s.printer AND n.id > s.id)
         AND NOT EXISTS (SELECT 1 FROM entries e WHERE e.stream = s.id)
       LIMIT ${DROPPED_AT_ONCE}),
     dropped AS (
       DELETE FROM log_streams s USING old WHERE s.id = old.id AND s.version = old.version RETURNING 1)
     SELECT count(*) AS count FROM dropped`,
    limit,
  );
  if (dropped > 0)
    log.info({ memories: dropped, retention_days }, 'log memories beyond the retention were forgotten');
  return dropped;
}
