/**
 * Campaigns that start automatically. The same question (the same misfit and cure, or the same rule and software) always
 * goes to the same campaign. So its evidence holds for printers that come later, and what was stopped stays stopped.
 */
import { SerialByKey } from '../../../base/serial.ts';
import { PlatenError } from '../../../schemas/errors.ts';
import { CANDIDATES_PAGE } from '../limits.ts';
import type { Query } from '../orders/execution-store.ts';
import { queryOf } from '../orders/execution-store.ts';
import type { CampaignSettings } from './campaign-dispatch.ts';
import { type IntakeRow, intake, writeTargets } from './campaign-intake.ts';
import { type CampaignRecord, campaignTransition } from './campaign-state.ts';
import type { CampaignRow } from './campaign-view.ts';
import { type CampaignRequest, PASSING } from './targets.ts';

/** A request by a rule or a verdict that printers get a release. */
export interface Question {
  /** Identifies the question. */
  key: string;
  /** With the printers and the cause. */
  request: CampaignRequest & Required<Pick<CampaignRequest, 'printers' | 'cause'>>;
  /** `propose`: needs approval. */
  mode: 'automatic' | 'propose';
  /** Needs approval even if its campaign is running: it concerns too many printers at once. */
  confirm?: boolean;
}

/** The outcome of a question. */
export interface Answer {
  campaign?: string;
  outcome: 'created' | 'joined' | 'nobody';
  /** Why nobody takes part. */
  why?: string;
}

/** What asks need from the campaigns. */
export interface AskHost {
  create(request: CampaignRequest, by: string, question: string): Promise<{ id: string }>;
  /** Called when printers have joined. */
  joined(id: string, printers: string[], before: CampaignRecord, after: CampaignRecord): Promise<void>;
  save(query: Query, id: string, record: CampaignRecord): Promise<void>;
}

/**
 * The campaign a question goes to; undefined: it needs a new one.
 * @param campaigns the campaigns of this question, newest first
 */
export function hostFor<C extends { state: CampaignRecord['state'] }>(
  campaigns: readonly C[],
  mode: Question['mode'],
  confirm: boolean,
): C | undefined {
  const states: CampaignRecord['state'][] = confirm ? [] : ['running', 'paused', 'halted'];
  // An approval covers the printers it was given for, not later ones.
  if (!confirm && mode === 'automatic') states.push('finished');
  // Printers that come while approval is pending wait for it too.
  return (
    campaigns.find(({ state }) => state === 'proposed') ??
    campaigns.find(({ state }) => states.includes(state))
  );
}

/** How many printers are left out for which reason, in words. */
function reasonsOf(excluded: readonly IntakeRow[]): string {
  const counts = new Map<string, number>();
  for (const { reason } of excluded)
    counts.set(reason ?? 'excluded', (counts.get(reason ?? 'excluded') ?? 0) + 1);
  return [...counts].map(([reason, count]) => `${count} ${reason}`).join(', ');
}

export class CampaignAsks {
  readonly #settings: CampaignSettings;
  readonly #host: AskHost;
  /** Two that ask the same at once must not make two campaigns. */
  readonly #serial = new SerialByKey();

  constructor(settings: CampaignSettings, host: AskHost) {
    this.#settings = settings;
    this.#host = host;
  }

  /** Adds printers to the campaign of a question; the first ask creates it. */
  ask(question: Question, by: string): Promise<Answer> {
    return this.#serial.run(question.key, () => this.#ask(question, by));
  }

  /**
   * Asks again for printers that were left out for a reason that may have passed.
   * @returns whether there were any
   */
  async askAgain(
    id: string,
    request: CampaignRequest & Required<Pick<CampaignRequest, 'cause'>>,
  ): Promise<boolean> {
    const { database } = this.#settings;
    const left = await database.query<{ printer: string }>(
      `SELECT printer FROM campaign_targets WHERE campaign = $1 AND state = 'excluded' AND reason = ANY($2)
       ORDER BY printer`,
      [id, PASSING],
    );
    if (left.length === 0) return false;
    await this.#join(id, { ...request, printers: left.map(({ printer }) => printer) });
    return true;
  }

  async #ask(question: Question, by: string): Promise<Answer> {
    const { key, request, mode, confirm = false } = question;
    const { database } = this.#settings;
    const rows = await database.query<Pick<CampaignRow, 'id'> & { state: CampaignRecord['state'] }>(
      'SELECT id, state FROM campaigns WHERE question = $1 ORDER BY created_at DESC, id DESC LIMIT 20',
      [key],
    );
    const host = hostFor(rows, mode, confirm);
    if (host) return this.#join(host.id, request);
    try {
      const options = { ...request.options, propose: mode === 'propose' || confirm };
      const { id } = await this.#host.create({ ...request, options }, by, key);
      return { campaign: id, outcome: 'created' };
    } catch (error) {
      if (!(error instanceof PlatenError && error.code === 'request/conflict')) throw error;
      // Keep them with the aborted campaign, so that lifting the stop finds them.
      const aborted = rows.find(({ state }) => state === 'aborted');
      if (aborted) await this.#join(aborted.id, request);
      return { ...(aborted ? { campaign: aborted.id } : {}), outcome: 'nobody', why: error.message };
    }
  }

  async #join(id: string, request: Question['request']): Promise<Answer> {
    const { database, targets, random = Math.random } = this.#settings;
    const rows: IntakeRow[] = [];
    for await (const page of intake(targets, this.#pages(request.printers), request, id))
      rows.push(...page.rows);
    const done = await database.transaction(async (client) => {
      const query = queryOf(client);
      const [row] = await query<{ record: CampaignRecord }>(
        'SELECT record FROM campaigns WHERE id = $1 FOR UPDATE',
        [id],
      );
      if (!row) throw new PlatenError('request/not-found', { kind: 'campaign', id });
      const { fresh, back } = await writeTargets(query, id, request, rows, random);
      let { record } = row;
      if (back > 0) record = campaignTransition(record, { type: 'withdrawn', count: back }).campaign;
      if (fresh.length > 0) record = campaignTransition(record, { type: 'reopen' }).campaign;
      if (record !== row.record) await this.#host.save(query, id, record);
      return { fresh, before: row.record, record };
    });
    await this.#host.joined(id, done.fresh, done.before, done.record);
    const excluded = rows.filter(({ state }) => state === 'excluded');
    const held = excluded.length;
    return {
      campaign: id,
      outcome: done.fresh.length > 0 || held < rows.length ? 'joined' : 'nobody',
      ...(held > 0 ? { why: `${held} of ${rows.length} are left out (${reasonsOf(excluded)})` } : {}),
    };
  }

  async *#pages(printers: readonly string[]) {
    for (let at = 0; at < printers.length; at += CANDIDATES_PAGE) {
      yield await this.#settings.targets.named(printers.slice(at, at + CANDIDATES_PAGE));
    }
  }
}
