/**
 * A fleet in memory under the whole update system: rules, verdicts, catalogs, joins, revocations, operators, failing,
 * flapping and silent printers, kills. The product's own pure functions make the decisions; the world only stands in
 * for the database and checks the invariants at every order.
 */
import { seededRandom } from '../../base/random.ts';
import { hostFor } from '../../center/update/campaigns/campaign-asks.ts';
import { recordFor } from '../../center/update/campaigns/campaign-intake.ts';
import {
  type CampaignEvent,
  campaignTransition,
  DEFAULT_PACE,
} from '../../center/update/campaigns/campaign-state.ts';
import { type Applicant, type Place, withinBounds } from '../../center/update/campaigns/dispatch-bounds.ts';
import { drawPlaces } from '../../center/update/campaigns/draw.ts';
import {
  exposeRelease,
  feedRelease,
  harmOf,
  newEvidence,
  type ReleaseEvidence,
} from '../../center/update/campaigns/release-ledger.ts';
import { confirmLimit, DEFAULT_ROLLOUT } from '../../center/update/campaigns/rollout-settings.ts';
import { type Stop, stopFor } from '../../center/update/campaigns/stops.ts';
import type { Cause } from '../../center/update/cause.ts';
import { DEFAULT_BUDGET, spentBudget } from '../../center/update/orders/budget.ts';
import {
  type Behaviour,
  type Order,
  type Printer,
  releaseLoad,
  type SimCampaign,
  sitesOf,
  strataLoad,
  type Target,
  type WorldOptions,
} from './rollout-records.ts';

const STEP_MS = 15_000;
const UNTOUCHED = 'offered';

