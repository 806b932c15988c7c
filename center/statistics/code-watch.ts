/**
 * Compares how often printers with and without something new (a release) log a code, as observations for e-processes.
 * Pure: time and everything else is passed in.
 *
 * Two comparisons, because each fails where the other holds (docs/decisions/0036-codes-need-two-comparisons.md):
 * - *Beside*: at a printer's first event of a code, how many of the printers that could have logged it at that moment
 *   have the release, and how many don't. Valid when the order of updates was drawn, whatever happens to the fleet.
 * - *Own past*: whether a printer's first event comes sooner after its update than it came after the same hour of the
 *   week before. Valid for any choice of printers, as long as nothing else changed when they were updated.
 *
 * Also a control that the release can't have caused: whether the printers that are updated were busier before.
 */

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;
export const WEEK_MS = 7 * DAY_MS;

export interface WatchTimes {
  /** What a printer logs this soon after a start or its update is ignored: it reflects the start. */
  settleMs: number;
  /** Events of one code at one site within this time count as one. */
  clusterMs: number;
}

export const DEFAULT_WATCH_TIMES: WatchTimes = { settleMs: 10 * 60_000, clusterMs: HOUR_MS };

export type Arm =
  | 'without'
  /** It is being updated, so it is in neither group. */
  | 'changing'
  | 'with'
  /** Not compared: the update failed, or the printer had the release before. */
  | 'out';

/** What is known of a printer when it is added. */
export interface NewMember {
  model: string;
  site: string | undefined;
  online: boolean;
  /** Days (since the epoch, UTC) on which it is known to have been online. */
  days: Iterable<number>;
}

export type Observation =
  | {
      kind: 'beside';
      code: string;
      printer: string;
      site?: string;
      runsIt: boolean;
      withIt: number;
      without: number;
    }
  | { kind: 'own'; code: string; printer: string; site?: string; after: boolean }
  | { kind: 'draw'; printer: string; busy: boolean; share: number };

interface Member {
  stratum: string;
  site: string | undefined;
  arm: Arm;
  online: boolean;
  /** When it was last seen to start. */
  onSince: number;
  /** Known to have been online since then, while it is online. */
  upSince: number;
  changedAt: number;
  /** How far back its past is compared: a week, a day, or 0 when unknown. */
  spanMs: number;
  days: Set<number>;
  /** Times of a code's events before the update. */
  past: Map<string, number[]>;
  busy: boolean;
  seen: Set<string>;
  compared: Set<string>;
}

/** Sites with fewer printers of a model share a stratum: alone they would show nothing. */
const STRATUM_MIN = 10;
/** Past events kept per printer and code. */
const PAST_MAX = 200;

export function dayOf(at: number): number {
  return Math.floor(at / DAY_MS);
}

export class CodeWatch {
  readonly #times: WatchTimes;
  readonly #codesMax: number;
  readonly #members = new Map<string, Member>();
  readonly #strata = new Map<string, Set<Member>>();
  readonly #codes = new Set<string>();
  /** By code and site, the first event of the current cluster. */
  readonly #clusters = new Map<string, { at: number; printer: string }>();
  /** Past events to be compared, by the hour in which their counterpart ends. */
  readonly #due = new Map<number, { printer: string; code: string; at: number }[]>();
  #dueFrom = Number.POSITIVE_INFINITY;

  constructor(codesMax: number, times: Partial<WatchTimes> = {}) {
    this.#codesMax = codesMax;
    this.#times = { ...DEFAULT_WATCH_TIMES, ...times };
  }

  /** Printers that are watched. */
  get printers(): IterableIterator<string> {
    return this.#members.keys();
  }

  has(printer: string): boolean {
    return this.#members.has(printer);
  }

