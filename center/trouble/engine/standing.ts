/**
 * Conditions on readings: states that last until a later reading ends them, and counters that pass marks.
 * `reading-rules.ts` has turned each reading into two bits: "holds" and "holds no more".
 */
import type { Condition } from './conditions.ts';
import { WAITING_MAX } from './limits.ts';
import { grown, type Sighting } from './sighting.ts';

const has = ({ mask }: Sighting, bit: number): boolean => (mask & (1 << bit)) !== 0;

export interface StandingBits {
  on: number;
  off: number;
}

/** Holds from the first reading that says so (with `forMs`: that long after it) until one says that it is over. */
export function standing({ on, off }: StandingBits, forMs = 0): Condition {
  // marks: per supply (values[0]) the sighting that began it. level 1: it holds.
  return {
    horizon: 0,
    needs: 1,
    lasting: true,
    stays: true,
    standing: true,
    take(state, sighting) {
      const [subject] = sighting.values;
      if (has(sighting, off)) {
        state.marks = state.marks.filter(({ values }) => values[0] !== subject);
        if (state.marks.length === 0) state.level = 0;
      }
      if (!has(sighting, on) || state.marks.some(({ values }) => values[0] === subject)) return false;
      if (state.marks.length < WAITING_MAX) state.marks = grown(state.marks, sighting);
      if (forMs > 0) return false;
      state.level = 1;
      return true;
    },
    holds: (state) => state.level > 0,
    measure: () => 0,
    evidence: (state) => state.marks.slice(),
    ...(forMs > 0
      ? {
          deadline(state) {
            const [first] = state.marks;
            return first === undefined || state.level > 0 ? Number.POSITIVE_INFINITY : first.at + forMs;
          },
          fire(state) {
            state.level = 1;
          },
        }
      : {}),
    ends: () => Number.POSITIVE_INFINITY,
  };
}

/** Holds only at the moment of a reading in which a counter has passed another mark. */
export function crossing({ on }: StandingBits): Condition {
  return {
    horizon: 0,
    needs: 1,
    take(state, sighting) {
      if (!has(sighting, on)) return false;
      state.marks = [sighting];
      return true;
    },
    holds: (state, at) => state.marks[0]?.at === at,
    measure: () => 0,
    evidence: (state) => state.marks.slice(),
    ends: (state) => state.marks[0]?.at ?? Number.POSITIVE_INFINITY,
  };
}
