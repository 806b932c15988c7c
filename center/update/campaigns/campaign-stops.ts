/**
 * Stores the stop that follows from a halt or an abort, in the same transaction.
 */

import { releasesOf } from '../cause.ts';
import type { Query } from '../orders/execution-store.ts';
import type { ExecutionPlan } from '../orders/order-plan.ts';
import type { Execution } from '../orders/order-state.ts';
import type { CampaignRecord } from './campaign-state.ts';
import { type CampaignRow, causeOf } from './campaign-view.ts';
import type { StopStore } from './stop-store.ts';

/**
 * The releases that a failed order is evidence against: those of the step at which it ended, and of steps installed
 * together with it. Earlier steps succeeded.
 */
export function blamedReleases(plan: ExecutionPlan, execution: Pick<Execution, 'step'>): string[] {
  const failing = plan.steps[Math.min(execution.step, plan.steps.length - 1)];
  if (failing === undefined) return [];
  return releasesOf(
    plan.steps.filter(
      (step) => step === failing || (failing.together !== undefined && step.together === failing.together),
    ),
  );
}

/**
 * Stores a stop, so that nothing starts the same again automatically.
 * @param known releases that were already stopped in this look
 * @returns releases that the guard stopped
 */
export async function rememberStop(
  query: Query,
  stops: StopStore,
  row: CampaignRow,
  record: CampaignRecord,
  { by, at, known = [] }: { by: string; at: number; known?: readonly string[] },
): Promise<string[]> {
  const before = row.record.state;
  if (record.state === before || (record.state !== 'halted' && record.state !== 'aborted')) return [];
  // A halt by a stop, or by the evidence from all campaigns, has its stop already.
  if (record.halt === 'stop' || (record.state === 'halted' && record.halt === 'release')) return [];
  // A withdrawn release needs no stop: the repository or the catalog refuses it to everyone.
  if (record.state === 'halted' && record.halt === 'withdrawn') return [];
  const reason = record.reason ?? record.state;
  const common = { campaign: row.id, cause: causeOf(row), reason, by, at };
  if (record.state === 'halted') {
    const releases =
      record.halt === 'codes' ? await exposedReleases(query, row.id) : await failedReleases(query, row.id);
    const fresh = releases.filter((release) => !known.includes(release));
    await stops.add(query, { ...common, kind: 'guard', releases: fresh });
    return fresh;
  }
  const [found] = await query<{ releases: string[] | null; strata: string[] | null }>(
    `SELECT (SELECT array_agg(DISTINCT r ORDER BY r) FROM campaign_targets t, unnest(t.releases) r
             WHERE t.campaign = $1 AND t.state <> 'excluded') AS releases,
            (SELECT array_agg(DISTINCT stratum) FROM campaign_targets
             WHERE campaign = $1 AND state <> 'excluded') AS strata`,
    [row.id],
  );
  await stops.add(query, {
    ...common,
    kind: 'person',
    releases: found?.releases ?? [],
    strata: found?.strata ?? [],
  });
  return [];
}

async function failedReleases(query: Query, campaign: string): Promise<string[]> {
  const failed = await query<{ plan: ExecutionPlan; record: Execution }>(
    `SELECT e.plan, e.record FROM campaign_targets t JOIN executions e ON e.id = t.execution
     -- Of one that was tried again with success the order is another than the one that failed.
     WHERE t.campaign = $1 AND t.outcome = 'bad' AND t.ended <> 'proven'`,
    [campaign],
  );
  return [...new Set(failed.flatMap(({ plan, record }) => blamedReleases(plan, record)))].sort();
}

async function exposedReleases(query: Query, campaign: string): Promise<string[]> {
  const rows = await query<{ release: string }>(
    `SELECT DISTINCT r AS release FROM campaign_targets t, unnest(t.releases) r
     WHERE t.campaign = $1 AND t.exposure IS NOT NULL ORDER BY 1`,
    [campaign],
  );
  return rows.map(({ release }) => release);
}
