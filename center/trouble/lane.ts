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
import type { Odometer } from './rate.ts';
import type { CompiledRule } from './rule.ts';
import { compareSightings, type Sighting } from './sighting.ts';

/** A trouble with the key it belongs to. */
export interface LaneTrouble {
  rule: CompiledRule;
  key: string;
  scope: KeyScope;
  life: TroubleLife;
}

export interface Slot {
  rule: CompiledRule;
  state: KeyState;
}

/** Settled or live: the key states of a lane and how far they were fed. */
export interface LaneState {
  slots: Slot[];
  /** Troubles that ended for good since the state was derived. */
  ended: LaneTrouble[];
  /** The last instant at which time alone changed something. */
  passed: number;
}

export function emptyLane(): LaneState {
  return { slots: [], ended: [], passed: Number.NEGATIVE_INFINITY };
}

function cloneLane(lane: LaneState): LaneState {
  return {
    slots: lane.slots.map(({ rule, state }) => ({ rule, state: cloneKeyState(state) })),
    ended: [],
    passed: lane.passed,
  };
}

export class Lane {
  readonly group: RuleGroup;
  readonly odometer: Odometer | undefined;
  /** In event order unless `tidy` is false. */
  pending: Sighting[] = [];
  private tidy = true;
  settled: LaneState = emptyLane();
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

  /** @param prompt false when nobody looks before the end: then no live state is kept */
  constructor(group: RuleGroup, scope: KeyScope, odometer: Odometer | undefined, prompt: boolean) {
    this.group = group;
    this.scope = scope;
    this.scopes = group.joint ? new Map() : undefined;
    this.odometer = odometer;
    this.prompt = prompt;
  }

  /** Takes a sighting in; false when it is too late. */
  add(sighting: Sighting, scope: () => KeyScope): boolean {
    if (sighting.at <= this.floor) return false;
    if (this.cuts && sighting.at <= (this.cuts.get(nameOf(sighting)) ?? Number.NEGATIVE_INFINITY))
      return true;
    if (this.scopes) {
      const name = nameOf(sighting);
      if (!this.scopes.has(name)) this.scopes.set(name, scope());
    }
    const last = this.pending.at(-1);
    this.pending.push(sighting);
    if (last && this.tidy) {
      const order = compareSightings(last, sighting);
      if (order === 0) {
        this.pending.pop();
        return true;
      }
      if (order > 0) {
        this.tidy = false;
        this.live = undefined;
        return true;
      }
    }
    if (this.live) {
      // Time had come further than this sighting: what it alone did may not have been.
      if (sighting.at <= this.live.passed) this.live = undefined;
      else this.apply(this.live, sighting);
    }
    return true;
  }

  /**
   * Has done with one key up to `at`: its trouble is over, what was seen until then counts no more, and neither do
   * entries of that time that are still to come.
   */
  cut(rule: number, key: string, at: number): void {
    const name = `${rule} ${key}`;
    this.cuts ??= new Map();
    this.cuts.set(name, Math.max(at, this.cuts.get(name) ?? at));
    const mine = this.group.rules[rule];
    this.settled.slots = this.settled.slots.filter((slot) => slot.rule !== mine || slot.state.key !== key);
    this.pending = this.pending.filter((sighting) => nameOf(sighting) !== name || sighting.at > at);
    this.live = undefined;
  }

  /** Whether nothing here can matter for entries after `at` any more. */
  idle(at: number): boolean {
    if (this.pending.length > 0) return false;
    if (this.cuts) for (const cut of this.cuts.values()) if (cut >= at) return false;
    return this.settled.slots.every(({ rule, state }) => {
      if (state.trouble && state.trouble.closedAt === undefined) return false;
      return Math.max(state.lastSign, this.floor, this.settled.passed) + rule.horizonMs < at;
    });
  }

  /** Takes up a state that was kept. `pending` may be in any order. */
  restore(settled: LaneState, pending: Sighting[], floor: number): void {
    this.settled = settled;
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

  private around(lane: LaneState): KeySurroundings {
    return {
      odometer: this.odometer,
      silenced: (rule) =>
        lane.slots.some(
          (slot) =>
            rule.suppressedBy.includes(slot.rule.id) &&
            slot.state.trouble !== undefined &&
            slot.state.trouble.closedAt === undefined,
        ),
      shed: (rule, state, life) => {
        lane.ended.push({ rule, key: state.key, scope: state.scope, life });
      },
    };
  }

  private apply(lane: LaneState, sighting: Sighting): void {
    this.run(lane, sighting.at - 1);
    const slot = this.slotOf(lane, sighting);
    feed(slot.rule, slot.state, sighting, this.around(lane));
  }

  private slotOf({ slots }: LaneState, sighting: Sighting): Slot {
    const [first] = slots;
    if (!this.scopes && first) return first;
    const rule = this.group.rules[sighting.rule] as CompiledRule;
    for (const slot of slots) if (slot.rule === rule && slot.state.key === sighting.key) return slot;
    const scope = this.scopes?.get(nameOf(sighting)) ?? this.scope;
    const slot = { rule, state: newKeyState(rule, sighting.key, scope) };
    slots.push(slot);
    return slot;
  }

  /** Does what time alone does up to and including `until`, in the order of time. */
  private run(lane: LaneState, until: number): void {
    const { slots } = lane;
    for (;;) {
      let due = Number.POSITIVE_INFINITY;
      let first: Slot | undefined;
      for (const slot of slots) {
        const deadline = nextDeadline(slot.rule, slot.state);
        if (deadline < due || (deadline === due && first && this.order(slot.rule) < this.order(first.rule))) {
          due = deadline;
          first = slot;
        }
      }
      if (!first || due > until) return;
      lane.passed = due;
      pass(first.rule, first.state, due, this.around(lane));
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
    for (let index = 0; index < count; index += 1) this.apply(this.settled, this.pending[index] as Sighting);
    this.floor = (this.pending[count - 1] as Sighting).at;
    this.pending.splice(0, count);
    const { ended } = this.settled;
    this.settled.ended = [];
    if (this.live) this.live.ended = this.live.ended.filter((trouble) => !within(trouble, ended));
    return ended;
  }

  /** The troubles as they stand at event time `now`: those not yet handed over by `settle`. */
  troubles(now: number): LaneTrouble[] {
    const lane = this.current();
    this.run(lane, now);
    const list = lane.ended.slice();
    for (const { rule, state } of lane.slots) {
      if (state.trouble) list.push({ rule, key: state.key, scope: state.scope, life: state.trouble });
    }
    return list;
  }

  /** When time alone changes something next. */
  deadline(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { rule, state } of this.current().slots) next = Math.min(next, nextDeadline(rule, state));
    return next;
  }

  private current(): LaneState {
    if (!this.live) {
      this.tidyUp();
      const derived = cloneLane(this.settled);
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
