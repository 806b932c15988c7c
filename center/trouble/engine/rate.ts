/**
 * `rate`: events per n pages. The pages come from the life counter in whatever entries the printer logged, so they
 * are kept once for a printer (the odometer) and not for every key.
 */
import type { Condition, ConditionState } from './conditions.ts';
import { RATE_SIGHTINGS_MAX } from './limits.ts';
import type { Odometer } from './odometer.ts';
import { grown, type Sighting } from './sighting.ts';

export interface RateOptions {
  /** Pages that the rate is told for. */
  n: number;
  ge: number;
  /** No rate before so many pages were printed in the window. */
  minPages: number;
  overMs: number;
  bit: number;
}

/** At least `ge` sightings for every `n` pages that the printer printed within `over`. */
export function rate({ n, ge, minPages, overMs, bit }: RateOptions): Condition {
  // level holds the rate as of the last sighting: the pages known then, not those that come later.
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
