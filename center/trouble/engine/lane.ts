/**
 * A lane is the unit of ordering: one key of one rule, or all keys of one printer for rules that suppress each other.
 *
 * An entry may arrive up to `late` behind the newest one. The lane therefore keeps a settled state, which late entries
 * can no longer change, and the pending sightings after it. Operators see the live state: the settled state with the
 * pending sightings applied. A sighting in order is applied to the live state directly; one out of order causes the
 * live state to be derived again from the settled state. Either way the outcome depends only on the set of accepted
 * sightings, not on their order of arrival.
 */
import type { RuleGroup } from './compile.ts';
import {
  cloneKeyState,
  feed,
  type KeyScope,
  type KeyState,
  type KeySurroundings,
  newKeyState,
  nextDeadline,
  pass,
  type TroubleLife,
} from './key-state.ts';
import { SETTLE_MIN } from './limits.ts';
import type { Odometer } from './odometer.ts';
import type { CompiledRule } from './rule.ts';
import { compareSightings, grown, type Sighting } from './sighting.ts';
import type { LaneTrouble, LastReport } from './views.ts';

export interface Slot {
  rule: CompiledRule;
  state: KeyState;
}

const NONE_ENDED: LaneTrouble[] = [];

/**
 * Settled or live: the key states of a lane and how far they have been fed. It implements `KeySurroundings` itself, so
 * that no closures are allocated per entry.
 */
export class LaneState implements KeySurroundings {
  readonly odometer: Odometer | undefined;
  slots: Slot[] = [];
  /** Only in a lane with many keys: by rule and key. */
  readonly byName: Map<string, Slot> | undefined;
  /** Troubles that became final since the state was derived. */
  ended = NONE_ENDED;
  /** The last instant at which time alone changed something. */
  passed = Number.NEGATIVE_INFINITY;
  /** Time alone changes nothing before this. */
  due = Number.NEGATIVE_INFINITY;

  constructor(joint: boolean, odometer: Odometer | undefined) {
    this.odometer = odometer;
    this.byName = joint ? new Map() : undefined;
  }

  add(slot: Slot, name: string): void {
    this.slots = grown(this.slots, slot);
    this.byName?.set(name, slot);
    this.due = Number.NEGATIVE_INFINITY;
  }

  clone(): LaneState {
    const copy = new LaneState(this.byName !== undefined, this.odometer);
    if (this.byName) {
      for (const [name, { rule, state }] of this.byName)
        copy.add({ rule, state: cloneKeyState(state) }, name);
    } else {
      copy.slots = this.slots.map(({ rule, state }) => ({ rule, state: cloneKeyState(state) }));
    }
    copy.passed = this.passed;
    return copy;
  }

  remove(name: string): void {
    const slot = this.byName ? this.byName.get(name) : this.slots[0];
    if (!slot) return;
    this.byName?.delete(name);
    this.slots = this.slots.filter((other) => other !== slot);
  }

  silenced(rule: CompiledRule): boolean {
    return this.slots.some(
      ({ rule: other, state }) =>
        rule.suppressedBy.includes(other.id) &&
        state.trouble !== undefined &&
        state.trouble.closedAt === undefined,
    );
  }

  shed(rule: CompiledRule, state: KeyState, life: TroubleLife): void {
    this.ended = grown(this.ended, { rule, key: state.key, scope: state.scope, life });
  }

  unshed(life: TroubleLife): void {
    this.ended = this.ended.filter((trouble) => trouble.life !== life);
  }

  troubles(): LaneTrouble[] {
    const list = this.ended.slice();
    for (const { rule, state } of this.slots) {
      if (state.trouble) list.push({ rule, key: state.key, scope: state.scope, life: state.trouble });
    }
    return list;
  }
}

// Lists are copied when they grow, so all lanes can share the empty one.
const NO_SIGHTINGS: Sighting[] = [];
const NO_SLOTS: Slot[] = [];
/** Up to this many pending sightings, one out of order is inserted at once; longer lists are sorted when needed. */
const INSERTED_MAX = 32;

export class Lane {
  readonly group: RuleGroup;
  readonly odometer: Odometer | undefined;
  /** In event order unless `tidy` is false. */
  pending = NO_SIGHTINGS;
  private tidy = true;
  private settledState: LaneState | undefined;
  /** Undefined while it must be derived again. */
  private live: LaneState | undefined;
  private readonly prompt: boolean;
  /** Scope of each key, by rule and key; in a lane with one key, of that key only. */
  readonly scopes: Map<string, KeyScope> | undefined;
  readonly scope: KeyScope;
  /** By rule and key: sightings up to this time are void, because an operator or a cure ended the trouble. */
  cuts: Map<string, number> | undefined;
  /** Sightings at or before this time are settled; new ones there are too late. */
  floor = Number.NEGATIVE_INFINITY;
  /** The key, in a lane that has only one. */
  readonly key: string | undefined;
  /** What the engine last reported, by trouble id. */
  told: Map<string, LastReport> | undefined;
  /** Whether the engine must look at this lane. */
  touched = false;
  /** The deadline that is queued in the engine. */
  queued = Number.POSITIVE_INFINITY;
  /** Number of pending sightings at which settling again pays off. */
  settleAt = SETTLE_MIN;