export class RolloutWorld {
  readonly printers: Printer[] = [];
  readonly campaigns: SimCampaign[] = [];
  readonly stops: Stop[] = [];
  readonly ledger = new Map<string, ReleaseEvidence>();
  readonly ruleSince = new Map<string, number>();
  /** Printers on which a release was ever installed, and to which it was ever offered. */
  readonly got = new Map<string, Set<string>>();
  readonly offered = new Map<string, Set<string>>();
  readonly installs = new Map<string, number>();
  at = 0;
  #held = false;
  #orders = new Set<Order>();
  #dispatchedAt: number[] = [];
  readonly #random: () => number;
  readonly #options: WorldOptions;
  #next = 0;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    for (let n = 0; n < options.printers; n++) this.#arrive();
  }

  #arrive(): Printer {
    const n = this.#next++;
    const printer: Printer = {
      id: `p${n}`,
      online: this.#random() < 0.95,
      revoked: false,
      stratum: `s${Math.floor(this.#random() * this.#options.strata)}`,
      site: `site${Math.floor(this.#random() * this.#options.sites)}`,
      installed: 'engine@1',
      past: [],
      barred: new Set(),
    };
    this.printers.push(printer);
    return printer;
  }

  // --- what may happen -------------------------------------------------------------------------------------------

  /** A rule finds its trouble on some printers. */
  rule(rule: number, meaning: number, auto: boolean, release: string, share: number): void {
    const question = `q${meaning}`;
    this.#ask(
      `rule ${rule} ${question} ${release}`,
      { kind: 'rule', rule: `rule${rule}`, question: `${rule}/${question}`, trouble: 't' },
      release,
      this.#some(share),
      auto ? 'automatic' : 'propose',
      false,
    );
  }

  /** The rule changes its meaning. */
  changeRule(rule: number, meaning: number): void {
    const name = `${rule}/q${meaning}`;
    if (!this.ruleSince.has(name)) this.ruleSince.set(name, this.at);
  }

  /** A catalog makes a share of the fleet incompatible. */
  catalog(release: string, share: number, expected: boolean): void {
    const misfits = this.#some(share);
    if (!expected && misfits.length > confirmLimit(DEFAULT_ROLLOUT, this.printers.length)) this.#held = true;
    this.verdicts(release, misfits);
    // The next catalog changes nothing and is not held.
    this.#held = false;
  }

  /** Verdicts find printers incompatible. */
  verdicts(release: string, misfits: Printer[]): void {
    this.#ask(
      `misfit ${release}`,
      { kind: 'verdict', catalog: 'c', wrong: ['w'], mends: [release] },
      release,
      misfits,
      'automatic',
      this.#held,
    );
  }

  /** An operator creates a campaign over a share of the fleet. */
  operator(release: string, share: number): void {
    this.#create(undefined, { kind: 'person', by: 'ana' }, release, this.#some(share), false);
  }

  /** An operator aborts, pauses or resumes a campaign. */
  decide(which: number, what: 'abort' | 'pause' | 'resume'): void {
    const campaign = this.campaigns[which % Math.max(1, this.campaigns.length)];
    if (!campaign) return;
    const { state } = campaign.record;
    if (what === 'abort') this.#happen(campaign, { type: 'abort', reason: 'aborted by ana' }, 'ana');
    else if (what === 'pause') this.#happen(campaign, { type: 'pause', reason: 'paused by ana' }, 'ana');
    else if (state !== 'halted' && state !== 'aborted') {
      this.#happen(campaign, { type: 'resume', at: this.at }, 'ana');
      this.#happen(campaign, { type: 'start' }, 'ana');
    }
  }

  /** New printers join; every open campaign may take them in. */
  join(count: number): void {
    const fresh = Array.from({ length: Math.min(count, 2 * this.#options.printers) }, () => this.#arrive());
    for (const campaign of this.campaigns) {
      const { state } = campaign.record;
      if (campaign.question === undefined && (state === 'running' || state === 'paused')) {
        this.#intake(campaign, fresh);
      }
    }
    for (const campaign of [...this.campaigns]) {
      if (campaign.cause.kind === 'verdict') this.verdicts(campaign.release, fresh);
    }
  }

  revoke(share: number): void {
    for (const printer of this.#some(share)) {
      printer.revoked = true;
      printer.online = false;
      if (printer.order?.state === UNTOUCHED) this.#end(printer.order, 'none');
    }
  }

  /** Some printers disconnect, some reconnect. */
  connections(share: number): void {
    for (const printer of this.#some(share)) if (!printer.revoked) printer.online = !printer.online;
  }

  /** The product is killed: state that is not in the database is lost, and every campaign is examined again. */
  kill(): void {
    for (const campaign of this.campaigns) {
      for (const order of campaign.out) campaign.news.add(order);
      for (const order of campaign.news) if (!campaign.out.has(order)) campaign.news.delete(order);
    }
  }

  #some(share: number): Printer[] {
    return this.printers.filter((printer) => !printer.revoked && this.#random() < share);
  }

  // --- time ------------------------------------------------------------------------------------------------------

  /** Lets time pass, at most `ms`, until nothing changes any more. */
  pass(ms: number): void {
    for (const until = this.at + ms; this.at < until; ) {
      this.at += STEP_MS;
      const moved = this.#printersAct();
      let dispatched = 0;
      for (const campaign of this.campaigns) dispatched += this.#look(campaign);
      if (!moved && dispatched === 0 && ![...this.#orders].some((order) => order.printer.online)) {
        const idle = this.campaigns.every(
          ({ record, waiting }) => record.state !== 'running' || waiting.length === 0,
        );
        if (idle) {
          this.at = until;
          break;
        }
      }
    }
  }

  #printersAct(): boolean {
    let moved = false;
    for (const order of this.#orders) {
      const { printer, release } = order;
      if (order.state === 'offered' && printer.online && this.at >= order.beginsAt) {
        order.state = 'installing';
        order.campaign.news.add(order);
        note(this.got, release, printer.id);
        const key = `${printer.id} ${release}`;
        this.installs.set(key, (this.installs.get(key) ?? 0) + 1);
        moved = true;
      } else if (order.state === 'installing' && this.at >= order.endsAt) {
        this.#finish(order);
        moved = true;
      }
    }
    return moved;
  }

  #finish(order: Order): void {
    const { printer, release } = order;
    const { fails, flaps } = this.#behaviour(release);
    const bad = order.silent || this.#random() < fails;
    const state = order.silent ? 'silent' : bad ? 'rolled-back' : 'proven';
    const [software = '', to = ''] = release.split('@');
    printer.past.push({
      at: this.at - 1,
      execution: { state, step: 0, installs: 1, endedAt: this.at },
      steps: [{ subject: `engine:${software}`, to }],
    });
    if (bad) printer.barred.add(release);
    else printer.installed = release;
    this.#end(order, bad ? 'bad' : 'good');
    if (!bad && this.#random() < flaps) {
      printer.installed = 'engine@1';
      if (order.campaign.cause.kind === 'verdict') this.verdicts(release, [printer]);
    }
  }

  #end(order: Order, outcome: 'good' | 'bad' | 'none'): void {
    order.state = 'ended';
    order.outcome = outcome;
    order.printer.order = undefined;
    this.#orders.delete(order);
    order.campaign.news.add(order);
  }

  #behaviour(release: string): Behaviour {
    return this.#options.behaviour[release] ?? { fails: 0, flaps: 0, silent: 0 };
  }

  // --- campaigns -------------------------------------------------------------------------------------------------

  #ask(
    question: string,
    cause: Cause,
    release: string,
    printers: Printer[],
    mode: 'automatic' | 'propose',
    confirm: boolean,
  ): void {
    if (printers.length === 0) return;
    const mine = this.campaigns.filter((campaign) => campaign.question === question).reverse();
    const host = hostFor(
      mine.map((campaign) => ({ state: campaign.record.state, campaign })),
      mode,
      confirm,
    )?.campaign;
    if (host) this.#intake(host, printers);
    else this.#create(question, cause, release, printers, mode === 'propose' || confirm);
  }

  /** The result of `Targets.consider` for a printer. */
  #consider(campaign: Pick<SimCampaign, 'release' | 'cause'>, printer: Printer): 'fine' | 'target' | string {
    if (printer.revoked) return 'revoked';
    if (printer.installed === campaign.release) return 'fine';
    if (this.#stopOf(campaign, printer)) return 'stopped';
    if (printer.barred.has(campaign.release)) return 'quarantined';
    const [software = '', to = ''] = campaign.release.split('@');
    const steps = [{ subject: `engine:${software}`, to }];
    if (spentBudget(steps, printer.past, this.at, DEFAULT_BUDGET)) return 'set-aside';
    return 'target';
  }

  #stopOf(
    { release, cause }: Pick<SimCampaign, 'release' | 'cause'>,
    { stratum }: Printer,
  ): Stop | undefined {
    return stopFor(this.stops, { releases: [release], stratum, cause, ruleSince: this.#since(cause) });
  }

  #since(cause: Cause): number | undefined {
    return cause.kind === 'rule' ? this.ruleSince.get(cause.question) : undefined;
  }

  #create(
    question: string | undefined,
    cause: Cause,
    release: string,
    printers: Printer[],
    propose: boolean,
  ): void {
    const fitting = printers.filter((printer) => this.#consider({ release, cause }, printer) === 'target');
    if (fitting.length === 0) return;
    const places = drawPlaces(
      fitting.map(({ id, stratum }) => ({ printer: id, stratum })),
      this.#random,
    );
    const targets = fitting
      .map((printer): Target => ({ printer, place: places.get(printer.id) ?? 1, state: 'waiting' }))
      .sort((a, b) => a.place - b.place);
    this.campaigns.push({
      id: this.campaigns.length,
      question,
      release,
      cause,
      record: recordFor(targets.length, { propose }),
      targets: new Map(targets.map((target) => [target.printer.id, target])),
      waiting: targets,
      out: new Set(),
      news: new Set(),
      stopped: 0,
      excluded: 0,
      strata: new Map(),
    });
  }

  #intake(campaign: SimCampaign, printers: Printer[]): void {
    let fresh = 0;
    for (const printer of printers) {
      const known = campaign.targets.get(printer.id);
      if (known && known.state !== 'ended' && known.state !== 'excluded') continue;
      const is = this.#consider(campaign, printer);
      if (is !== 'target') {
        if (!known && is === 'stopped') {
          campaign.targets.set(printer.id, { printer, place: 1, state: 'excluded', reason: is });
          campaign.stopped++;
          campaign.excluded++;
        }
        continue;
      }
      if (known?.state === 'ended') this.#transition(campaign, { type: 'withdrawn', count: 1 });
      if (known?.state === 'excluded') campaign.excluded--;
      if (known?.state === 'excluded' && known.reason === 'stopped') campaign.stopped--;
      const target: Target = { printer, place: this.#random(), state: 'waiting' };
      campaign.targets.set(printer.id, target);
      campaign.waiting.push(target);
      fresh++;
    }
    if (fresh === 0) return;
    campaign.waiting.sort((a, b) => a.place - b.place);
    this.#transition(campaign, { type: 'reopen' });
  }

  #transition(campaign: SimCampaign, event: CampaignEvent) {
    const { campaign: record, allowance } = campaignTransition(campaign.record, event);
    campaign.record = record;
    return allowance;
  }

  /** Applies an event, and records a stop as the product does. */
  #happen(campaign: SimCampaign, event: CampaignEvent, by: string) {
    const before = campaign.record.state;
    const allowance = this.#transition(campaign, event);
    const { state, halt, reason = '' } = campaign.record;
    if (state === before) return allowance;
    const common = { id: `${this.stops.length}`, releases: [campaign.release], reason, by, at: this.at };
    if (state === 'aborted') {
      const strata = [...new Set([...campaign.targets.values()].map(({ printer }) => printer.stratum))];
      this.stops.push({ ...common, kind: 'person', strata });
    } else if (state === 'halted' && (halt === 'failures' || halt === 'codes')) {
      this.stops.push({ ...common, kind: 'guard' });
      this.#withdrawStopped(campaign.release);
    }
    if (state !== 'running' && state !== 'finished') this.#withdraw(campaign);
    return allowance;
  }

  #withdraw(campaign: SimCampaign): void {
    for (const order of campaign.out) if (order.state === UNTOUCHED) this.#end(order, 'none');
  }

  #withdrawStopped(release: string): void {
    for (const order of this.#orders) {
      if (order.release === release && order.state === UNTOUCHED) this.#end(order, 'none');
    }
  }

  /** Processes a campaign once, as the product does. @returns number of orders issued */
  #look(campaign: SimCampaign): number {
    if (campaign.news.size > 0) this.#takeNews(campaign);
    const { state } = campaign.record;
    if (state !== 'running') return 0;
    const targets = campaign.targets.size - campaign.excluded;
    if (targets !== campaign.record.targets) this.#transition(campaign, { type: 'targets', count: targets });
    const active = [...campaign.out].filter(
      ({ state: is, printer }) => is === 'installing' || printer.online,
    ).length;
    const { dispatch } = this.#happen(
      campaign,
      {
        type: 'tick',
        at: this.at,
        waiting: campaign.waiting.length,
        underWay: campaign.out.size,
        active,
        stopped: campaign.stopped,
      },
      'guard',
    );
    return dispatch > 0 ? this.#dispatch(campaign, dispatch) : 0;
  }

  #takeNews(campaign: SimCampaign): void {
    let harmful: string | undefined;
    let failed = false;
    for (const order of campaign.news) {
      const evidence = this.ledger.get(order.release) ?? newEvidence();
      if (order.exposure === undefined && order.outcome !== 'none') {
        order.exposure = campaign.record.guard.exposed;
        this.#transition(campaign, { type: 'exposed' });
        const exposed = exposeRelease(evidence);
        order.number = exposed.number;
        this.ledger.set(order.release, exposed.evidence);
      }
      if (order.state !== 'ended') continue;
      campaign.out.delete(order);
      const target = campaign.targets.get(order.printer.id);
      const bad = order.outcome === 'bad';
      if (order.exposure !== undefined && order.number !== undefined) {
        this.#happen(campaign, { type: 'outcome', exposure: order.exposure, failed: bad }, 'guard');
        const fed = feedRelease(this.ledger.get(order.release) ?? newEvidence(), order.number, bad);
        this.ledger.set(order.release, fed);
        harmful = harmOf(fed);
        failed ||= bad;
        if (order.silent) this.#happen(campaign, { type: 'brick', printer: order.printer.id }, 'guard');
      }
      if (target?.state !== 'dispatched') continue;
      if (order.outcome === 'none' && campaign.record.state !== 'aborted' && !order.printer.revoked) {
        target.state = 'waiting';
        campaign.waiting.push(target);
        this.#transition(campaign, { type: 'withdrawn', count: 1 });
      } else {
        target.state = 'ended';
        target.outcome = order.outcome;
        if (order.outcome === 'good') {
          const load = campaign.strata.get(order.printer.stratum) ?? { good: 0 };
          campaign.strata.set(order.printer.stratum, { good: load.good + 1 });
        }
      }
    }
    campaign.news.clear();
    if (harmful !== undefined) this.#stopRelease(campaign, harmful, failed);
  }

  #stopRelease(campaign: SimCampaign, reason: string, failed: boolean): void {
    const { release, cause } = campaign;
    const held = this.stops.filter(({ kind, releases }) => kind === 'guard' && releases.includes(release));
    const asked = { releases: [release], stratum: '', cause, ruleSince: this.#since(cause) };
    if (held.length > 0 && (!failed || stopFor(held, asked))) return;
    this.stops.push({
      id: `${this.stops.length}`,
      kind: 'guard',
      releases: [release],
      reason,
      by: 'guard',
      at: this.at,
    });
    this.#happen(campaign, { type: 'halt', reason }, 'guard');
    this.#withdrawStopped(release);
  }

  #dispatch(campaign: SimCampaign, wanted: number): number {
    const canaries = campaign.record.stage === 'canaries';
    const next: Target[] = [];
    for (const target of campaign.waiting) {
      if (next.length >= wanted + 64) break;
      if (target.printer.order === undefined && (!canaries || target.printer.online)) next.push(target);
    }
    const applicants: (Applicant & { target: Target })[] = [];
    let dropped = false;
    for (const target of next) {
      const { printer } = target;
      const is = this.#consider(campaign, printer);
      if (is === 'target') {
        const { id, online, stratum, site } = printer;
        applicants.push({ printer: id, online, stratum, site, releases: [campaign.release], target });
        continue;
      }
      dropped = true;
      target.state = is === 'fine' ? 'ended' : 'excluded';
      target.reason = is;
      if (is !== 'fine') campaign.excluded++;
      if (is === 'stopped') campaign.stopped++;
    }
    if (dropped) campaign.waiting = campaign.waiting.filter(({ state }) => state === 'waiting');
    if (applicants.length === 0) return 0;
    this.#dispatchedAt = this.#dispatchedAt.filter((at) => at > this.at - 60_000);
    const { pace } = campaign.record;
    const sites = sitesOf(this.printers, new Set(applicants.map(({ site = '' }) => site)));
    const { admitted } = withinBounds(
      applicants,
      wanted,
      {
        inMinute: this.#dispatchedAt.length,
        strata: strataLoad(campaign),
        releases: new Map([
          [campaign.release, releaseLoad(campaign.release, this.ledger.get(campaign.release), this.#orders)],
        ]),
        sites,
        pools: new Map(),
      },
      {
        ...DEFAULT_ROLLOUT.dispatch,
        unproven: pace.canariesAtOnce,
        growth: Math.max(pace.growth, DEFAULT_PACE.growth),
      },
    );
    for (const applicant of admitted)
      this.#give(campaign, (applicant as (typeof applicants)[number]).target, sites);
    if (admitted.length === 0) return 0;
    campaign.waiting = campaign.waiting.filter(({ state }) => state === 'waiting');
    this.#transition(campaign, { type: 'dispatched', at: this.at, count: admitted.length });
    return admitted.length;
  }

  #give(campaign: SimCampaign, target: Target, sites: ReadonlyMap<string, Place>): void {
    const { printer } = target;
    const { release } = campaign;
    // Invariants, whatever was decided before.
    if (printer.order) throw new Error(`${printer.id} has an order already`);
    if (printer.revoked) throw new Error(`${printer.id} is revoked and gets an order`);
    this.#checkStops(campaign, printer);
    const place = sites.get(printer.site);
    if (place && place.printers > 1 && printer.online) {
      const working = this.printers.filter(
        (other) => other.site === printer.site && other.online && !other.order && other !== printer,
      );
      if (working.length === 0)
        throw new Error(`${printer.id} is the last working printer of ${printer.site}`);
    }
    const order: Order = {
      campaign,
      printer,
      release,
      state: 'offered',
      beginsAt: this.at + this.#random() * 60_000,
      endsAt: this.at + 60_000 + this.#random() * 240_000,
      silent: this.#random() < this.#behaviour(release).silent,
    };
    target.state = 'dispatched';
    printer.order = order;
    campaign.out.add(order);
    this.#orders.add(order);
    this.#dispatchedAt.push(this.at);
    note(this.offered, release, printer.id);
  }

  /** An independent formulation of the product's own check: no printer gets a release that was stopped for it. */
  #checkStops({ release, cause }: SimCampaign, printer: Printer): void {
    for (const stop of this.stops) {
      if (!stop.releases.includes(release)) continue;
      const changed = cause.kind === 'rule' && (this.#since(cause) ?? 0) > stop.at;
      const mine = stop.kind === 'person' && cause.kind === 'person';
      const elsewhere = stop.strata !== undefined && !stop.strata.includes(printer.stratum);
      if (!changed && !mine && !elsewhere) {
        throw new Error(`${printer.id} gets ${release}, which ${stop.by} stopped: ${stop.reason}`);
      }
    }
  }
}

function note(map: Map<string, Set<string>>, name: string, value: string): void {
  const set = map.get(name);
  if (set) set.add(value);
  else map.set(name, new Set([value]));
}
