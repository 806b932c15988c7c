/**
 * Runs campaigns. Every decision follows from the database, read under a lock on the campaign's row; events only trigger a
 * look. So a kill at any moment loses nothing, and looking twice is harmless.
 */

import { randomInt, randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { seededRandom } from '../../../base/random.ts';
import { PlatenError, reasonOf } from '../../../schemas/errors.ts';
import { fleetTopic } from '../../../schemas/topics.ts';
import type { Campaign, LogEntry } from '../../../schemas/types.ts';
import type { Conclusion } from '../../conclusions.ts';
import type { Gone, Page, PageRequest } from '../../queries.ts';
import { authorOf, causeDocument } from '../cause.ts';
import { CAMPAIGN_PUBLISH_MS, CAMPAIGN_RESCAN_MS, CAMPAIGN_TARGETS_MAX } from '../limits.ts';
import { type ExecutionRow, type Query, queryIn, queryOf } from '../orders/execution-store.ts';
import { isTouched } from '../orders/order-state.ts';
import { type Answer, CampaignAsks, type Question } from './campaign-asks.ts';
import { CampaignCodes, isOver } from './campaign-codes.ts';
import { CampaignHand, type CampaignSettings } from './campaign-dispatch.ts';
import { type IntakeRow, intake, joinMatching, leave, recordFor, writeTargets } from './campaign-intake.ts';
import {
  CAMPAIGN_COLUMNS,
  type CampaignFilter,
  campaignPrinters,
  campaignRows,
  campaignsWaitingFor,
  countRunning,
  listCampaigns,
} from './campaign-lists.ts';
import { CampaignLooks } from './campaign-looks.ts';
import { type Preview, previewOf } from './campaign-preview.ts';
import { CampaignQuestions } from './campaign-questions.ts';
import { retryFailed } from './campaign-retry.ts';
import { type CampaignEvent, type CampaignRecord, campaignTransition } from './campaign-state.ts';
import { rememberStop } from './campaign-stops.ts';
import { type CampaignRow, campaignDocument, causeOf } from './campaign-view.ts';
import { drawPlaces } from './draw.ts';
import { checkCount } from './expected-count.ts';
import { PresenceDays } from './presence-days.ts';
import { forgetEvidence } from './release-ledger-store.ts';
import { type CorrectionMode, type RolloutSettingsStore, ruleMode } from './rollout-settings.ts';
import { SpacedCalls } from './spaced-calls.ts';
import { StopStore, type StopView, stopView } from './stop-store.ts';
import { type CampaignRequest, type TargetSources, Targets } from './targets.ts';
import { withdrawCampaign, withdrawReleases } from './withdrawals.ts';
import { WithdrawnReleases } from './withdrawn-releases.ts';

export class Campaigns {
  readonly #settings: CampaignSettings;
  readonly #log: Logger;
  readonly #watch: CampaignCodes;
  readonly #presence: PresenceDays;
  readonly #hand: CampaignHand;
  readonly #asks: CampaignAsks;
  /** Questions about single printers of campaigns. */
  readonly questions: CampaignQuestions;
  /** How far rules and verdicts may go without approval. */
  readonly rollout: RolloutSettingsStore;
  readonly #looks = new CampaignLooks((id) => this.#lookSafely(id));
  readonly #publishing: SpacedCalls;
  readonly #withdrawn: WithdrawnReleases;

  constructor(settings: CampaignSettings) {
    this.#settings = settings;
    this.#log = settings.log;
    this.questions = new CampaignQuestions(settings.database, settings.targets, settings.now);
    this.#watch = new CampaignCodes(settings.now);
    this.#presence = new PresenceDays(settings);
    this.#hand = new CampaignHand(settings, this.#watch);
    this.#publishing = new SpacedCalls(CAMPAIGN_PUBLISH_MS, settings.now, (id) =>
      this.#publish(id).catch((error: unknown) =>
        this.#log.warn({ campaign: id, reason: reasonOf(error) }, 'a campaign was not published'),
      ),
    );
    this.rollout = settings.rollout;
    this.#asks = new CampaignAsks(settings, {
      create: (request, by, question) => this.create(request, by, question),
      save: (query, id, record) => this.#save(query, id, record),
      joined: (id, printers, before, after) => this.#joined(id, printers, before, after),
    });
    this.#withdrawn = new WithdrawnReleases(settings, {
      save: (query, id, record) => this.#save(query, id, record),
      soon: (id) => this.#looks.soon(id),
    });
    settings.orders.onCampaignNudge((id) => this.#rescan(id));
    settings.repository.onReloaded(() => this.#withdrawn.look());
  }

  async start(): Promise<void> {
    this.#looks.start();
    await this.#presence.start(() => {
      for (const id of this.#watch.campaigns) this.#looks.soon(id);
    });
    const watched =
      "state IN ('running', 'paused', 'halted') OR (state = 'finished' AND (record->>'watchUntil')::float8 > $1)";
    for (const row of await this.#rows(watched, [this.#settings.now()])) {
      await this.#watch.load(row.id, this.#settings.database);
      this.#looks.soon(row.id);
      this.#schedule(row);
    }
    this.#withdrawn.start();
  }

  async stop(): Promise<void> {
    this.#presence.stop();
    this.#publishing.stop();
    await this.#withdrawn.stop();
    await this.#looks.stop();
  }

  /**
   * What a campaign with this request would do now.
   * @param signal aborted when the caller has gone
   */
  preview(request: CampaignRequest, signal?: Gone): Promise<Preview> {
    return previewOf(this.#settings.targets, request, signal);
  }

  /** Adds printers to the campaign of a question; the first ask creates it. */
  ask(question: Question): Promise<Answer> {
    return this.#asks.ask(question, authorOf(question.request.cause));
  }

  /**
   * Creates a campaign for the printers that match now.
   * @throws PlatenError request/conflict when no printer takes part
   */
  async create(request: CampaignRequest, by: string, question?: string): Promise<Campaign> {
    const { database, targets, now } = this.#settings;
    const id = randomUUID();
    const seed = request.options?.seed ?? randomInt(2 ** 32);
    const rows: IntakeRow[] = [];
    let fine = 0;
    for await (const page of intake(targets, targets.candidates(request), request, id)) {
      fine += page.fine;
      rows.push(...page.rows);
      if (rows.length > CAMPAIGN_TARGETS_MAX) {
        throw new PlatenError('request/invalid', {
          reason: `more than ${CAMPAIGN_TARGETS_MAX} printers match: divide the campaign by a filter`,
        });
      }
    }
    const waiting = rows.filter((row) => row.state === 'waiting');
    if (waiting.length === 0) {
      const stopped = rows.filter(({ reason }) => reason === 'stopped').length;
      const withdrawn = rows.filter(({ reason }) => reason === 'withdrawn').length;
      const excluded =
        (rows.length > 0 ? `, ${rows.length} are left out (campaigns.preview says why)` : '') +
        (stopped > 0 ? `; for ${stopped} the release was stopped (releases.release lifts that)` : '') +
        (withdrawn > 0 ? `; for ${withdrawn} the release was withdrawn` : '');
      throw new PlatenError('request/conflict', {
        reason: `No printer takes part: ${fine} have nothing to do${excluded}`,
      });
    }
    checkCount(request, waiting.length);
    const places = drawPlaces(rows, seededRandom(seed));
    const record = recordFor(waiting.length, request.options);
    await database.transaction(async (client) => {
      await client.query(
        `INSERT INTO campaigns (id, state, record, request, seed, created_at, updated_at, created_by, question)
         VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8)`,
        [
          id,
          record.state,
          JSON.stringify(record),
          JSON.stringify(request),
          seed,
          new Date(now()),
          by,
          question ?? null,
        ],
      );
      await writeTargets(queryOf(client), id, request, rows, (printer) => places.get(printer) ?? 1);
    });
    await this.#watch.load(id, database);
    this.#settings.tell('created', {
      campaign: id,
      targets: waiting.length,
      state: record.state,
      by,
      cause: causeDocument(request.cause ?? { kind: 'person', by }),
    });
    if (request.cause !== undefined && request.cause.kind !== 'person') {
      const cause = causeDocument(request.cause);
      const { state } = record;
      await this.#settings.audit(by, 'campaigns.create', {
        campaign: id,
        targets: waiting.length,
        state,
        cause,
      });
    }
    const [row] = await this.#rows('id = $1', [id]);
    if (row) this.#schedule(row);
    this.#looks.soon(id);
    await this.#publish(id);
    return this.get(id);
  }

  async pause(id: string, by: string): Promise<Campaign> {
    return this.#request(id, by, { type: 'pause', reason: `paused by ${by}` });
  }

  /**
   * Resumes a proposed or paused campaign; with a reason also a halted or aborted one, which lifts its stop and starts again
   * with canaries. `retry`: printers that failed leave quarantine and get another order.
   */
  async resume(
    id: string,
    by: string,
    { retry = false, reason }: { retry?: boolean; reason?: string } = {},
  ): Promise<Campaign> {
    await this.#checkReason(id, reason);
    if (retry) await retryFailed(this.#settings, id, by);
    if (reason !== undefined) await this.#lift(id, by, reason);
    const at = this.#settings.now();
    return this.#request(id, by, { type: 'lift' }, { type: 'resume', at }, { type: 'start' });
  }

  /**
   * Queues another order for printers that failed: these, or all. The evidence they gave stands. A finished campaign
   * continues.
   * @throws PlatenError request/not-found, request/conflict
   */
  async retry(id: string, by: string, printers?: readonly string[]): Promise<string[]> {
    await this.#checkReason(id, undefined);
    const { state } = await this.get(id);
    const tried = await retryFailed(this.#settings, id, by, printers);
    if (state === 'finished') {
      await this.#watch.load(id, this.#settings.database);
      await this.#request(id, by, { type: 'resume', at: this.#settings.now() });
    }
    this.#looks.soon(id);
    this.#publishing.soon(id);
    return tried;
  }

  /** Resuming a stopped campaign needs a reason. @throws PlatenError request/conflict */
  async #checkReason(id: string, reason: string | undefined): Promise<void> {
    const [row] = await this.#rows('id = $1', [id]);
    if (!row) throw new PlatenError('request/not-found', { kind: 'campaign', id });
    const { state } = row.record;
    if (reason === undefined && (state === 'halted' || state === 'aborted')) {
      throw new PlatenError('request/conflict', {
        reason: `The campaign is ${state}: to resume it, say "reason", which lifts the stop`,
      });
    }
  }

  async abort(id: string, by: string): Promise<Campaign> {
    return this.#request(id, by, { type: 'abort', reason: `aborted by ${by}` });
  }

  /** What a rule may start without approval. */
  async ruleMode(rule: string, auto: boolean): Promise<CorrectionMode> {
    return ruleMode(await this.rollout.get(), rule, auto);
  }

  /** New rules are in force. A rule whose meaning or remedy changed is a new question. */
  noteRules(rules: readonly { rule: string; question: string }[]): Promise<void> {
    return this.#settings.stops.noteRules(rules, this.#settings.now());
  }

  /** Stops in force. */
  async stops(): Promise<StopView[]> {
    return (await this.#settings.stops.held()).map(stopView);
  }

  /**
   * Lifts the stops of a release. Campaigns that started automatically and were halted start again with canaries.
   * @throws PlatenError request/not-found when no stop of the release holds
   */
  async release(release: string, by: string, reason: string): Promise<StopView[]> {
    const { database, stops, now, tell } = this.#settings;
    const lifted = await database.transaction(async (client) => {
      const query = queryOf(client);
      const those = await stops.lift(query, { release }, { by, reason, at: now() });
      await forgetEvidence(query, [release, ...those.flatMap((stop) => stop.releases)]);
      return those;
    });
    if (lifted.length === 0) throw new PlatenError('request/not-found', { kind: 'stop of', id: release });
    tell('released', { release, by, reason, stops: lifted.map(stopView) });
    const halted = await this.#rows(
      `(id = ANY($1) OR state = 'halted' AND EXISTS (SELECT 1 FROM campaign_targets t
         WHERE t.campaign = campaigns.id AND (t.releases && $2 OR t.reason = 'stopped')))
       AND state IN ('halted', 'aborted') AND request->'cause'->>'kind' IN ('rule', 'verdict')`,
      [lifted.flatMap(({ campaign }) => campaign ?? []), lifted.flatMap((stop) => stop.releases)],
    );
    for (const { id, request } of halted) {
      if ((await this.#settings.mayRestart?.(request.cause)) === false) continue;
      await this.#request(id, by, { type: 'lift' });
      await this.#rescan(id);
    }
    this.#settings.onLifted?.();
    return lifted.map(stopView);
  }

  async #lift(id: string, by: string, reason: string): Promise<void> {
    const { database, stops, now, tell } = this.#settings;
    const lifted = await database.transaction(async (client) => {
      const query = queryOf(client);
      // Numbers, outcomes and observed codes belong to the evidence that is dropped.
      for (const table of ['campaign_events', 'campaign_compared'])
        await query(`DELETE FROM ${table} WHERE campaign = $1`, [id]);
      await query('UPDATE campaign_targets SET exposure = NULL, outcome = NULL WHERE campaign = $1', [id]);
      const those = await stops.lift(query, { campaign: id }, { by, reason, at: now() });
      await forgetEvidence(
        query,
        those.flatMap((stop) => stop.releases),
      );
      return those;
    });
    if (lifted.length > 0) tell('released', { campaign: id, by, reason, stops: lifted.map(stopView) });
  }

  /** @throws PlatenError request/not-found */
  async get(id: string): Promise<Campaign> {
    const [row] = await this.#rows('id = $1', [id]);
    if (!row) throw new PlatenError('request/not-found', { kind: 'campaign', id });
    return campaignDocument(this.#settings.database, row);
  }

  /** A page of campaigns, newest first. */
  list(filter: CampaignFilter, page: PageRequest): Promise<Page<Campaign>> {
    return listCampaigns(this.#settings.database, filter, page);
  }

  /** A page of a campaign's printers with the outcome of each. */
  printers(id: string, limit: number, after = ''): Promise<Record<string, unknown>[]> {
    return campaignPrinters(this.#settings.database, id, limit, after);
  }

  /** A printer left the fleet: campaigns in which it waits go on without it. */
  async onLeft(printer: string, reason: 'retired' | 'revoked' | 'removed'): Promise<void> {
    const rows = await leave(queryIn(this.#settings.database), printer, reason);
    for (const { campaign } of rows) this.#looks.soon(campaign);
  }

  /** Forgets a removed printer: its id may be given to another one. */
  onRemoved(printer: string): void {
    this.#watch.forgetPrinter(printer);
  }

  /** Settles the orders that campaigns had out for a removed printer, whose records have this name now. */
  async settleRemoved(name: string): Promise<void> {
    for (const id of await campaignsWaitingFor(this.#settings.database, name)) this.#looks.soon(id);
  }

  /** Number of running campaigns, for the fleet's summary. */
  running(): Promise<number> {
    return countRunning(this.#settings.database);
  }

  /** Acts on what other parts concluded. */
  hear(conclusion: Conclusion): void {
    switch (conclusion.kind) {
      case 'entries':
        this.onEntries(conclusion.printer, conclusion.entries);
        break;
      case 'presence':
        this.#watch.presence(conclusion.printer, conclusion.online);
        break;
      case 'order':
        this.#changed(conclusion.row);
        break;
      case 'catalog':
        this.onReleases();
        break;
    }
  }

  /** What printers report of errors: the first of each code on each printer counts. */
  onEntries(printer: string, entries: readonly LogEntry[]): void {
    for (const id of this.#watch.sight(printer, entries)) this.#looks.soon(id);
  }

  #rows(where: string, values: unknown[] = []): Promise<CampaignRow[]> {
    return campaignRows(this.#settings.database, where, values);
  }

  #changed(row: ExecutionRow): void {
    if (row.campaign === undefined) return;
    // Immediately: from now on it no longer counts as a printer without the release.
    if (isTouched(row.execution.state)) this.#watch.changing(row.campaign, row.printer);
    this.#publishing.soon(row.campaign);
    if (isTouched(row.execution.state) || row.execution.endedAt !== undefined) this.#looks.soon(row.campaign);
  }

  /** Queues a nudge to look for printers that match by then. */
  #schedule(row: Pick<CampaignRow, 'id' | 'request'>): void {
    if (row.request.options?.join === false) return;
    this.#settings.orders.queue
      .add([
        {
          nudge: { kind: 'campaign', id: row.id },
          jobId: `campaign-${row.id}-${Math.floor(this.#settings.now() / CAMPAIGN_RESCAN_MS)}`,
          delayMs: CAMPAIGN_RESCAN_MS,
        },
      ])
      .catch((error: unknown) => this.#log.warn({ reason: reasonOf(error) }, 'a campaign was not nudged'));
  }

  /** Adds printers that match now, or whose reason to be left out has passed. */
  async #rescan(id: string): Promise<void> {
    const [row] = await this.#rows(
      "id = $1 AND (state IN ('running', 'paused') OR state = 'finished' AND question IS NOT NULL)",
      [id],
    );
    if (!row) return;
    const { database, targets, random = Math.random } = this.#settings;
    const { cause } = row.request;
    if (cause !== undefined && cause.kind !== 'person') {
      const waits = await this.#asks.askAgain(id, { ...row.request, cause });
      if (waits || row.record.state !== 'finished') this.#schedule(row);
      return;
    }
    await joinMatching(queryIn(database), targets, row, random, (fresh) =>
      this.#watch.add(id, fresh, database),
    );
    this.#looks.soon(id);
    this.#schedule(row);
  }

  /** Handles printers that have joined a campaign. */
  async #joined(
    id: string,
    printers: string[],
    before: CampaignRecord,
    after: CampaignRecord,
  ): Promise<void> {
    if (printers.length === 0) return;
    const [row] = await this.#rows('id = $1', [id]);
    if (before.state === 'finished') {
      await this.#watch.load(id, this.#settings.database);
      if (row) this.#tellState(row, after);
    } else await this.#watch.add(id, printers, this.#settings.database);
    this.#looks.soon(id);
    this.#publishing.soon(id);
    if (row) this.#schedule(row);
  }

  /** Applies an operator's events. @throws PlatenError request/not-found, request/conflict */
  async #request(id: string, by: string, ...events: CampaignEvent[]): Promise<Campaign> {
    const { database, stops, now } = this.#settings;
    const { row, record, before } = await database.transaction(async (client) => {
      const query = queryOf(client);
      const [row] = await query<CampaignRow>(
        `SELECT ${CAMPAIGN_COLUMNS} FROM campaigns WHERE id = $1 FOR UPDATE`,
        [id],
      );
      if (!row) throw new PlatenError('request/not-found', { kind: 'campaign', id });
      const record = events.reduce((now, event) => campaignTransition(now, event).campaign, row.record);
      if (record === row.record) {
        throw new PlatenError('request/conflict', { reason: `The campaign is ${record.state}` });
      }
      await this.#save(query, id, record);
      await rememberStop(query, stops, row, record, { by, at: now() });
      return { row, record, before: row.record.state };
    });
    // A campaign that is over isn't watched, and a lifted stop starts with new evidence.
    if (['aborted', 'finished', 'halted'].includes(before)) await this.#watch.load(id, database);
    this.#tellState(row, record);
    // Reply only when no order of it can reach a printer any more.
    if (record.state !== 'running') {
      await this.#looks.underWay(id);
      await this.#withdraw(id, record);
    }
    // Take back printers whose reason has passed before the next look, which would halt the campaign again.
    if (record.state === 'running' && (before === 'halted' || before === 'aborted')) await this.#rescan(id);
    this.#looks.soon(id);
    await this.#publish(id);
    return this.get(id);
  }

  async #save(query: Query, id: string, record: CampaignRecord): Promise<void> {
    await query('UPDATE campaigns SET record = $2, state = $3, updated_at = $4 WHERE id = $1', [
      id,
      JSON.stringify(record),
      record.state,
      new Date(this.#settings.now()),
    ]);
  }

  #tellState(row: Pick<CampaignRow, 'id' | 'request' | 'created_by'>, record: CampaignRecord): void {
    const { state, reason } = record;
    this.#log.info({ campaign: row.id, state, reason }, 'campaign');
    const cause = causeDocument(causeOf(row));
    this.#settings.tell(state, { campaign: row.id, ...(reason ? { reason } : {}), cause });
  }

  /** One look. A failed look is retried. */
  async #lookSafely(id: string): Promise<void> {
    try {
      await this.#lookNow(id);
    } catch (error) {
      this.#log.warn({ campaign: id, reason: reasonOf(error) }, 'a look at a campaign failed');
      this.#looks.in(id, 1_000);
      try {
        // Codes that were seen but not stored must be seen again.
        await this.#watch.load(id, this.#settings.database);
      } catch (fault) {
        this.#log.warn({ campaign: id, reason: reasonOf(fault) }, 'a campaign could not be read');
      }
    }
  }

  async #lookNow(id: string): Promise<void> {
    const { orders, database, stops, now } = this.#settings;
    const done = await database.transaction(async (client) => {
      const query = queryOf(client);
      const [row] = await query<CampaignRow>(
        `SELECT ${CAMPAIGN_COLUMNS} FROM campaigns WHERE id = $1 FOR UPDATE`,
        [id],
      );
      if (!row) return undefined;
      const taken = await this.#hand.takeOutcomes(query, row);
      let { record } = taken;
      record = await this.#hand.takeEvents(query, id, record);
      let { targets, ...counts } = await this.#hand.counts(query, id);
      if (record.state === 'running' && counts.busy > 0 && counts.waiting === 0) {
        await this.#hand.takeFreed(query, { ...row, record });
        ({ targets, ...counts } = await this.#hand.counts(query, id));
      }
      // Printers that joined count from now on.
      if (targets !== record.targets) {
        record = campaignTransition(record, { type: 'targets', count: targets }).campaign;
      }
      const ticked = campaignTransition(record, { type: 'tick', at: now(), ...counts });
      record = ticked.campaign;
      let created: ExecutionRow[] = [];
      let waits: Record<string, number> = counts.waiting > 0 ? (record.waits ?? {}) : {};
      if (ticked.allowance.dispatch > 0) {
        const given = await this.#hand.dispatch(client, { ...row, record }, ticked.allowance.dispatch);
        created = given.created;
        waits = given.waits;
        if (created.length > 0) {
          const event: CampaignEvent = { type: 'dispatched', at: now(), count: created.length };
          record = campaignTransition(record, event).campaign;
        }
      }
      if (counts.busy > 0) waits = { ...waits, busy: (waits['busy'] ?? 0) + counts.busy };
      record = campaignTransition(record, { type: 'waits', waits }).campaign;
      if (record !== row.record) await this.#save(query, id, record);
      const halted = await rememberStop(query, stops, row, record, {
        by: 'guard',
        at: now(),
        known: taken.stopped,
      });
      const stopped = [...taken.stopped, ...halted];
      return { row, stopped, before: row.record, record, created, allowance: ticked.allowance, counts };
    });
    if (!done) return;
    const { row, before, record, created, allowance, counts, stopped } = done;
    await orders.dispatch(created);
    if (record.state !== before.state) this.#tellState(row, record);
    if (record.state === 'halted' && before.state !== 'halted') await this.#hand.auditHalt(row, record);
    if (record !== before) this.#publishing.soon(id);
    if (stopped.length > 0) {
      const why = `${stopped.join(', ')} was stopped`;
      const { campaigns } = await withdrawReleases(this.#settings, stopped, why);
      for (const campaign of campaigns) this.#looks.soon(campaign);
    }
    if (record.state !== 'running' && counts.underWay > 0) await this.#withdraw(id, record);
    const againMs = await this.#hand.replaceAway(id, record, counts);
    if (againMs !== undefined) this.#looks.in(id, againMs);
    this.#hand.tellFindings(id, before, record);
    if (isOver(record, now())) this.#watch.forget(id);
    if (allowance.againAt !== undefined) this.#looks.in(id, allowance.againAt - now());
    // Some allowed orders could not be dispatched (offline, busy): check again soon.
    else if (created.length < allowance.dispatch) this.#looks.in(id, 5_000);
  }

  /** Releases or the catalog changed: takes back what was withdrawn. */
  onReleases(): void {
    this.#withdrawn.look();
  }

  /** Cancels orders that have not started to install. */
  #withdraw(id: string, { reason, state }: CampaignRecord): Promise<void> {
    return withdrawCampaign(this.#settings.orders, id, reason ?? `the campaign is ${state}`);
  }

  async #publish(id: string): Promise<void> {
    const document = await this.get(id);
    await this.#settings.publish(fleetTopic.campaign(id), JSON.stringify(document), { qos: 1, retain: true });
  }
}

/** Creates the campaigns of a fleet. */
export function createCampaigns(
  settings: Omit<CampaignSettings, 'targets' | 'stops'> & Pick<TargetSources, 'fleet' | 'choose'>,
): Campaigns {
  const { orders, database, repository, fleet, choose, now } = settings;
  const stops = new StopStore(database);
  const targets = new Targets({ database, fleet, executions: orders.store, repository, stops, choose, now });
  return new Campaigns({ ...settings, stops, targets });
}