  /**
   * @param key in a lane with one key only: that key
   * @param prompt false when troubles are reported only at the end: then no live state is kept
   */
  constructor(
    group: RuleGroup,
    key: string,
    scope: KeyScope,
    odometer: Odometer | undefined,
    prompt: boolean,
  ) {
    this.group = group;
    this.key = group.joint ? undefined : key;
    this.scope = scope;
    this.scopes = group.joint ? new Map() : undefined;
    this.odometer = odometer;
    this.prompt = prompt;
  }

  /** The settled state, created on first use because most keys are seen only a few times. */
  get settled(): LaneState {
    this.settledState ??= new LaneState(this.group.joint, this.odometer);
    return this.settledState;
  }

  /** Adds a sighting; false when it is too late. */
  add(sighting: Sighting): boolean {
    if (sighting.at <= this.floor) return false;
    if (this.cuts && sighting.at <= (this.cuts.get(nameOf(sighting)) ?? Number.NEGATIVE_INFINITY))
      return true;
    const last = this.pending.at(-1);
    const order = last && this.tidy ? compareSightings(last, sighting) : -1;
    if (order === 0) return true;
    if (order > 0 && this.pending.length <= INSERTED_MAX) return this.insert(sighting);
    this.pending = grown(this.pending, sighting);
    if (order > 0) {
      this.tidy = false;
      this.live = undefined;
      return true;
    }
    if (this.live) {
      // Time had already passed this sighting: what time alone did since may be wrong now.
      if (sighting.at <= this.live.passed) this.live = undefined;
      else this.apply(this.live, sighting);
    }
    return true;
  }

  /** The settled key states; does not create the settled state. */
  get slots(): Slot[] {
    return this.settledState?.slots ?? NO_SLOTS;
  }

  /** Inserts a sighting that precedes the last one. Few are pending, so this costs less than sorting. */
  private insert(sighting: Sighting): boolean {
    let place = this.pending.length - 1;
    for (; place > 0; place -= 1) {
      const order = compareSightings(this.pending[place - 1] as Sighting, sighting);
      if (order === 0) return true;
      if (order < 0) break;
    }
    const pending = grown(this.pending, sighting);
    for (let index = pending.length - 1; index > place; index -= 1) {
      pending[index] = pending[index - 1] as Sighting;
    }
    pending[place] = sighting;
    this.pending = pending;
    this.live = undefined;
    return true;
  }

  /**
   * Ends one key up to `at`: its trouble is over, earlier sightings no longer count, and neither do entries of that time
   * that arrive later.
   */
  cut(rule: number, key: string, at: number): void {
    const name = `${rule} ${key}`;
    const standing = this.standing(name);
    this.cuts ??= new Map();
    this.cuts.set(name, Math.max(at, this.cuts.get(name) ?? at));
    this.settledState?.remove(name);
    this.pending = this.pending.filter((sighting) => nameOf(sighting) !== name || sighting.at > at);
    this.live = undefined;
    if (standing) this.settled.add(standing, name);
  }

  /** A fresh state for the key that keeps what readings reported as lasting: closing a trouble doesn't change that. */
  private standing(name: string): Slot | undefined {
    if (!this.group.rules.some(({ reads }) => reads.length > 0)) return undefined;
    const live = this.current();
    const slot = live.byName ? live.byName.get(name) : live.slots[0];
    if (!slot) return undefined;
    const { rule, state } = slot;
    const fresh = newKeyState(rule, state.key, state.scope);
    rule.conditions.forEach((condition, index) => {
      const own = state.conditions[index];
      // Conditions still waiting for their time start again too: they have not held yet.
      if (condition.standing && own && own.level > 0)
        fresh.conditions[index] = { marks: own.marks.slice(), level: own.level };
    });
    return fresh.conditions.some(({ level }) => level > 0) ? { rule, state: fresh } : undefined;
  }

  /**
   * Discards sightings after `at` because the printer's clock was wrong. The settled state is rebuilt, unless it has an
   * open trouble, which must be reported to its end.
   * @returns whether anything was discarded
   */
  forgetAfter(at: number): boolean {
    const kept = this.pending.filter((sighting) => sighting.at <= at);
    const settled = Math.max(this.floor, this.passed) > at && !this.slots.some(({ state }) => state.trouble);
    if (kept.length === this.pending.length && !settled) return false;
    this.pending = kept;
    this.live = undefined;
    if (settled) {
      this.settledState = undefined;
      this.floor = Number.NEGATIVE_INFINITY;
    }
    return true;
  }

