/**
 * Drops records other than entries when they exceed the retention: row by row, in portions, so that no statement locks
 * a table for long.
 */
import type { Database } from './database.ts';
import { isNotRemoved } from './removed-printers.ts';
import type { StoreLog } from './store-log.ts';

const DAY_MS = 86_400_000;

/** Tables, and which of their rows are older than $1. Nothing in force is among them. */
const HISTORIES: Record<string, string> = {
  structure_history: 'received < $1',
  presence_history: 'at < $1',
  verdict_history: 'at < $1',
  update_reports: 'received < $1',
  audit: 'at < $1',
  supply_intervals: 'until_at < $1',
  tokens: 'least(revoked_at, ends_at) < $1',
  // Open troubles are never old.
  troubles: "state IN ('cured', 'cleared', 'closed') AND updated_at < $1",
  // A campaign that is running or may be resumed needs the outcome of its orders.
  executions: `ended_at < $1 AND NOT publish_due AND NOT EXISTS (
    SELECT 1 FROM campaigns c
    WHERE c.id = executions.campaign AND (c.state NOT IN ('finished', 'aborted') OR c.updated_at >= $1))`,
};
/** Rows dropped per statement, so that none locks the tables for long. */
const DROPPED_AT_ONCE = 10_000;

/** Repeats a statement that drops DROPPED_AT_ONCE rows from before `$1`, until few are left. @returns their number */
async function dropInPortions(database: Database, text: string, limit: Date): Promise<number> {
  for (let dropped = 0; ; ) {
    const [row] = await database.query<{ count: number }>(text, [limit]);
    const count = row?.count ?? 0;
    dropped += count;
    if (count < DROPPED_AT_ONCE) return dropped;
  }
}

/** Drops records older than the retention at `now_ms`. @returns the number of rows */
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
  if (dropped > 0) log.info({ rows: dropped, retention_days }, 'dropped records beyond the retention');
  return dropped;
}

/**
 * Forgets log memories that were replaced, or whose printers were removed, when the retention has dropped their last
 * entry. Entries of such a memory would then be new again; there is nothing left to duplicate. @returns their number
 */
export async function dropStreams(
  database: Database,
  now_ms: number,
  retention_days: number,
  log: StoreLog,
): Promise<number> {
  const limit = new Date(now_ms - retention_days * DAY_MS);
  // If entries came meanwhile, the row has another version and stays.
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
    log.info({ memories: dropped, retention_days }, 'forgot log memories beyond the retention');
  return dropped;
}
