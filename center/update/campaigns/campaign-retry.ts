/** Another try for the printers of a campaign that failed. */
import { PlatenError } from '../../../schemas/errors.ts';
import type { Query } from '../orders/execution-store.ts';
import type { CampaignRecord } from './campaign-state.ts';

/**
 * Lets every printer that failed have another order, its quarantine lifted. A campaign that was finished is paused
 * until it is resumed.
 * @throws PlatenError request/not-found
 */
export async function retryFailed(query: Query, id: string, by: string, now: number): Promise<void> {
  const [row] = await query<{ record: CampaignRecord }>(
    'SELECT record FROM campaigns WHERE id = $1 FOR UPDATE',
    [id],
  );
  if (!row) throw new PlatenError('request/not-found', { kind: 'campaign', id });
  const again = await query<{ printer: string; execution: string; exposure: string | null }>(
    `UPDATE campaign_targets SET state = 'waiting', tries = 0
     WHERE campaign = $1 AND state = 'ended' AND ended NOT IN ('proven', 'already', 'moved')
     RETURNING printer, execution, exposure`,
    [id],
  );
  if (again.length === 0) return;
  await query('DELETE FROM quarantine WHERE execution = ANY($1)', [again.map((each) => each.execution)]);
  const { record } = row;
  const next: CampaignRecord = {
    ...record,
    // An order that never touched its printer gave its place back when it ended.
    dispatched: Math.max(0, record.dispatched - again.filter(({ exposure }) => exposure !== null).length),
    // They keep their numbers and outcomes: what failed once says nothing new of the release.
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
}
