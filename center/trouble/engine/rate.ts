/**
 * `rate`: events per n pages. Pages come from the life counter in all of the printer's entries, so they are kept once
 * per printer (the odometer), not per key.
 */
import type { Condition, ConditionState } from './conditions.ts';
import { RATE_SIGHTINGS_MAX } from './limits.ts';
import type { Odometer } from './odometer.ts';
import { grown, type Sighting } from './sighting.ts';

export interface RateOptions {
  /** The rate is per this many pages. */
  n: number;
  ge: number;
  /** No rate before this many pages were printed in the window. */
  minPages: number;
  overMs: number;
  bit: number;
}

/** At least `ge` sightings for every `n` pages that the printer printed within `over`. */
export function rate({ n, ge, minPages, overMs, bit }: RateOptions): Condition {
  // level: the rate at the last sighting, from the pages known then.
  return {
    horizon: overMs,
    needs: 1,
    take(state: ConditionState, sighting: Sighting, odometer: Odometer | undefined) {
      if (bit >= 0 && (sighting.mask & (1 << bit)) === 0) return false;
      const marks = grown(state.marks, sighting);
      state.marks = marks;
      const from = sighting.at - overMs;
      let gone = marks.length > RATE_SIGHTINGS_MAX ? 1 : 0;
      while (gone < marks.length && (marks[gone] as Sighting).at < from) gone += 1;
      if (gone > 0) marks.splice(0, gone);
      const pages = odometer?.pages(from, sighting) ?? 0;
      state.level = pages > 0 && pages >= minPages ? (marks.length * n) / pages : 0;
      return true;
    },
    holds: (state, at) =>
      state.level >= ge && (state.marks.at(-1)?.at ?? Number.NEGATIVE_INFINITY) >= at - overMs,
    measure: (state) => state.level,
    evidence: (state, at) => state.marks.filter((mark) => mark.at >= at - overMs),
    ends: (state) =>
      state.level >= ge && state.marks.length > 0
        ? (state.marks.at(-1) as Sighting).at + overMs
        : Number.POSITIVE_INFINITY,
  };
}
