/**
 * What a look at a campaign does in the database, under the lock on its row: takes in what became of its orders and
 * which codes were seen, counts, and gives the next printers their orders.
 */

import { randomUUID } from 'node:crypto';
import type { PoolClient } from 'pg';
import { CAMPAIGN_DISPATCH_MAX, ORDER_MS_DEFAULT, TARGET_TRIES_MAX } from '../limits.ts';
import { type ExecutionRow, type Query, queryOf } from '../orders/execution-store.ts';
import { orderSteps } from '../orders/order-plan.ts';
import type { OrderService, UpdateSettings } from '../orders/order-service.ts';
import type { Execution } from '../orders/order-state.ts';
import { type CampaignEvent, type CampaignRecord, campaignTransition, outcomeOf } from './campaign-state.ts';
import type { CampaignRow } from './campaign-view.ts';
import type { CohortWatch } from './cohort-watch.ts';
import type { RolloutSettingsStore } from './rollout-settings.ts';
import type { StopStore } from './stop-store.ts';
import { durationOr, type Targets } from './targets.ts';

export interface CampaignSettings
  extends Pick<UpdateSettings, 'database' | 'publish' | 'repository' | 'log' | 'now' | 'random'> {
  orders: OrderService;
  targets: Targets;
  stops: StopStore;
  rollout: RolloutSettingsStore;
  tell(what: string, data: Record<string, unknown>): void;
}

export class CampaignHand {
  readonly #settings: CampaignSettings;
  readonly #watch: CohortWatch;

  constructor(settings: CampaignSettings, watch: CohortWatch) {
    this.#settings = settings;
    this.#watch = watch;
  }

  /** What became of orders since the last look. */
  async takeOutcomes(query: Query, row: CampaignRow): Promise<CampaignRecord> {
    const changed = await query<{
      printer: string;
      exposure: number | null;
      tries: number;
      /** It had an outcome before and is tried again. */
      told: boolean;
      state: Execution['state'];
      record: Execution;
      ended: boolean;
    }>(
      `SELECT t.printer, t.exposure, t.tries, t.ended IS NOT NULL AS told, e.state, e.record, e.ended_at IS NOT NULL AS ended
       FROM campaign_targets t JOIN executions e ON e.id = t.execution
       WHERE t.campaign = $1 AND t.state = 'dispatched'
         AND (e.ended_at IS NOT NULL OR (t.exposure IS NULL AND e.state IN ('installing', 'self-testing', 'claimed')))
       ORDER BY e.updated_at, t.printer`,
      [row.id],
    );
    let { record } = row;
    const happen = (event: CampaignEvent) => {
      record = campaignTransition(record, event).campaign;
    };
    for (const { printer, state, record: execution, ended, tries, told, ...each } of changed) {
      const outcome = ended ? outcomeOf(state, execution.error?.code, execution.suspectedBrick) : undefined;
      let exposure = each.exposure === null ? null : Number(each.exposure);
      if (exposure === null && (outcome !== undefined || !ended)) {
        exposure = record.guard.exposed;
        happen({ type: 'exposed' });
        this.#watch.expose(row.id, printer);
      }
      if (!ended) {
        await query('UPDATE campaign_targets SET exposure = $3 WHERE campaign = $1 AND printer = $2', [
          row.id,
          printer,
          exposure,
        ]);
        continue;
      }
      // A printer that began to install and whose end says nothing must not hold up those after it.
      // One that was tried again has its number and its outcome already: it is no new evidence.
      if (exposure !== null) {
        happen({ type: 'outcome', exposure, failed: outcome === undefined ? null : outcome === 'bad' });
      }
      if (execution.suspectedBrick) happen({ type: 'brick', printer });
      // What was withdrawn or was not as judged gets another order, unless the campaign is over.
      const again =
        (state === 'cancelled' || state === 'rejected') &&
        (exposure === null || told) &&
        tries < TARGET_TRIES_MAX &&
        record.state !== 'aborted';
      if (again) happen({ type: 'withdrawn', count: 1 });
      else if (outcome === undefined && record.state !== 'aborted')
        happen({ type: 'unrelated', why: execution.error?.code ?? state });
      await query(
        `UPDATE campaign_targets SET state = $3, exposure = $4, outcome = $5, ended = $6, tries = $7
         WHERE campaign = $1 AND printer = $2`,
        [
          row.id,
          printer,
          again ? 'waiting' : 'ended',
          exposure,
          outcome ?? null,
          state,
          // An order that the campaign itself withdrew was no try.
          state === 'rejected' ? tries + 1 : tries,
        ],
      );
    }
    return record;
  }