  /** Adds printers. Sites with enough of them become strata. */
  add(list: readonly (NewMember & { printer: string })[], at: number): void {
    const places = new Map<string, number>();
    const placeOf = ({ model, site }: NewMember) => `${model}\u001f${site ?? ''}`;
    for (const each of list) places.set(placeOf(each), (places.get(placeOf(each)) ?? 0) + 1);
    for (const each of list) {
      if (this.#members.has(each.printer)) continue;
      const place = placeOf(each);
      const own = this.#strata.has(place) || (places.get(place) ?? 0) >= STRATUM_MIN;
      const stratum = own ? place : each.model;
      const member: Member = {
        stratum,
        site: each.site,
        arm: 'without',
        online: each.online,
        onSince: Number.NEGATIVE_INFINITY,
        upSince: at,
        changedAt: Number.POSITIVE_INFINITY,
        spanMs: 0,
        days: new Set(each.days),
        past: new Map(),
        busy: false,
        seen: new Set(),
        compared: new Set(),
      };
      if (each.online) member.days.add(dayOf(at));
      this.#members.set(each.printer, member);
      const peers = this.#strata.get(stratum);
      if (peers) peers.add(member);
      else this.#strata.set(stratum, new Set([member]));
    }
  }

  /** Removes a printer from all comparisons. */
  forget(printer: string): void {
    const member = this.#members.get(printer);
    if (!member) return;
    this.#members.delete(printer);
    const peers = this.#strata.get(member.stratum);
    if (peers?.delete(member) && peers.size === 0) this.#strata.delete(member.stratum);
  }

  /** An event from before the watch, in order of time. */
  past(printer: string, code: string, at: number): void {
    const member = this.#members.get(printer);
    if (!member) return;
    member.days.add(dayOf(at));
    if (this.#leads(member, printer, code, at)) this.#keep(member, code, at);
  }

  /** The past is complete: printers above the median of their stratum count as busy. */
  pastEnds(): void {
    for (const members of this.#strata.values()) {
      const rates = new Map<Member, number>();
      for (const member of members) {
        let events = 0;
        for (const times of member.past.values()) events += times.length;
        rates.set(member, events / Math.max(1, member.days.size));
      }
      const sorted = [...rates.values()].sort((a, b) => a - b);
      const middle = sorted[Math.floor(sorted.length / 2)] ?? 0;
      for (const [member, rate] of rates) member.busy = rate > middle;
    }
  }

  /** A printer came online or went offline. */
  presence(printer: string, online: boolean, at: number): void {
    const member = this.#members.get(printer);
    if (!member) return;
    if (online && !member.online) {
      member.onSince = at;
      member.upSince = at;
    }
    if (!online && member.online) {
      for (let day = dayOf(member.upSince); day < dayOf(at); day++) member.days.add(day);
    }
    if (online || member.online) member.days.add(dayOf(at));
    member.online = online;
  }

  /** The printer starts to install. @returns whether it is a busy one, as an observation of the draw */
  changing(printer: string, at: number): Observation[] {
    const member = this.#members.get(printer);
    if (member?.arm !== 'without') return [];
    let busy = 0;
    let all = 0;
    for (const other of this.#strata.get(member.stratum) ?? []) {
      if (other !== member && (other.arm !== 'without' || !other.online)) continue;
      all++;
      if (other.busy) busy++;
    }
    member.arm = 'changing';
    member.changedAt = at;
    return busy === 0 || busy === all
      ? []
      : [{ kind: 'draw', printer, busy: member.busy, share: busy / all }];
  }

  /**
   * The update has ended: from now on the printer has the release, or is not compared any more.
   * @returns whether its past can be compared
   */
  changed(printer: string, has: boolean, at: number): boolean {
    const member = this.#members.get(printer);
    if (!member || member.arm === 'with' || member.arm === 'out') return false;
    member.arm = has ? 'with' : 'out';
    if (!has) return false;
    member.changedAt = at;
    const today = dayOf(at);
    let first = today;
    for (const day of member.days) first = Math.min(first, day);
    member.spanMs = today - first >= 7 ? WEEK_MS : today > first ? DAY_MS : 0;
    for (const [code, times] of member.past) {
      const next = times.find((time) => time >= at - member.spanMs && time < at);
      if (next === undefined) member.past.delete(code);
      else this.#wait(printer, code, next, member.spanMs);
    }
    return member.spanMs > 0;
  }

  /** Restores what was known before a restart. */
  restore(printer: string, code: string, what: 'seen' | 'compared'): void {
    if (this.#codes.size < this.#codesMax) this.#codes.add(code);
    this.#members.get(printer)?.[what].add(code);
  }

  /** A printer logs an event at `at`. Only warnings and worse may be passed on. */
  sight(printer: string, code: string, at: number): Observation[] {
    const member = this.#members.get(printer);
    if (!member) return [];
    if (!this.#codes.has(code)) {
      if (this.#codes.size >= this.#codesMax) return [];
      this.#codes.add(code);
    }
    member.days.add(dayOf(at));
    // The first minutes reflect the start.
    if (at >= member.onSince && at < member.onSince + this.#times.settleMs) return [];
    const leads = this.#leads(member, printer, code, at);
    // It becomes the past of a printer that is still to be updated.
    if (at < member.changedAt && member.arm !== 'out') {
      if (leads) this.#keep(member, code, at);
      return this.#beside(member, printer, code, at, leads, false);
    }
    if (member.arm !== 'with' || at < member.changedAt + this.#times.settleMs) return [];
    const found = this.#own(member, printer, code, at);
    if (found.length === 0 && leads && !member.compared.has(code) && this.#hasCounterpart(member, at)) {
      member.compared.add(code);
      found.push({ kind: 'own', code, printer, ...siteOf(member), after: true });
    }
    return [...this.#beside(member, printer, code, at, leads, true), ...found];
  }

  /** Advances time: a past event may have no counterpart in its hour. */
  advance(now: number): Observation[] {
    const found: Observation[] = [];
    const hour = Math.floor(now / HOUR_MS);
    for (; this.#dueFrom < hour && this.#due.size > 0; this.#dueFrom++) {
      const due = this.#due.get(this.#dueFrom);
      this.#due.delete(this.#dueFrom);
      for (const { printer, code } of due ?? []) {
        const member = this.#members.get(printer);
        if (member) found.push(...this.#own(member, printer, code, this.#dueFrom * HOUR_MS + HOUR_MS));
      }
    }
    if (this.#due.size === 0) this.#dueFrom = Number.POSITIVE_INFINITY;
    return found;
  }

  /** Past events whose counterpart hour is over: the first that the printer could have logged again decides. */
  #own(member: Member, printer: string, code: string, until: number): Observation[] {
    if (member.compared.has(code) || member.arm !== 'with') return [];
    for (const time of member.past.get(code) ?? []) {
      const counterpart = time + member.spanMs;
      if (counterpart < member.changedAt + this.#times.settleMs || time >= member.changedAt) continue;
      if (counterpart >= until) {
        this.#wait(printer, code, time, member.spanMs);
        break;
      }
      if (!wasOn(member, dayOf(counterpart))) {
        // Not online so far on that day, but it may still come.
        if (dayOf(counterpart) === dayOf(until - 1)) {
          this.#wait(printer, code, dayOf(counterpart) * DAY_MS + DAY_MS - 1 - member.spanMs, member.spanMs);
          break;
        }
        continue;
      }
      member.compared.add(code);
      return [{ kind: 'own', code, printer, ...siteOf(member), after: false }];
    }
    return [];
  }

  /** Whether the printer was online on the day that an event after the update is compared with. */
  #hasCounterpart(member: Member, at: number): boolean {
    return (
      member.spanMs > 0 && at - member.changedAt <= member.spanMs && wasOn(member, dayOf(at - member.spanMs))
    );
  }

  #wait(printer: string, code: string, time: number, spanMs: number): void {
    const at = Math.floor((time + spanMs) / HOUR_MS);
    this.#dueFrom = Math.min(this.#dueFrom, at);
    const list = this.#due.get(at);
    if (list) list.push({ printer, code, at: time });
    else this.#due.set(at, [{ printer, code, at: time }]);
  }

  #keep(member: Member, code: string, at: number): void {
    const times = member.past.get(code);
    if (!times) {
      member.past.set(code, [at]);
      return;
    }
    const last = times.at(-1) ?? 0;
    if (at - last < HOUR_MS) return;
    times.push(at);
    if (times.length > PAST_MAX || at - (times[0] ?? at) > 2 * WEEK_MS) times.shift();
  }

  /** Whether it is the first event of its cluster at the site. */
  #leads(member: Member, printer: string, code: string, at: number): boolean {
    // Without a site there are no clusters.
    if (member.site === undefined) return true;
    const key = `${member.site}\u001f${code}`;
    const cluster = this.#clusters.get(key);
    if (cluster && Math.abs(at - cluster.at) < this.#times.clusterMs) return cluster.printer === printer;
    this.#clusters.set(key, { at, printer });
    return true;
  }

  #beside(
    member: Member,
    printer: string,
    code: string,
    at: number,
    leads: boolean,
    runsIt: boolean,
  ): Observation[] {
    if (member.seen.has(code)) return [];
    let withIt = runsIt ? 1 : 0;
    let without = 1 - withIt;
    for (const other of leads ? (this.#strata.get(member.stratum) ?? []) : []) {
      if (other === member || !other.online || other.seen.has(code)) continue;
      if (at < other.onSince + this.#times.settleMs) continue;
      if (other.arm === 'without') without++;
      else if (other.arm === 'with' && at >= other.changedAt + this.#times.settleMs) withIt++;
    }
    member.seen.add(code);
    return leads && withIt > 0 && without > 0
      ? [{ kind: 'beside', code, printer, ...siteOf(member), runsIt, withIt, without }]
      : [];
  }
}

function wasOn(member: Member, day: number): boolean {
  return member.days.has(day) || (member.online && day >= dayOf(member.upSince));
}

function siteOf(member: Member): { site?: string } {
  return member.site === undefined ? {} : { site: member.site };
}
