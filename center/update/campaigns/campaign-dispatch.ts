/**
 * What a look at a campaign does in the database, under the lock on its row: it takes in outcomes and error codes, counts
 * printers by state, and dispatches the next orders.
 */

import { randomUUID } from 'node:crypto';
import type { PoolClient } from 'pg';
import type { Observation } from '../../statistics/code-watch.ts';
import { type Cause, causeDocument, releasesOf } from '../cause.ts';
import {
  AWAY_LOOK_MS,
  CAMPAIGN_DISPATCH_MAX,
  CANARY_AWAY_MS,
  DISPATCH_SPARE,
  ORDER_MS_DEFAULT,
  TARGET_TRIES_MAX,
} from '../limits.ts';
import { type ExecutionRow, type Query, queryOf } from '../orders/execution-store.ts';
import { type ExecutionPlan, orderSteps } from '../orders/order-plan.ts';
import type { OrderService, UpdateSettings } from '../orders/order-service.ts';
import type { Execution } from '../orders/order-state.ts';
import type { CampaignCodes } from './campaign-codes.ts';
import {
  type CampaignEvent,
  type CampaignRecord,
  campaignTransition,
  DEFAULT_PACE,
} from './campaign-state.ts';
import { blamedReleases } from './campaign-stops.ts';
import { type CampaignRow, causeOf } from './campaign-view.ts';
import { type Applicant, withinBounds } from './dispatch-bounds.ts';
import { fleetLoad, GIVEN_UP, lockDispatch } from './dispatch-load.ts';
import { DEFAULT_GUARD, isTold } from './guard.ts';
import { outcomeOf } from './order-outcome.ts';
import { harmOf } from './release-ledger.ts';
import { LedgerEdit } from './release-ledger-store.ts';
import type { RolloutSettingsStore } from './rollout-settings.ts';
import type { StopStore } from './stop-store.ts';
import { stopFor } from './stops.ts';
import { busyTargets, type RevisedTarget, reviseTargets } from './target-rows.ts';
import { durationOr, type Targets } from './targets.ts';

export interface CampaignSettings
  extends Pick<UpdateSettings, 'database' | 'publish' | 'repository' | 'log' | 'now' | 'random'> {
  orders: OrderService;
  targets: Targets;
  stops: StopStore;
  rollout: RolloutSettingsStore;
  tell(what: string, data: Record<string, unknown>): void;
  /** Whether the catalog in force says that a release is withdrawn. */
  isWithdrawn?(software: string, version: string): boolean;
  /** Whether a campaign with this cause would be started now too. */
  mayRestart?(cause: Cause | undefined): Promise<boolean>;
  /** Called when the stop of a release was lifted. */
  onLifted?(): void;
  /** Records in the audit what started or was halted automatically. */
  audit(
    actor: string,
    method: 'campaigns.create' | 'campaigns.halt',
    params: Record<string, unknown>,
  ): Promise<void>;
}

/** A campaign's printers by state; see the event `tick`. */
export interface Counts {
  targets: number;
  waiting: number;
  underWay: number;
  active: number;
  stopped: number;
  withdrawn: number;
  busy: number;
  cancelled: number;
  givenUp: number;
  /** Canaries that have been away for long with an order that they have not begun. */
  away: number;
}

const NO_COUNTS: Counts = {
  targets: 0,
  waiting: 0,
  underWay: 0,
  active: 0,
  stopped: 0,
  withdrawn: 0,
  busy: 0,
  cancelled: 0,
  givenUp: 0,
  away: 0,
};

/** A dispatched printer that was last heard of before $2, with an order that it has not begun. */
const AWAY = `(t.state = 'dispatched' AND e.ended_at IS NULL AND e.state IN ('offered', 'accepted', 'deferred')
  AND NOT e.record ? 'cancel' AND p.online IS FALSE AND greatest(e.created_at, p.last_seen) < $2)`;

/** Stores an observation. @returns false if it was stored before */
async function stored(
  query: Query,
  id: string,
  seen: Extract<Observation, { kind: 'beside' | 'own' }>,
): Promise<boolean> {
  const [table, column, value] =
    seen.kind === 'beside'
      ? ['campaign_events', 'runs_it', seen.runsIt]
      : ['campaign_compared', 'after', seen.after];
  const inserted = await query(
    `INSERT INTO ${table} (campaign, code, printer, ${column}) VALUES ($1, $2, $3, $4)
     ON CONFLICT DO NOTHING RETURNING printer`,
    [id, seen.code, seen.printer, value],
  );
  return inserted.length > 0;
}