  /** First events of codes since the last look. */
  async takeEvents(query: Query, id: string, before: CampaignRecord): Promise<CampaignRecord> {
    let record = before;
    for (const sighting of this.#watch.take(id)) {
      const inserted = await query(
        `INSERT INTO campaign_events (campaign, code, printer, runs_it) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING RETURNING printer`,
        [id, sighting.code, sighting.printer, sighting.runsIt],
      );
      if (inserted.length === 0) continue;
      record = campaignTransition(record, { type: 'code', ...sighting }).campaign;
    }
    return record;
  }

  async counts(
    query: Query,
    id: string,
  ): Promise<{ targets: number; waiting: number; underWay: number; active: number; stopped: number }> {
    const [row] = await query<{
      targets: number;
      waiting: number;
      underWay: number;
      active: number;
      stopped: number;
    }>(
      `SELECT count(*) FILTER (WHERE t.state <> 'excluded')::int AS targets,
              count(*) FILTER (WHERE t.state = 'excluded' AND t.reason = 'stopped')::int AS stopped,
              count(*) FILTER (WHERE t.state = 'waiting')::int AS waiting,
              count(*) FILTER (WHERE t.state = 'dispatched')::int AS "underWay",
              count(*) FILTER (WHERE t.state = 'dispatched' AND (e.state IN ('installing', 'self-testing', 'claimed')
                OR e.ended_at IS NOT NULL OR (e.state <> 'deferred' AND p.online IS NOT FALSE)))::int AS active
       FROM campaign_targets t LEFT JOIN executions e ON e.id = t.execution LEFT JOIN printers p ON p.id = t.printer
       WHERE t.campaign = $1`,
      [id],
    );
    return row ?? { targets: 0, waiting: 0, underWay: 0, active: 0, stopped: 0 };
  }

  /** Gives the next printers of the draw their orders, as each of them must be now. */
  async dispatch(client: PoolClient, row: CampaignRow, count: number): Promise<ExecutionRow[]> {
    const { targets, orders, repository, now, random = Math.random } = this.#settings;
    const query = queryOf(client);
    const { options } = row.request;
    const canaries = row.record.stage === 'canaries';
    const wanted = Math.min(count, CAMPAIGN_DISPATCH_MAX);
    const next = await query<{ printer: string }>(
      `SELECT t.printer FROM campaign_targets t LEFT JOIN printers p ON p.id = t.printer
       LEFT JOIN executions e ON e.printer = t.printer AND e.ended_at IS NULL
       WHERE t.campaign = $1 AND t.state = 'waiting' AND e.id IS NULL ${canaries ? 'AND p.online' : ''}
       ORDER BY t.place, t.printer LIMIT $2`,
      [row.id, wanted],
    );
    if (next.length === 0) return [];
    const candidates = await targets.named(next.map((each) => each.printer));
    const considered = await targets.consider(candidates, row.request, row.id);
    const at = now();
    const spreadMs = durationOr(options?.spread, 0);
    const deadlineAt = at + durationOr(options?.deadline, ORDER_MS_DEFAULT);
    const planned = [];
    for (const each of considered) {
      if (each.kind !== 'target') {
        const [state, reason] = each.kind === 'fine' ? ['ended', null] : ['excluded', each.reason];
        await query(
          `UPDATE campaign_targets SET state = $3, reason = $4, ended = $5 WHERE campaign = $1 AND printer = $2`,
          [row.id, each.printer, state, reason, state === 'ended' ? 'already' : null],
        );
        continue;
      }
      const steps = orderSteps(each.structure, each.remedy, (software, version) =>
        repository.target(software, version),
      );
      if (!steps.ok) continue;
      planned.push({
        id: randomUUID(),
        printer: each.printer,
        campaign: row.id,
        ...(row.request.trouble === undefined ? {} : { trouble: row.request.trouble }),
        at,
        deadlineAt,
        plan: {
          steps: steps.steps,
          structure: { session: each.structure.session, revision: each.structure.revision },
          ...(options?.window === undefined ? {} : { window: options.window }),
          ...(spreadMs > 0 ? { notBefore: at + Math.floor(random() * spreadMs) } : {}),
        },
      });
    }
    // A printer that somebody else gave an order meanwhile gets none, and waits.
    const created = await orders.store.create(planned, client);
    await query(
      `UPDATE campaign_targets t SET state = 'dispatched', execution = n.execution
       FROM unnest($2::text[], $3::text[]) AS n(printer, execution)
       WHERE t.campaign = $1 AND t.printer = n.printer`,
      [row.id, created.map((each) => each.printer), created.map((each) => each.id)],
    );
    return created;
  }
}
