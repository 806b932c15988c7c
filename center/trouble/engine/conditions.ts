/**
 * The conditions of `when`: each is a small state machine over sightings in event order, with bounded state.
 *
 * Windows are closed on both sides: an event exactly `over` (or `within`) ago still counts. What becomes true by time
 * alone (`absent`, `silence`) does so after every event of that instant.
 */
import type { Odometer } from './odometer.ts';
import { grown, OF_READING, type Sighting } from './sighting.ts';

/** Plain, JSON-serialisable state of a condition for one key. */
export interface ConditionState {
  /** Sightings kept, oldest first; each kind of condition defines which. */
  marks: Sighting[];
  /** A number whose meaning the condition defines: a level, a deadline base, the side seen last. */
  level: number;
}

export interface Condition {
  /** How long after its last sighting the state still matters, ms; Infinity for always. */
  horizon: number;
  /** With fewer sightings it cannot hold, and time alone changes nothing. */
  needs: number;
  /**
   * Takes a sighting; returns whether it is a sign of the trouble (and not of its end). `odometer` is the one of the
   * sighting's printer, for conditions that count pages.
   */
  take(state: ConditionState, sighting: Sighting, odometer: Odometer | undefined): boolean;
  /** Whether the condition holds at event time `at`. */
  holds(state: ConditionState, at: number): boolean;
  /** The number compared with `ge`, for escalation; 0 for conditions without one. */
  measure(state: ConditionState, at: number): number;
  /** The sightings that make it hold at `at`. */
  evidence(state: ConditionState, at: number): Sighting[];
  /** When it becomes true by time alone; Infinity for never. */
  deadline?(state: ConditionState): number;
  /** Called when `deadline` has passed. */
  fire?(state: ConditionState): void;
  /** It lasts while it holds: the quiet time cannot begin before it ends. */
  lasting?: boolean;
  /** Once its level is above 0 it holds until a sighting ends it, however long after its horizon. */
  stays?: boolean;
  /** It is a state reported by readings: it matters while any mark is left, even if its trouble was closed by hand. */
  standing?: boolean;
  /** The last instant at which it holds if nothing else comes; Infinity when it doesn't hold, or has no end. */
  ends(state: ConditionState): number;
}

// Lists are copied when they grow, so all states can share the empty one.
const NO_MARKS: Sighting[] = [];

export function newState(): ConditionState {
  return { marks: NO_MARKS, level: 0 };
}

function inWindow(marks: Sighting[], from: number): Sighting[] {
  let start = 0;
  while (start < marks.length && (marks[start] as Sighting).at < from) start += 1;
  return start === 0 ? marks : marks.slice(start);
}

function passes(sighting: Sighting, bit: number): boolean {
  return bit < 0 ? (sighting.mask & OF_READING) === 0 : (sighting.mask & (1 << bit)) !== 0;
}

// Cut back only now and then, so that appending stays cheap.
function push(state: ConditionState, sighting: Sighting, max: number): void {
  const marks = grown(state.marks, sighting);
  state.marks = marks;
  if (marks.length > max) {
    if (max <= 16) marks.shift();
    else if (marks.length >= max * 2) marks.splice(0, marks.length - max);
  }
}

export interface CountOptions {
  ge: number;
  overMs: number;
  /** How many sightings are kept: at least `ge` and the highest threshold of escalation. */
  keep: number;
  bit: number;
}

/** At least `ge` sightings within `over`. */
export function count({ ge, overMs, keep, bit }: CountOptions): Condition {
  // The newest `ge` decide: if the n-th newest is in the window, there are n.
  const nth = (marks: Sighting[], n: number) => marks[marks.length - n];
  return {
    horizon: overMs,
    needs: ge,
    take(state, sighting) {
      if (!passes(sighting, bit)) return false;
      push(state, sighting, keep);
      return true;
    },
    holds(state, at) {
      const mark = nth(state.marks, ge);
      return mark !== undefined && mark.at >= at - overMs;
    },
    measure: (state, at) => Math.min(keep, inWindow(state.marks, at - overMs).length),
    evidence: (state, at) => inWindow(state.marks, at - overMs).slice(-keep),
    ends(state) {
      const mark = nth(state.marks, ge);
      const newest = state.marks.at(-1);
      // Too far apart: it does not hold now and has not held.
      const apart = !mark || !newest || mark.at + overMs < newest.at;
      return apart ? Number.POSITIVE_INFINITY : mark.at + overMs;
    },
  };
}

export interface DistinctOptions extends CountOptions {
  /** Which of the sighting's values. */
  value: number;
}

