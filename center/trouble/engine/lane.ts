/**
 * A lane: what is judged together and in event order — one key of one rule, or all keys of one printer for rules
 * that keep each other silent.
 *
 * Entries may come up to `late` behind. The lane therefore keeps a settled state, which no late entry can change any
 * more, and the pending sightings after it. What operators see at once is the live state: the settled one with the
 * pending sightings applied. A sighting that comes in order is applied to the live state directly; one out of order
 * makes the live state be derived anew from the settled one. Either way the outcome depends on the set of accepted
 * sightings only, never on how they arrived.
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
 * Settled or live: the key states of a lane and how far they were fed. It is also what the key states see around them:
 * no closures are made for each entry.
 */
export class LaneState implements KeySurroundings {
  readonly odometer: Odometer | undefined;
  slots: Slot[] = [];
  /** By rule and key, of a lane with many keys. */
  readonly byName: Map<string, Slot> | undefined;
  /** Troubles that ended for good since the state was derived. */
  ended = NONE_ENDED;
  /** The last instant at which time alone changed something. */
  passed = Number.NEGATIVE_INFINITY;
  /** Time alone changes nothing before it. */
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

  /** Lets a key go. */
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

// Lists grow by being replaced, so all may begin with the same one.
const NO_SIGHTINGS: Sighting[] = [];
const NO_SLOTS: Slot[] = [];
/** Among so many waiting sightings one out of order is put at its place at once; more are sorted when they are needed. */
const INSERTED_MAX = 32;

export class Lane {
  readonly group: RuleGroup;
  readonly odometer: Odometer | undefined;
  /** In event order unless `tidy` is false. */
  pending = NO_SIGHTINGS;
  private tidy = true;
  private settledState: LaneState | undefined;
  /** Missing while it must be derived anew. */
  private live: LaneState | undefined;
  private readonly prompt: boolean;
  /** What the keys stand for, by rule and key; of a lane with one key only that one. */
  readonly scopes: Map<string, KeyScope> | undefined;
  readonly scope: KeyScope;
  /** By rule and key: up to when an operator or a cure has done with what was seen. */
  cuts: Map<string, number> | undefined;
  /** Sightings at or before it are settled: later ones that lie there are too late. */
  floor = Number.NEGATIVE_INFINITY;
  /** The key, of a lane with one only. */
  readonly key: string | undefined;
  /** What was told last, by the engine: by trouble id. */
  told: Map<string, LastReport> | undefined;
  /** The engine has to look at it. */
  touched = false;
  /** The deadline that is queued with the engine. */
  queued = Number.POSITIVE_INFINITY;
  /** Pending sightings at which it is worth settling again. */
  settleAt = SETTLE_MIN;

  /**
   * @param key of a lane with one key only: that one
   * @param prompt false when nobody looks before the end: then no live state is kept
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

  /** The settled state; made when it is first needed, because most keys are seen a few times only. */
  get settled(): LaneState {
    this.settledState ??= new LaneState(this.group.joint, this.odometer);
    return this.settledState;
  }