export class CampaignHand {
  readonly #settings: CampaignSettings;
  readonly #watch: CampaignCodes;

  constructor(settings: CampaignSettings, watch: CampaignCodes) {
    this.#settings = settings;
    this.#watch = watch;
  }

  /** Takes in the outcomes of orders since the last look. */
  async takeOutcomes(query: Query, row: CampaignRow): Promise<{ record: CampaignRecord; stopped: string[] }> {
    const changed = await query<{
      printer: string;
      execution: string;
      releases: string[];
      plan: ExecutionPlan;
      exposure: number | null;
      tries: number;
      /** It had an outcome before and is retried. */
      told: boolean;
      state: Execution['state'];
      record: Execution;
      ended: boolean;
    }>(
      `SELECT t.printer, t.execution, t.releases, t.exposure, t.tries, t.ended IS NOT NULL AS told, e.state, e.record, e.plan,
              e.ended_at IS NOT NULL AS ended
       FROM campaign_targets t JOIN executions e ON e.id = t.execution
       WHERE t.campaign = $1 AND t.state = 'dispatched'
         AND (e.ended_at IS NOT NULL OR (t.exposure IS NULL AND e.state IN ('installing', 'self-testing', 'claimed')))
       ORDER BY e.updated_at, t.printer`,
      [row.id],
    );
    let { record } = row;
    if (changed.length === 0) return { record, stopped: [] };
    const ledger = await LedgerEdit.open(
      query,
      // A person who tolerates more failures than usual decides for this campaign only.
      isTolerant(row) ? [] : changed.flatMap(({ releases }) => releases),
      changed.map(({ execution }) => execution),
    );
    const failed = new Set<string>();
    const happen = (event: CampaignEvent) => {
      record = campaignTransition(record, event).campaign;
    };
    for (const {
      printer,
      state,
      record: execution,
      plan,
      releases,
      ended,
      tries,
      told,
      ...each
    } of changed) {
      const outcome = ended ? outcomeOf(state, execution.error?.code, execution.suspectedBrick) : undefined;
      let exposure = each.exposure === null ? null : Number(each.exposure);
      if (exposure === null && (outcome !== undefined || !ended)) {
        exposure = record.guard.exposed;
        happen({ type: 'exposed' });
        ledger.expose(releases, each.execution);
        this.#watch.changing(row.id, printer);
      }
      if (!ended) {
        await query('UPDATE campaign_targets SET exposure = $3 WHERE campaign = $1 AND printer = $2', [
          row.id,
          printer,
          exposure,
        ]);
        continue;
      }
      // A printer that started to install and ended inconclusively must not hold up the outcomes after it.
      // A retried printer keeps its number and first outcome: it is no new evidence.
      const failing = outcome === undefined ? null : outcome === 'bad';
      const isKnown = exposure !== null && isTold(record.guard, exposure);
      if (exposure !== null) happen({ type: 'outcome', exposure, failed: failing });
      if (exposure !== null) this.#watch.changed(row.id, printer, outcome === 'good');
      const blamed = failing && blamedReleases(plan, execution);
      ledger.feed(releases, each.execution, blamed);
      for (const release of blamed || []) failed.add(release);
      if (execution.suspectedBrick) happen({ type: 'brick', printer });
      // A cancelled or outdated order is replaced, unless the campaign is over.
      const again =
        // A printer that rejected a correction would reject it again; a changed misfit gets a new verdict.
        (state === 'cancelled' || (state === 'rejected' && row.request.misfit === undefined)) &&
        (exposure === null || told) &&
        tries < TARGET_TRIES_MAX &&
        record.state !== 'aborted';
      if (again) happen({ type: 'withdrawn', count: 1 });
      else if (outcome === undefined && record.state !== 'aborted') {
        happen({ type: 'unrelated', why: execution.error?.code ?? state });
        // It used up a place without giving evidence: another printer may have it.
        if (exposure === null) happen({ type: 'withdrawn', count: 1 });
      }
      // While it runs, dispatch judges it again: another release may be right for it.
      const gone = again && record.state !== 'running' ? withdrawnOf(releases, record) : undefined;
      await query(
        `UPDATE campaign_targets SET state = $3, exposure = $4, outcome = CASE WHEN $9 THEN outcome ELSE $5 END,
           ended = $6, tries = $7, runs_since = $8, reason = $10, why = $11
         WHERE campaign = $1 AND printer = $2`,
        [
          row.id,
          printer,
          gone === undefined ? (again ? 'waiting' : 'ended') : 'excluded',
          exposure,
          outcome ?? null,
          state,
          // An order that was withdrawn doesn't count as a try.
          state === 'rejected' ? tries + 1 : tries,
          outcome === 'good' ? new Date(this.#settings.now()) : null,
          isKnown,
          gone === undefined ? null : 'withdrawn',
          gone ?? null,
        ],
      );
    }
    await ledger.write(query);
    const stopped: string[] = [];
    for (const { release, evidence } of ledger.changed()) {
      const harm = harmOf(evidence);
      if (harm === undefined || !(await this.#stopRelease(query, row, release, harm, failed.has(release))))
        continue;
      stopped.push(release);
      happen({ type: 'halt', reason: `${release}: ${harm}` });
    }
    return { record, stopped };
  }

  /**
   * Stores a stop for a harmful release.
   * @param failed it failed in this look: a stop that this campaign may ignore is then not enough
   * @returns false if a stop holds already
   */
  async #stopRelease(
    query: Query,
    row: CampaignRow,
    release: string,
    reason: string,
    failed: boolean,
  ): Promise<boolean> {
    const { stops, now } = this.#settings;
    const held = (await stops.held()).filter(
      ({ kind, releases }) => kind === 'guard' && releases.includes(release),
    );
    const cause = causeOf(row);
    const asked = { releases: [release], stratum: '', cause, ruleSince: await stops.sinceOf(cause) };
    if (held.length > 0 && (!failed || stopFor(held, asked) !== undefined)) return false;
    await stops.add(query, {
      kind: 'guard',
      releases: [release],
      campaign: row.id,
      cause,
      reason,
      by: 'guard',
      at: now(),
    });
    return true;
  }

  /** Takes in error codes seen since the last look. */
  async takeEvents(query: Query, id: string, before: CampaignRecord): Promise<CampaignRecord> {
    let record = before;
    const happen = (event: CampaignEvent) => {
      record = campaignTransition(record, event).campaign;
    };
    for (const seen of this.#watch.take(id)) {
      if (seen.kind === 'changed') happen({ type: 'changed', paired: seen.paired });
      else if (seen.kind === 'draw' || (await stored(query, id, seen))) happen({ type: 'observed', seen });
    }
    return record;
  }

  /** Announces new findings from error codes. */
  tellFindings(id: string, before: CampaignRecord, record: CampaignRecord): void {
    for (const finding of record.findings.slice(before.findings.length)) {
      const { says, ...what } = finding;
      this.#settings.log.warn({ campaign: id, ...what }, says);
      this.#settings.tell('finding', { campaign: id, ...finding });
    }
  }

  /** Records a halt by the center in the audit. */
  auditHalt(row: CampaignRow, { reason = '' }: CampaignRecord): Promise<void> {
    const cause = causeDocument(causeOf(row));
    return this.#settings.audit('guard', 'campaigns.halt', { campaign: row.id, reason, cause });
  }

  /** Counts a campaign's printers by state. */
  async counts(query: Query, id: string): Promise<Counts> {
    const [row] = await query<Counts>(
      `SELECT count(*) FILTER (WHERE t.state <> 'excluded')::int AS targets,
              count(*) FILTER (WHERE t.state = 'excluded' AND t.reason = 'stopped')::int AS stopped,
              count(*) FILTER (WHERE t.state = 'excluded' AND t.reason = 'withdrawn')::int AS withdrawn,
              count(*) FILTER (WHERE t.state = 'excluded' AND t.reason = 'busy')::int AS busy,
              count(*) FILTER (WHERE t.state = 'waiting')::int AS waiting,
              count(*) FILTER (WHERE t.state = 'dispatched')::int AS "underWay",
              count(*) FILTER (WHERE t.state = 'dispatched' AND e.record ? 'cancel')::int AS cancelled,
              count(*) FILTER (WHERE t.state = 'dispatched' AND ${GIVEN_UP})::int AS "givenUp",
              count(*) FILTER (WHERE ${AWAY})::int AS away,
              count(*) FILTER (WHERE t.state = 'dispatched' AND (e.state IN ('installing', 'self-testing', 'claimed')
                OR e.ended_at IS NOT NULL OR (e.state <> 'deferred' AND p.online IS NOT FALSE)))::int AS active
       FROM campaign_targets t LEFT JOIN executions e ON e.id = t.execution LEFT JOIN printers p ON p.id = t.printer
       WHERE t.campaign = $1`,
      [id, new Date(this.#settings.now() - CANARY_AWAY_MS)],
    );
    return row ?? NO_COUNTS;
  }

  /**
   * Cancels the orders of canaries that have been away for long, so that other printers can take their places. A printer
   * that comes back gets another order when its turn comes.
   * @returns when to look again, in ms
   */
  async replaceAway(
    id: string,
    { state, stage }: CampaignRecord,
    counts: Omit<Counts, 'targets'>,
  ): Promise<number | undefined> {
    if (state !== 'running' || stage !== 'canaries' || counts.waiting === 0) return undefined;
    if (counts.away === 0) return counts.underWay > 0 && counts.active === 0 ? AWAY_LOOK_MS : undefined;
    const { database, orders, now } = this.#settings;
    const rows = await database.query<{ execution: string }>(
      `SELECT t.execution FROM campaign_targets t JOIN executions e ON e.id = t.execution JOIN printers p ON p.id = t.printer
       WHERE t.campaign = $1 AND ${AWAY}`,
      [id, new Date(now() - CANARY_AWAY_MS)],
    );
    const why = 'it stayed away, and another printer takes its place';
    await Promise.all(rows.map(({ execution }) => orders.cancel(execution, why)));
    return 0;
  }

  /** Takes back printers that were busy with another campaign or order and are free now. */
  async takeFreed(query: Query, row: CampaignRow): Promise<void> {
    const { targets } = this.#settings;
    const busy = await busyTargets(query, row.id);
    const candidates = await targets.named(busy.map(({ printer }) => printer));
    const considered = new Map(
      (await targets.consider(candidates, row.request, row.id)).map((each) => [each.printer, each]),
    );
    const { withdrawn: gone = {} } = row.record;
    await reviseTargets(query, row.id, busy, considered, (release) => gone[release]);
  }

  /** Drops printers whose release was stopped since they were considered; the next look leaves them out. */
  async #unstopped(query: Query, row: CampaignRow, applicants: Applicant[]): Promise<Applicant[]> {
    const { stops } = this.#settings;
    const held = await stops.held(query);
    if (held.length === 0) return applicants;
    const cause = causeOf(row);
    const ruleSince = await stops.sinceOf(cause);
    return applicants.filter(
      ({ releases, stratum }) => stopFor(held, { releases, stratum, cause, ruleSince }) === undefined,
    );
  }

  /** How many waiting printers have an order of another campaign. */
  async #heldByOthers(query: Query, id: string): Promise<number> {
    const [row] = await query<{ n: number }>(
      `SELECT count(*)::int AS n FROM executions e JOIN campaign_targets t ON t.printer = e.printer
       WHERE e.ended_at IS NULL AND t.campaign = $1 AND t.state = 'waiting'`,
      [id],
    );
    return row?.n ?? 0;
  }

  /** The next printers of the draw without an order, and some spare ones. */
  async #next(query: Query, row: CampaignRow, wanted: number): Promise<RevisedTarget[]> {
    const pick = (where: string, limit: number, first = '') =>
      query<RevisedTarget>(
        `SELECT t.printer, t.releases FROM campaign_targets t LEFT JOIN printers p ON p.id = t.printer
         LEFT JOIN executions e ON e.printer = t.printer AND e.ended_at IS NULL
         WHERE t.campaign = $1 AND t.state = 'waiting' AND e.id IS NULL AND ${where}
         ORDER BY ${first} t.place, t.printer LIMIT $2`,
        [row.id, limit],
      );
    const spare = wanted + DISPATCH_SPARE;
    if (row.record.stage !== 'canaries') return pick('true', spare);
    const next = await pick('p.online', spare);
    if (next.length > 0) return next;
    // If none is online, the printer seen last gets an order and finds it when it returns.
    const [out] = await query<{ n: number }>(
      "SELECT count(*)::int AS n FROM campaign_targets WHERE campaign = $1 AND state = 'dispatched'",
      [row.id],
    );
    return out?.n === 0 ? pick('p.online IS NOT TRUE', 1, 'p.last_seen DESC NULLS LAST,') : [];
  }

  /** Dispatches orders to the next printers of the draw, planned for their current structure, within the fleet's bounds. */
  async dispatch(
    client: PoolClient,
    row: CampaignRow,
    count: number,
  ): Promise<{ created: ExecutionRow[]; waits: Record<string, number> }> {
    const { targets, orders, repository, rollout, now, random = Math.random } = this.#settings;
    const query = queryOf(client);
    const { options } = row.request;
    const wanted = Math.min(count, CAMPAIGN_DISPATCH_MAX);
    const next = await this.#next(query, row, wanted);
    const held = next.length < wanted ? await this.#heldByOthers(query, row.id) : 0;
    const busy: Record<string, number> = held > 0 ? { busy: held } : {};
    if (next.length === 0) return { created: [], waits: busy };
    const candidates = new Map(
      (await targets.named(next.map(({ printer }) => printer))).map((each) => [each.printer, each]),
    );
    const considered = new Map(
      (await targets.consider([...candidates.values()], row.request, row.id)).map((each) => [
        each.printer,
        each,
      ]),
    );
    const applicants: Applicant[] = [];
    const others: RevisedTarget[] = [];
    for (const target of next) {
      const { printer } = target;
      const each = considered.get(printer);
      const candidate = candidates.get(printer);
      if (each?.kind !== 'target' || !candidate) {
        others.push(target);
        continue;
      }
      const { online, site, labels } = candidate;
      const { stratum, releases } = each;
      applicants.push({ printer, online, stratum, releases, site, pool: labels['pool'] });
    }
    const { withdrawn: gone = {} } = row.record;
    await reviseTargets(query, row.id, others, considered, (release) => gone[release]);
    await lockDispatch(query);
    const allowed = await this.#unstopped(query, row, applicants);
    const at = now();
    const { pace, stage } = row.record;
    const { admitted, waits } = withinBounds(allowed, wanted, await fleetLoad(query, row.id, allowed, at), {
      ...(await rollout.get()).dispatch,
      unproven: Math.max(pace.canariesAtOnce, stage === 'waves' ? (options?.wave ?? 0) : 0),
      growth: Math.max(pace.growth, DEFAULT_PACE.growth),
    });
    const spreadMs = durationOr(options?.spread, 0);
    const deadlineAt = at + durationOr(options?.deadline, ORDER_MS_DEFAULT);
    const planned = [];
    for (const { printer } of admitted) {
      const each = considered.get(printer);
      if (each?.kind !== 'target') continue;
      const steps = orderSteps(each.structure, each.remedy, (software, version) =>
        repository.target(software, version),
      );
      if (!steps.ok) continue;
      planned.push({
        id: randomUUID(),
        printer,
        campaign: row.id,
        ...(row.request.trouble === undefined ? {} : { trouble: row.request.trouble }),
        at,
        deadlineAt,
        plan: {
          steps: steps.steps,
          structure: { session: each.structure.session, revision: each.structure.revision },
          cause: causeDocument(causeOf(row)),
          ...(options?.window === undefined ? {} : { window: options.window }),
          ...(spreadMs > 0 ? { notBefore: at + Math.floor(random() * spreadMs) } : {}),
        },
      });
    }
    // A printer that got another order meanwhile gets none and keeps waiting.
    const created = await orders.store.create(planned, client);
    await query(
      `UPDATE campaign_targets t
       SET state = 'dispatched', execution = n.execution, releases = string_to_array(n.releases, E'\\n')
       FROM unnest($2::text[], $3::text[], $4::text[]) AS n(printer, execution, releases)
       WHERE t.campaign = $1 AND t.printer = n.printer`,
      [
        row.id,
        created.map((each) => each.printer),
        created.map((each) => each.id),
        created.map((each) => releasesOf(each.plan.steps).join('\n')),
      ],
    );
    return { created, waits: { ...waits, ...busy } };
  }
}

/** Why some of these releases were withdrawn, in words; undefined if none was. */
function withdrawnOf(releases: readonly string[], { withdrawn = {} }: CampaignRecord): string | undefined {
  const said = releases
    .filter((release) => withdrawn[release] !== undefined)
    .map((release) => `${release} was withdrawn: ${withdrawn[release]}`);
  return said.length > 0 ? said.join('; ') : undefined;
}

/** Whether a person chose to tolerate more failures than the default. */
function isTolerant({ request }: CampaignRow): boolean {
  return (request.options?.tolerated ?? 0) > DEFAULT_GUARD.tolerated;
}
