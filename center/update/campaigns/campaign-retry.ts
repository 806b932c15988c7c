/** Retries the printers of a campaign that failed. */
import { PlatenError } from '../../../schemas/errors.ts';
import { type Query, queryOf, type UpdateDatabase } from '../orders/execution-store.ts';
import type { CampaignRecord } from './campaign-state.ts';

/** Ends of an order after which there is nothing to be tried again. */
const SETTLED = ['proven', 'already', 'moved'];

/**
 * Queues another order for printers that failed and lifts their quarantine; budgets and stops apply as to every order. A
 * finished campaign becomes paused until it is resumed.
 * @param printers the printers to try again; undefined: every one that failed
 * @returns the printers that are to be tried again
 * @throws PlatenError request/not-found, request/conflict for a printer that has not failed
 */
export function retryFailed(
  { database, now }: { database: UpdateDatabase; now(): number },
  id: string,
  by: string,
  printers?: readonly string[],
): Promise<string[]> {
  return database.transaction((client) => retryIn(queryOf(client), id, by, now(), printers));
}

async function retryIn(
  query: Query,
  id: string,
  by: string,
  now: number,
  printers: readonly string[] | undefined,
): Promise<string[]> {
  const [row] = await query<{ record: CampaignRecord }>(
    'SELECT record FROM campaigns WHERE id = $1 FOR UPDATE',
    [id],
  );
  if (!row) throw new PlatenError('request/not-found', { kind: 'campaign', id });
  const again = await query<{ printer: string; execution: string | null; exposure: string | null }>(
    `UPDATE campaign_targets SET state = 'waiting', tries = 0
     WHERE campaign = $1 AND state = 'ended' AND ended <> ALL($2) AND ($3::text[] IS NULL OR printer = ANY($3))
     RETURNING printer, execution, exposure`,
    [id, SETTLED, printers ?? null],
  );
  const tried = again.map(({ printer }) => printer);
  const other = printers?.find((printer) => !tried.includes(printer));
  if (other !== undefined) {
    throw new PlatenError('request/conflict', { reason: `"${other}" has not failed in this campaign` });
  }
  if (again.length === 0) return [];
  await query('DELETE FROM quarantine WHERE execution = ANY($1)', [again.map((each) => each.execution)]);
  const { record } = row;
  const next: CampaignRecord = {
    ...record,
    // An order that never touched its printer gave back its place when it ended.
    dispatched: Math.max(0, record.dispatched - again.filter(({ exposure }) => exposure !== null).length),
    // They keep their numbers and first outcomes: a retry is no new evidence.
    ...(record.state === 'finished'
      ? { state: 'paused' as const, reason: `${again.length} printers are to be tried again, asked by ${by}` }
      : {}),
  };
  await query('UPDATE campaigns SET record = $2, state = $3, updated_at = $4 WHERE id = $1', [
    id,
    JSON.stringify(next),
    next.state,
    new Date(now),
  ]);
  return tried;
}
