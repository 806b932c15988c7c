/**
 * Campaigns as stored, and as operators see them.
 */

import type { Campaign } from '../../../schemas/types.ts';
import { type Cause, causeDocument } from '../cause.ts';
import type { UpdateDatabase } from '../orders/execution-store.ts';
import type { CampaignRecord } from './campaign-state.ts';
import { cohortEvidence, drawEvidence } from './code-guard.ts';
import { harmEvidence, outcomesOf, upperBound } from './guard.ts';
import type { CampaignRequest } from './targets.ts';

/** A campaign's row. */
export interface CampaignRow {
  id: string;
  record: CampaignRecord;
  request: CampaignRequest;
  seed: number;
  created_at: Date;
  updated_at: Date;
  created_by: string;
}

/** The cause of a campaign. */
export function causeOf(row: Pick<CampaignRow, 'request' | 'created_by'>): Cause {
  return row.request.cause ?? { kind: 'person', by: row.created_by };
}

/** The document of a campaign, as operators see it. */
export async function campaignDocument(database: UpdateDatabase, row: CampaignRow): Promise<Campaign> {
  const counted = await database.query<{ is: string; excluded: boolean; n: number }>(
    `SELECT CASE WHEN t.state = 'dispatched' THEN coalesce(e.state, 'dispatched')
                 WHEN t.state = 'ended' THEN coalesce(t.ended, 'ended')
                 WHEN t.state = 'excluded' THEN coalesce(t.reason, 'excluded') ELSE t.state END AS is,
            t.state = 'excluded' AS excluded, count(*)::int AS n
     FROM campaign_targets t LEFT JOIN executions e ON e.id = t.execution AND t.state = 'dispatched'
     WHERE t.campaign = $1 GROUP BY 1, 2`,
    [row.id],
  );
  const { record, request } = row;
  const [stop] = await database.query<{ releases: string[]; stopped_by: string; at: Date; reason: string }>(
    `SELECT releases, stopped_by, at, reason FROM release_stops
     WHERE campaign = $1 AND lifted_at IS NULL ORDER BY at LIMIT 1`,
    [row.id],
  );
  const counts: Record<string, number> = {};
  const excluded: Record<string, number> = {};
  for (const each of counted) (each.excluded ? excluded : counts)[each.is] = each.n;
  const { guard } = record;
  return {
    id: row.id,
    ...(request.title === undefined ? {} : { title: request.title }),
    state: record.state,
    ...(record.reason === undefined ? {} : { reason: record.reason }),
    ...(request.trouble === undefined ? {} : { trouble: request.trouble }),
    ...(request.software === undefined ? {} : { software: request.software }),
    targets: Object.values(counts).reduce((sum, n) => sum + n, 0),
    counts,
    excluded,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
    by: row.created_by,
    cause: causeDocument(causeOf(row)),
    ...(record.waits === undefined || Object.keys(record.waits).length === 0 ? {} : { waits: record.waits }),
    ...(stop === undefined
      ? {}
      : {
          stopped: {
            releases: stop.releases,
            by: stop.stopped_by,
            at: stop.at.toISOString(),
            reason: stop.reason,
          },
        }),
    guard: {
      stage: record.stage,
      dispatched: record.dispatched,
      allowed: record.allowed,
      seed: row.seed,
      exposed: guard.exposed,
      outcomes: outcomesOf(guard),
      failures: guard.failures,
      // Orders that ended inconclusively, by error code or state.
      unrelated: record.unrelated,
      tolerated: guard.settings.tolerated,
      evidence: harmEvidence(guard),
      haltAt: 1 / guard.settings.alpha,
      failureRateAtMost: upperBound(guard),
      promoteBelow: guard.settings.promoteBelow,
      codes: cohortEvidence(record.cohort)
        .sort((a, b) => b.evidence / b.needed - a.evidence / a.needed)
        .slice(0, 10),
      draw: drawEvidence(record.cohort),
      findings: record.findings,
      ...(record.watchUntil === undefined ? {} : { watchUntil: new Date(record.watchUntil).toISOString() }),
      ...(record.suspectedBrick === undefined ? {} : { suspectedBrick: record.suspectedBrick }),
    },
  };
}