/** At least `ge` different values of a field within `over`. Keeps the newest sighting of each value. */
export function distinct({ ge, overMs, keep, bit, value }: DistinctOptions): Condition {
  return {
    ...count({ ge, overMs, keep, bit }),
    take(state, sighting) {
      const mine = sighting.values[value];
      if (mine === undefined || !passes(sighting, bit)) return false;
      const { marks } = state;
      for (let index = marks.length - 1; index >= 0; index -= 1) {
        if ((marks[index] as Sighting).values[value] === mine) {
          marks.splice(index, 1);
          break;
        }
      }
      state.marks = grown(marks, sighting);
      if (state.marks.length > keep) state.marks.shift();
      return true;
    },
  };
}

export interface BucketOptions {
  add: number;
  drain?: { amount: number; pages?: number; everyMs?: number };
  resetPages?: number;
  ge: number;
  keep: number;
  bit: number;
}

/**
 * A leaky bucket: each sighting fills it, clean pages between two sightings drain it in whole steps (for example 16
 * clean sheets take one off, 48 empty it). A falling counter means a reset: no pages are known to have been printed.
 */
export function bucket({ add, drain, resetPages, ge, keep, bit }: BucketOptions): Condition {
  const byTime = drain?.everyMs;
  // marks[0] is the last sighting with a page counter; the others fill the bucket.
  function drained(level: number, elapsedMs: number, clean: number): number {
    if (resetPages !== undefined && clean >= resetPages) return 0;
    let left = level;
    if (drain) {
      const steps =
        drain.everyMs !== undefined
          ? Math.floor(elapsedMs / drain.everyMs)
          : Math.floor(clean / (drain.pages ?? Number.POSITIVE_INFINITY));
      left -= steps * drain.amount;
    }
    return Math.max(left, 0);
  }
  const levelAt = (state: ConditionState, at: number) => {
    const last = state.marks.at(-1);
    return last && byTime !== undefined ? drained(state.level, at - last.at, 0) : state.level;
  };
  return {
    horizon: Number.POSITIVE_INFINITY,
    // Rounded down because sums of fractions are inexact.
    needs: Math.max(1, Math.min(keep, Math.floor(ge / add))),
    take(state, sighting) {
      if (!passes(sighting, bit)) return false;
      const { marks } = state;
      const counter = marks[0];
      const last = marks.at(-1);
      if (last && counter) {
        const clean =
          sighting.pages >= 0 && counter.pages >= 0 ? Math.max(0, sighting.pages - counter.pages) : 0;
        state.level = drained(state.level, sighting.at - last.at, clean);
      }
      const known = sighting.pages >= 0 || counter === undefined ? sighting : counter;
      if (state.level === 0 || marks.length === 0) {
        state.marks = [known, sighting];
      } else {
        marks[0] = known;
        state.marks = grown(marks, sighting);
        if (state.marks.length > keep + 1) state.marks.splice(1, 1);
      }
      state.level += add;
      return true;
    },
    holds: (state, at) => levelAt(state, at) >= ge,
    measure: levelAt,
    evidence: (state) => state.marks.slice(1),
    ends(state) {
      const last = state.marks.at(-1);
      if (!last || byTime === undefined || !drain || state.level < ge) return Number.POSITIVE_INFINITY;
      const steps = Math.floor((state.level - ge) / drain.amount) + 1;
      return last.at + steps * byTime;
    },
  };
}

/**
 * The patterns in order, each matched by its own sighting, all within `within`. For each length of chain only the one
 * that began last is kept, because it lives longest.
 */
export function sequence(bits: number[], withinMs: number): Condition {
  // The marks of the best chain of length k stand at k(k-1)/2 and following; missing chains are padded with undefined.
  // `level` is a bitmap of the lengths that exist.
  const total = bits.length;
  const offset = (length: number) => (length * (length - 1)) / 2;
  const exists = (state: ConditionState, length: number) => (state.level & (1 << (length - 1))) !== 0;
  const chain = (state: ConditionState, length: number) =>
    state.marks.slice(offset(length), offset(length) + length);
  return {
    horizon: withinMs,
    needs: total,
    take(state, sighting) {
      let taken = false;
      for (let length = total; length >= 1; length -= 1) {
        const bit = bits[length - 1] as number;
        if (!passes(sighting, bit)) continue;
        taken = true;
        if (length > 1) {
          if (!exists(state, length - 1)) continue;
          const start = state.marks[offset(length - 1)] as Sighting;
          if (sighting.at - start.at > withinMs) continue;
        }
        const base = length > 1 ? chain(state, length - 1) : [];
        while (state.marks.length < offset(length) + length) state.marks = grown(state.marks, sighting);
        for (let index = 0; index < length; index += 1) {
          state.marks[offset(length) + index] = base[index] ?? sighting;
        }
        state.level |= 1 << (length - 1);
      }
      return taken;
    },
    holds: (state, at) =>
      exists(state, total) && (state.marks[offset(total)] as Sighting).at >= at - withinMs,
    measure: () => 0,
    evidence: (state) => chain(state, total),
    ends: (state) =>
      exists(state, total)
        ? (state.marks[offset(total)] as Sighting).at + withinMs
        : Number.POSITIVE_INFINITY,
  };
}

