/**
 * What is asked of campaigns printer by printer: where each one stands and why nothing happens to it, whom a campaign
 * leaves out, and how the evidence of its guard came about.
 */
import { PlatenError } from '../../../schemas/errors.ts';
import type { CampaignPoint, CampaignTarget, ExcludedPrinter } from '../../../schemas/types.ts';
import { cursorOf, keyOf } from '../../database/page-cursor.ts';
import type { Page, PageRequest } from '../../queries.ts';
import { EXCLUDED_PAGES_MAX } from '../limits.ts';
import type { UpdateDatabase } from '../orders/execution-store.ts';
import type { ExecutionPlan } from '../orders/order-plan.ts';
import type { Execution } from '../orders/order-state.ts';
import { campaignRows } from './campaign-lists.ts';
import type { CampaignRow } from './campaign-view.ts';
import { harmEvidence, harmSeries, isTold } from './guard.ts';
import { campaignWhy, excludedWhy, type TargetNow, targetWhy } from './target-reasons.ts';
import { type CampaignRequest, SharedJudging, type Targets } from './targets.ts';

interface TargetRow {
  printer: string;
  state: TargetNow['state'];
  reason: string | null;
  ended: string | null;
  outcome: 'good' | 'bad' | null;
  exposure: number | null;
  execution: string | null;
  online: boolean | null;
  record: Execution | null;
  plan: ExecutionPlan | null;
  other: string | null;
}

function targetOf(row: TargetRow, { record }: CampaignRow, now: number): CampaignTarget {
  const { printer, state, exposure } = row;
  const online = row.online === true;
  const why = targetWhy(
    {
      state,
      online,
      ...(row.reason === null ? {} : { reason: row.reason }),
      ...(row.ended === null ? {} : { ended: row.ended }),
      ...(row.record ? { order: row.record } : {}),
      ...(row.plan?.notBefore === undefined ? {} : { notBefore: row.plan.notBefore }),
      ...(row.plan?.window === undefined ? {} : { window: row.plan.window }),
      ...(row.other === null ? {} : { otherOrder: row.other }),
    },
    record,
    now,
  );
  const is = state === 'dispatched' ? row.record?.state : state === 'ended' ? row.ended : row.reason;
  return {
    printer,
    state,
    is: is ?? state,
    why,
    online,
    ...(row.execution === null ? {} : { execution: row.execution }),
    ...(row.record?.error === undefined ? {} : { error: row.record.error }),
    ...(exposure === null ? {} : { exposure: Number(exposure) }),
  };
}

export class CampaignQuestions {
  readonly #database: UpdateDatabase;
  readonly #targets: Targets;
  readonly #now: () => number;

  /** @param now the center's clock, in milliseconds since the epoch */
  constructor(database: UpdateDatabase, targets: Targets, now: () => number) {
    this.#database = database;
    this.#targets = targets;
    this.#now = now;
  }

  /** @throws PlatenError request/not-found */
  async #campaign(id: string): Promise<CampaignRow> {
    const [row] = await campaignRows(this.#database, 'id = $1', [id]);
    if (!row) throw new PlatenError('request/not-found', { kind: 'campaign', id });
    return row;
  }