  /** Takes a sighting in; false when it is too late. */
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
      // Time had come further than this sighting: what it alone did may not have been.
      if (sighting.at <= this.live.passed) this.live = undefined;
      else this.apply(this.live, sighting);
    }
    return true;
  }

  /** The key states that are settled; none is made for it. */
  get slots(): Slot[] {
    return this.settledState?.slots ?? NO_SLOTS;
  }

  /** Takes in a sighting that comes before the last, where its place is: few wait, and sorting costs more. */
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
   * Has done with one key up to `at`: its trouble is over, what was seen until then counts no more, and neither do
   * entries of that time that are still to come.
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

  /** The key as it is new, but for the states that readings told: they last, whatever somebody says of the trouble. */
  private standing(name: string): Slot | undefined {
    if (!this.group.rules.some(({ reads }) => reads.length > 0)) return undefined;
    const live = this.current();
    const slot = live.byName ? live.byName.get(name) : live.slots[0];
    if (!slot) return undefined;
    const { rule, state } = slot;
    const fresh = newKeyState(rule, state.key, state.scope);
    rule.conditions.forEach((condition, index) => {
      const own = state.conditions[index];
      // Those that wait for their time to come begin anew, too: they have not held yet.
      if (condition.standing && own && own.level > 0)
        fresh.conditions[index] = { marks: own.marks.slice(), level: own.level };
    });
    return fresh.conditions.some(({ level }) => level > 0) ? { rule, state: fresh } : undefined;
  }

  /**
   * Lets go what was seen after `at`, because the printer's clock was wrong. What was settled by then is made anew,
   * unless a trouble is open in it: that has to be told to its end.
   * @returns whether anything was let go
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
   * Whether a trouble of a key that opened at `at` is beyond change: it was settled, or an operator or a cure has done
   * with it.
   */
  final(rule: number, key: string, at: number): boolean {
    const settled = Math.max(this.floor, this.passed);
    return at <= settled || at <= (this.cuts?.get(`${rule} ${key}`) ?? Number.NEGATIVE_INFINITY);
  }

  /** Event time of the newest sighting that waits. */
  get newest(): number | undefined {
    this.tidyUp();
    return this.pending.at(-1)?.at;
  }

  /** The printer whose entry is the oldest that is held. */
  get firstPrinter(): string | undefined {
    const [first] = this.pending;
    return first?.printer ?? this.slots[0]?.state.trouble?.evidence[0]?.printer;
  }

  /** Whether so little was seen that nothing can have come of it: no state need be derived to tell. */
  get innocent(): boolean {
    if (this.pending.length >= this.group.needs || this.live) return false;
    const { settledState } = this;
    return !settledState || (settledState.slots.length === 0 && settledState.ended.length === 0);
  }

  /** Whether nothing here can matter for entries from `at` on any more. */
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
   * Where no sighting waits, lets time do in the settled state what it does before `horizon`, and forgets keys that
   * cannot matter any more. Troubles that ended for good are handed over.
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
    // What is live still has them.
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

  /** The last instant at which time alone changed something that is settled. */
  get passed(): number {
    return this.settledState?.passed ?? Number.NEGATIVE_INFINITY;
  }

  /** Takes up a state that was kept. `pending` may be in any order. */
  restore(settled: LaneState | undefined, pending: Sighting[], floor: number): void {
    this.settledState = settled;
    this.pending = pending;
    this.tidy = false;
    this.floor = floor;
    this.live = undefined;
  }

  /** What was judged must be judged again: something it depends on came out of order. */
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

  /** Does what time alone does up to `until`, included unless `before`, in the order of time. */
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
   * Settles what no late entry can change any more: everything before `horizon`. Troubles that ended for good are
   * handed over.
   */
  settle(horizon: number): LaneTrouble[] {
    this.tidyUp();
    let count = 0;
    while (count < this.pending.length && (this.pending[count] as Sighting).at < horizon) count += 1;
    if (count === 0) return [];
    if (count === this.pending.length && this.live && this.live.passed < horizon) {
      // Nothing that waits can change: the live state is the settled one. Another is made when it is needed.
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

  /** Too many sightings wait: the older half is settled before its time, and late ones among them are lost. */
  settleOlderHalf(): LaneTrouble[] {
    this.tidyUp();
    const middle = this.pending[this.pending.length >> 1] as Sighting;
    const first = this.pending[0] as Sighting;
    return this.settle(middle.at > first.at ? middle.at : middle.at + 1);
  }

  /** The troubles as they stand at event time `now`: those not yet handed over by `settle`. */
  troubles(now: number): LaneTrouble[] {
    const lane = this.current();
    if (lane.due <= now) this.run(lane, now);
    return lane.troubles();
  }

  /** Whether there is any trouble at event time `now`; cheaper than to list none. */
  troubled(now: number): boolean {
    if (this.innocent) return false;
    const lane = this.current();
    if (lane.due <= now) this.run(lane, now);
    if (lane.ended.length > 0) return true;
    for (const { state } of lane.slots) if (state.trouble) return true;
    return false;
  }

  /** The same when nothing comes any more: the lane is used up. */
  finish(now: number): LaneTrouble[] {
    const ended = this.settle(Number.POSITIVE_INFINITY);
    if (this.settled.due <= now) this.run(this.settled, now);
    return ended.concat(this.settled.troubles());
  }

  /** When time alone changes something next. */
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
