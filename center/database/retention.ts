/**
 * What grows with time, besides the entries: dropped row by row when it is older than the retention, in portions, so
 * that no statement holds a table for long.
 */
import type { Database } from './database.ts';
import { isNotRemoved } from './removed-printers.ts';
import type { StoreLog } from './store-log.ts';

const DAY_MS = 86_400_000;

/** Tables, and which of their rows are old at $1. What is in force stands elsewhere, or is not among them. */
const HISTORIES: Record<string, string> = {
  structure_history: 'received < $1',
  presence_history: 'at < $1',
  verdict_history: 'at < $1',
  update_reports: 'received < $1',
  audit: 'at < $1',
  supply_intervals: 'until_at < $1',
  tokens: 'least(revoked_at, ends_at) < $1',
  // Those that are open are never old.
  troubles: "state IN ('cured', 'cleared', 'closed') AND updated_at < $1",
  // A campaign that goes on, or may be taken up again, needs to know what became of its orders.
  executions: `ended_at < $1 AND NOT publish_due AND NOT EXISTS (
    SELECT 1 FROM campaigns c
    WHERE c.id = executions.campaign AND (c.state NOT IN ('finished', 'aborted') OR c.updated_at >= $1))`,
};
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

/** Drops records that are older than the retention at `now_ms`; gives how many rows. */
export async function dropHistory(
  database: Database,
  now_ms: number,
  retention_days: number,
  log: StoreLog,
): Promise<number> {
  const limit = new Date(now_ms - retention_days * DAY_MS);
  let dropped = 0;
  for (const [table, isOld] of Object.entries(HISTORIES)) {
    dropped += await dropInPortions(
      database,
      `WITH dropped AS (DELETE FROM ${table} WHERE ctid = ANY (ARRAY(
         SELECT ctid FROM ${table} WHERE ${isOld} LIMIT ${DROPPED_AT_ONCE})) RETURNING 1)
       SELECT count(*) AS count FROM dropped`,
      limit,
    );
  }
  if (dropped > 0) log.info({ rows: dropped, retention_days }, 'records beyond the retention were dropped');
  return dropped;
}

/**
 * Forgets log memories that their printers have replaced, or whose printers were removed, once the retention has taken the last of their entries; gives
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
         AND (NOT ${isNotRemoved('s.printer')}
           OR EXISTS (SELECT 1 FROM log_streams n WHERE n.printer = s.printer AND n.id > s.id))
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