  /**
   * A page of a campaign's printers by id, each with why nothing more happens to it; and why the campaign as a whole goes
   * no further.
   * @throws PlatenError request/not-found
   */
  async targets(
    id: string,
    state: TargetNow['state'] | undefined,
    page: PageRequest,
  ): Promise<Page<CampaignTarget> & { state: string; stage: string; why?: string }> {
    const campaign = await this.#campaign(id);
    const [after = ''] = page.cursor === undefined ? [] : keyOf('campaign targets', page.cursor, ['text']);
    const rows = await this.#database.query<TargetRow>(
      `SELECT t.printer, t.state, t.reason, t.ended, t.outcome, t.exposure, t.execution, p.online, e.record, e.plan,
              CASE WHEN t.state = 'waiting' THEN
                (SELECT o.id FROM executions o WHERE o.printer = t.printer AND o.ended_at IS NULL LIMIT 1) END AS other
       FROM campaign_targets t LEFT JOIN executions e ON e.id = t.execution LEFT JOIN printers p ON p.id = t.printer
       WHERE t.campaign = $1 AND t.printer > $2 AND ($3::text IS NULL OR t.state = $3)
       ORDER BY t.printer LIMIT $4`,
      [id, after, state ?? null, page.limit + 1],
    );
    const now = this.#now();
    const items = rows.slice(0, page.limit).map((row) => targetOf(row, campaign, now));
    const last = items.at(-1);
    const why = campaignWhy(campaign.record);
    return {
      state: campaign.record.state,
      stage: campaign.record.stage,
      ...(why === undefined ? {} : { why }),
      items,
      ...(rows.length > page.limit && last ? { next: cursorOf('campaign targets', [last.printer]) } : {}),
    };
  }

  /** A page of the printers that a campaign left out, by id. @throws PlatenError request/not-found */
  async leftOut(id: string, reason: string | undefined, page: PageRequest): Promise<Page<ExcludedPrinter>> {
    await this.#campaign(id);
    const [after = ''] = page.cursor === undefined ? [] : keyOf('left out', page.cursor, ['text']);
    const rows = await this.#database.query<{ printer: string; reason: string | null }>(
      `SELECT printer, reason FROM campaign_targets
       WHERE campaign = $1 AND state = 'excluded' AND printer > $2 AND ($3::text IS NULL OR reason = $3)
       ORDER BY printer LIMIT $4`,
      [id, after, reason ?? null, page.limit + 1],
    );
    const items = rows.slice(0, page.limit).map(({ printer, reason: code }) => {
      const known = code ?? 'excluded';
      return { printer, reason: known, why: excludedWhy(known) };
    });
    const last = items.at(-1);
    return {
      items,
      ...(rows.length > page.limit && last ? { next: cursorOf('left out', [last.printer]) } : {}),
    };
  }

  /**
   * A page of the printers that a campaign of this kind would leave out. So many printers are looked at for one page
   * that it may hold few, or none, and still not be the last.
   */
  async wouldLeaveOut(
    request: CampaignRequest,
    reason: string | undefined,
    page: PageRequest,
  ): Promise<Page<ExcludedPrinter>> {
    const [at, skip] = page.cursor === undefined ? [] : keyOf('excluded', page.cursor, ['text', 'number']);
    let from = at === '' ? undefined : at;
    let behind = Number(skip ?? 0);
    const items: ExcludedPrinter[] = [];
    const shared = new SharedJudging();
    for (let looked = 0; looked < EXCLUDED_PAGES_MAX; looked++) {
      const { candidates, next } = await this.#targets.candidatePage(request, from, { shared });
      const considered = await this.#targets.consider(candidates, request, undefined, shared);
      for (const [index, each] of considered.entries()) {
        if (index < behind || each.kind !== 'excluded') continue;
        if (reason !== undefined && each.reason !== reason) continue;
        if (items.length === page.limit) return { items, next: cursorOf('excluded', [from ?? '', index]) };
        items.push({ printer: each.printer, reason: each.reason, why: each.why });
      }
      if (next === undefined) return { items };
      from = next;
      behind = 0;
    }
    return { items, next: cursorOf('excluded', [from ?? '', 0]) };
  }

  /**
   * A page of the outcomes that a campaign's guard knows, in the order in which the printers began to install, and the
   * evidence after each: computed anew from the outcomes.
   * @throws PlatenError request/not-found
   */
  async series(
    id: string,
    page: PageRequest,
  ): Promise<Page<CampaignPoint> & { haltAt: number; evidence: number; tolerated: number }> {
    const { guard } = (await this.#campaign(id)).record;
    const [begin = '0'] = page.cursor === undefined ? [] : keyOf('series', page.cursor, ['number']);
    const first = Number(begin);
    const rows = await this.#database.query<{
      exposure: number;
      printer: string;
      outcome: 'good' | 'bad' | null;
      ended: string | null;
    }>(
      `SELECT exposure, printer, outcome, ended FROM campaign_targets
       WHERE campaign = $1 AND exposure < $2 ORDER BY exposure`,
      [id, first + page.limit],
    );
    const known = new Map(rows.map((row) => [Number(row.exposure), row]));
    const end = Math.min(guard.exposed, first + page.limit);
    /** Undefined: not told yet; null: it says nothing of the release. */
    const outcomes = Array.from({ length: end }, (_, exposure) => {
      if (!isTold(guard, exposure)) return undefined;
      const { outcome = null } = known.get(exposure) ?? {};
      return outcome === null ? null : outcome === 'bad';
    });
    const items: CampaignPoint[] = [];
    let exposure = 0;
    for (const evidence of harmSeries(guard.settings, outcomes)) {
      const failed = outcomes[exposure];
      const row = known.get(exposure);
      if (exposure >= first && row) {
        const told = failed === null ? 'neither' : failed ? 'bad' : 'good';
        items.push({
          exposure,
          printer: row.printer,
          outcome: failed === undefined ? 'pending' : told,
          evidence,
          ...(row.ended === null ? {} : { ended: row.ended }),
        });
      }
      exposure++;
    }
    const { alpha, tolerated } = guard.settings;
    return {
      haltAt: 1 / alpha,
      tolerated,
      evidence: harmEvidence(guard),
      items,
      ...(end < guard.exposed ? { next: cursorOf('series', [end]) } : {}),
    };
  }
}