  /**
   * Whether a trouble of a key that opened at `at` is final: it is settled, or an operator or a cure has ended it.
   */
  final(rule: number, key: string, at: number): boolean {
    const settled = Math.max(this.floor, this.passed);
    return at <= settled || at <= (this.cuts?.get(`${rule} ${key}`) ?? Number.NEGATIVE_INFINITY);
  }

  /** Event time of the newest pending sighting. */
  get newest(): number | undefined {
    this.tidyUp();
    return this.pending.at(-1)?.at;
  }

  /** The printer of the oldest sighting held. */
  get firstPrinter(): string | undefined {
    const [first] = this.pending;
    return first?.printer ?? this.slots[0]?.state.trouble?.evidence[0]?.printer;
  }

  /** Whether too few sightings were seen for a trouble, which can be told without deriving a state. */
  get innocent(): boolean {
    if (this.pending.length >= this.group.needs || this.live) return false;
    const { settledState } = this;
    return !settledState || (settledState.slots.length === 0 && settledState.ended.length === 0);
  }

  /** Whether nothing held here can affect entries from `at` on. */
  idle(at: number): boolean {
    if (this.pending.length > 0 || !this.uncut(at)) return false;
    return this.slots.every((slot) => this.slotIdle(slot, at));
  }

  private uncut(at: number): boolean {
    if (this.cuts) for (const cut of this.cuts.values()) if (cut >= at) return false;
    return true;
  }

  private slotIdle({ rule, state }: Slot, at: number): boolean {
    if (state.trouble && state.trouble.closedAt === undefined) return false;
    const kept = rule.conditions.some((condition, index) => {
      const own = state.conditions[index];
      if (condition.standing) return (own?.marks.length ?? 0) > 0;
      return rule.conditions.length > 1 && condition.stays && (own?.level ?? 0) > 0;
    });
    if (kept) return false;
    return Math.max(state.lastSign, this.floor, this.passed) + rule.horizonMs < at;
  }

  /**
   * Without pending sightings: applies to the settled state what time alone does before `horizon`, and drops keys that
   * no longer matter.
   * @returns troubles that became final
   */
  rest(horizon: number): LaneTrouble[] {
    const { settledState } = this;
    if (this.pending.length > 0 || !settledState) return NONE_ENDED;
    const { passed } = settledState;
    if (settledState.due < horizon) this.run(settledState, horizon, true);
    const kept = settledState.slots.length;
    if (settledState.passed > passed) this.live = undefined;
    if (this.uncut(horizon)) {
      for (const slot of settledState.slots.slice()) {
        if (!this.slotIdle(slot, horizon)) continue;
        const { rule, state } = slot;
        if (state.trouble) settledState.shed(rule, state, state.trouble);
        const name = `${this.group.rules.indexOf(rule)} ${state.key}`;
        settledState.remove(name);
        this.scopes?.delete(name);
      }
    }
    const ended = this.handOver(settledState);
    // The live state still has them.
    if (ended.length > 0 || settledState.slots.length < kept) this.live = undefined;
    return ended;
  }

  private handOver(settled: LaneState): LaneTrouble[] {
    const { ended } = settled;
    if (ended.length === 0) return ended;
    settled.ended = NONE_ENDED;
    if (this.live) this.live.ended = this.live.ended.filter((trouble) => !within(trouble, ended));
    return ended;
  }

  /** The last instant at which time alone changed the settled state. */
  get passed(): number {
    return this.settledState?.passed ?? Number.NEGATIVE_INFINITY;
  }

  /** Restores an exported state. `pending` may be in any order. */
  restore(settled: LaneState | undefined, pending: Sighting[], floor: number): void {
    this.settledState = settled;
    this.pending = pending;
    this.tidy = false;
    this.floor = floor;
    this.live = undefined;
  }

  /** Forces judging again: something the outcome depends on arrived out of order. */
  upset(): void {
    this.live = undefined;
  }

  private tidyUp(): void {
    if (this.tidy) return;
    this.pending.sort(compareSightings);
    let kept = 0;
    for (let index = 0; index < this.pending.length; index += 1) {
      const sighting = this.pending[index] as Sighting;
      if (kept > 0 && compareSightings(this.pending[kept - 1] as Sighting, sighting) === 0) continue;
      this.pending[kept] = sighting;
      kept += 1;
    }
    this.pending.length = kept;
    this.tidy = true;
  }

