/**
 * `rate`: events per n pages. The pages come from the life counter in whatever entries the printer logged, so they
 * are kept once for a printer (the odometer) and not for every key.
 */
import type { Condition, ConditionState } from './conditions.ts';
import { ODOMETER_READINGS_MAX, RATE_SIGHTINGS_MAX } from './limits.ts';
import { grown, type Sighting } from './sighting.ts';

/** A reading of the life counter. */
interface Reading {
  at: number;
  log: string;
  seq: number;
  pages: number;
}

function compareReadings(left: Reading, right: Reading): number {
  if (left.at !== right.at) return left.at - right.at;
  if (left.log !== right.log) return left.log < right.log ? -1 : 1;
  return left.seq - right.seq;
}

/** The page counter readings of one printer in event order. */
export class Odometer {
  readings: Reading[] = [];

  /** Takes a reading in, in whatever order; one that was taken before changes nothing. */
  add(at: number, log: string, seq: number, pages: number): void {
    const reading = { at, log, seq, pages };
    const last = this.readings.at(-1);
    if (!last || compareReadings(last, reading) < 0) {
      const before = this.readings.at(-2);
      // In a run of equal readings only the first and the last tell something.
      if (last && before && last.pages === pages && before.pages === pages) this.readings.pop();
      this.readings.push(reading);
      if (this.readings.length > ODOMETER_READINGS_MAX) this.readings.splice(0, ODOMETER_READINGS_MAX / 4);
      return;
    }
    const place = this.place(reading);
    const there = this.readings[place];
    if (there && compareReadings(there, reading) === 0) return;
    this.readings.splice(place, 0, reading);
  }

  /** Pages printed between `from` and the entry (log, seq) at `at`; a counter that falls counts as nothing printed. */
  pages(from: number, to: Sighting | { at: number; log: string; seq: number }): number {
    let index = this.place({ at: from, log: '', seq: 0, pages: 0 });
    let total = 0;
    const end = { at: to.at, log: to.log, seq: to.seq, pages: 0 };
    for (let previous: Reading | undefined; index < this.readings.length; index += 1) {
      const reading = this.readings[index] as Reading;
      if (compareReadings(reading, end) > 0) break;
      if (previous && reading.pages > previous.pages) total += reading.pages - previous.pages;
      previous = reading;
    }
    return total;
  }

  /** Forgets what lies before `at`. */
  forget(at: number): void {
    const place = this.place({ at, log: '', seq: 0, pages: 0 });
    if (place > 64) this.readings.splice(0, place);
  }

  private place(reading: Reading): number {
    let low = 0;
    let high = this.readings.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareReadings(this.readings[middle] as Reading, reading) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

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
        ? (state.marks.at(-1) as Sighting).at + overMs + 1
        : Number.POSITIVE_INFINITY,
  };
}