/** Every pattern seen within `within`, in any order; one entry may stand for several patterns. */
export function cooccurrence(bits: number[], withinMs: number): Condition {
  const all = (1 << bits.length) - 1;
  // level: bitmap of the patterns seen; marks[i]: the newest sighting of pattern i (padded).
  const oldest = (state: ConditionState) => Math.min(...state.marks.map((mark) => mark.at));
  const newest = (state: ConditionState) => Math.max(...state.marks.map((mark) => mark.at));
  return {
    horizon: withinMs,
    needs: 1,
    take(state, sighting) {
      let taken = false;
      bits.forEach((bit, index) => {
        if (!passes(sighting, bit)) return;
        taken = true;
        while (state.marks.length <= index) state.marks = grown(state.marks, sighting);
        state.marks[index] = sighting;
        state.level |= 1 << index;
      });
      return taken;
    },
    holds: (state, at) => state.level === all && oldest(state) >= at - withinMs,
    measure: () => 0,
    evidence: (state) => [...new Set(state.marks)],
    ends: (state) =>
      state.level === all && oldest(state) + withinMs >= newest(state)
        ? oldest(state) + withinMs
        : Number.POSITIVE_INFINITY,
  };
}

/** `after` was seen and `of` did not follow within `within`. Holds from then until an `of` is seen. */
export function absence(afterBit: number, ofBit: number, withinMs: number, keep: number): Condition {
  // marks: the pending `after` sightings, oldest first; level 1: the first of them has fired (it stays).
  return {
    horizon: withinMs,
    needs: 1,
    stays: true,
    take(state, sighting) {
      if (passes(sighting, ofBit)) {
        state.marks = NO_MARKS;
        state.level = 0;
      }
      if (passes(sighting, afterBit)) {
        // Beyond `keep` the newest is dropped: the oldest fire first anyway.
        if (state.marks.length < keep) state.marks = grown(state.marks, sighting);
      }
      return false;
    },
    holds: (state) => state.level > 0,
    measure: () => 0,
    evidence: (state) => state.marks.slice(0, 1),
    deadline(state) {
      const waiting = state.marks[state.level > 0 ? 1 : 0];
      return waiting === undefined ? Number.POSITIVE_INFINITY : waiting.at + withinMs;
    },
    fire(state) {
      if (state.level > 0) state.marks.shift();
      state.level = 1;
    },
    ends: () => Number.POSITIVE_INFINITY,
  };
}

export interface FlapOptions extends CountOptions {
  first: number;
  second: number;
}

/** At least `ge` changes from one pattern to the other within `over`. */
export function flapping({ ge, overMs, keep, first, second }: FlapOptions): Condition {
  // level: 0 nothing seen, 1 the first pattern was seen last, 2 the second. marks: the changes.
  const counted = count({ ge, overMs, keep, bit: -1 });
  return {
    ...counted,
    // The side seen last decides whether the next sighting is a change, however late it comes.
    horizon: Number.POSITIVE_INFINITY,
    needs: ge + 1,
    take(state, sighting, odometer) {
      const side = passes(sighting, first) ? 1 : passes(sighting, second) ? 2 : 0;
      if (side === 0) return false;
      if (state.level !== 0 && state.level !== side) counted.take(state, sighting, odometer);
      state.level = side;
      return true;
    },
  };
}

/** No sighting within `over`. Holds until the next one. */
export function silence(overMs: number, bit: number): Condition {
  // marks[0]: the last sighting; level 1: silent.
  return {
    horizon: Number.POSITIVE_INFINITY,
    needs: 1,
    lasting: true,
    take(state, sighting) {
      if (passes(sighting, bit)) {
        state.marks = [sighting];
        state.level = 0;
      }
      return false;
    },
    holds: (state) => state.level > 0,
    measure: () => 0,
    evidence: (state) => state.marks.slice(),
    deadline(state) {
      const word = state.marks[0];
      return word === undefined || state.level > 0 ? Number.POSITIVE_INFINITY : word.at + overMs;
    },
    fire(state) {
      state.level = 1;
    },
    ends: () => Number.POSITIVE_INFINITY,
  };
}