  private apply(lane: LaneState, sighting: Sighting): void {
    if (lane.due < sighting.at) this.run(lane, sighting.at, true);
    const slot = this.slotOf(lane, sighting);
    feed(slot.rule, slot.state, sighting, lane);
    const deadline = nextDeadline(slot.rule, slot.state);
    if (deadline < lane.due) lane.due = deadline;
  }

  private slotOf(lane: LaneState, sighting: Sighting): Slot {
    const { byName } = lane;
    const name = byName ? nameOf(sighting) : '';
    const known = byName ? byName.get(name) : lane.slots[0];
    if (known) return known;
    const rule = this.group.rules[sighting.rule] as CompiledRule;
    const scope = this.scopes?.get(name) ?? this.scope;
    const slot = { rule, state: newKeyState(rule, sighting.key, scope) };
    lane.add(slot, name);
    return slot;
  }

  /** Applies, in order of time, what time alone does up to and including `until` (excluding it with `before`). */
  private run(lane: LaneState, until: number, before = false): void {
    for (;;) {
      let due = Number.POSITIVE_INFINITY;
      let first: Slot | undefined;
      for (const slot of lane.slots) {
        const deadline = nextDeadline(slot.rule, slot.state);
        if (deadline < due || (deadline === due && first && this.order(slot.rule) < this.order(first.rule))) {
          due = deadline;
          first = slot;
        }
      }
      lane.due = due;
      if (!first || due > until || (before && due === until)) return;
      lane.passed = due;
      pass(first.rule, first.state, due, lane);
    }
  }

  private order(rule: CompiledRule): number {
    return this.group.rules.indexOf(rule);
  }

  /**
   * Settles everything before `horizon`, which late entries can no longer change.
   * @returns troubles that became final
   */
  settle(horizon: number): LaneTrouble[] {
    this.tidyUp();
    let count = 0;
    while (count < this.pending.length && (this.pending[count] as Sighting).at < horizon) count += 1;
    if (count === 0) return [];
    if (count === this.pending.length && this.live && this.live.passed < horizon) {
      // Nothing pending can change any more, so the live state becomes the settled one. A new one is made when needed.
      const { live } = this;
      this.floor = (this.pending[count - 1] as Sighting).at;
      this.pending = NO_SIGHTINGS;
      this.settledState = live;
      this.live = undefined;
      const done = live.ended;
      live.ended = NONE_ENDED;
      return done;
    }
    for (let index = 0; index < count; index += 1) this.apply(this.settled, this.pending[index] as Sighting);
    this.floor = (this.pending[count - 1] as Sighting).at;
    this.pending.splice(0, count);
    return this.handOver(this.settled);
  }

  /** With too many pending sightings, settles the older half early; late entries of that time are lost. */
  settleOlderHalf(): LaneTrouble[] {
    this.tidyUp();
    const middle = this.pending[this.pending.length >> 1] as Sighting;
    const first = this.pending[0] as Sighting;
    return this.settle(middle.at > first.at ? middle.at : middle.at + 1);
  }

  /** The troubles at event time `now`, without those that `settle` returned. */
  troubles(now: number): LaneTrouble[] {
    const lane = this.current();
    if (lane.due <= now) this.run(lane, now);
    return lane.troubles();
  }

  /** Whether there is a trouble at event time `now`; cheaper than listing them. */
  troubled(now: number): boolean {
    if (this.innocent) return false;
    const lane = this.current();
    if (lane.due <= now) this.run(lane, now);
    if (lane.ended.length > 0) return true;
    for (const { state } of lane.slots) if (state.trouble) return true;
    return false;
  }

  /** Like `troubles`, at the end of input; the lane can't be used afterwards. */
  finish(now: number): LaneTrouble[] {
    const ended = this.settle(Number.POSITIVE_INFINITY);
    if (this.settled.due <= now) this.run(this.settled, now);
    return ended.concat(this.settled.troubles());
  }

  /** The next time at which time alone changes something. */
  deadline(): number {
    if (this.innocent) return Number.POSITIVE_INFINITY;
    const lane = this.current();
    if (lane.due === Number.NEGATIVE_INFINITY) this.run(lane, Number.NEGATIVE_INFINITY);
    return lane.due;
  }

  private current(): LaneState {
    if (!this.live) {
      this.tidyUp();
      const derived = this.settledState?.clone() ?? new LaneState(this.group.joint, this.odometer);
      for (const sighting of this.pending) this.apply(derived, sighting);
      if (!this.prompt) return derived;
      this.live = derived;
    }
    return this.live;
  }
}

function nameOf(sighting: Sighting): string {
  return `${sighting.rule} ${sighting.key}`;
}

function within(trouble: LaneTrouble, list: LaneTrouble[]): boolean {
  return list.some(
    (other) =>
      other.rule === trouble.rule &&
      other.key === trouble.key &&
      other.life.openedAt === trouble.life.openedAt,
  );
}
