/** The life counter of one printer: pages printed between two moments, from the readings in its entries. */
import { ODOMETER_READINGS_MAX } from './limits.ts';

/** A reading of the life counter. */
interface Reading {
  at: number;
  log: string;
  seq: number;
  pages: number;
  /** Rise of the counter from the first remembered reading to this one. */
  risen: number;
}

type Moment = Pick<Reading, 'at' | 'log' | 'seq'>;

function compareMoments(left: Moment, right: Moment): number {
  if (left.at !== right.at) return left.at - right.at;
  if (left.log !== right.log) return left.log < right.log ? -1 : 1;
  return left.seq - right.seq;
}

/** With fewer readings forgetting doesn't pay off. */
const FORGET_MIN = 64;

/** The page counter readings of one printer in event order. */
export class Odometer {
  readings: Reading[] = [];
  private readonly readingsMax: number;
  private forgetAt = FORGET_MIN;

  /** @param readingsMax above it the oldest quarter is forgotten, even if a window may still need it */
  constructor(readingsMax = ODOMETER_READINGS_MAX) {
    this.readingsMax = readingsMax;
  }

  /** Adds a reading, in any order; a repeated one changes nothing. */
  add(at: number, log: string, seq: number, pages: number): void {
    const { readings } = this;
    const last = readings.at(-1);
    const reading = { at, log, seq, pages, risen: 0 };
    if (!last || compareMoments(last, reading) < 0) {
      const before = readings.at(-2);
      // In a run of equal readings only the first and the last matter.
      if (last && before && last.pages === pages && before.pages === pages) readings.pop();
      readings.push(reading);
      this.sum(readings.length - 1);
      if (readings.length > this.readingsMax) readings.splice(0, this.readingsMax >> 2);
      return;
    }
    const place = this.place(reading);
    const there = readings[place];
    if (there && compareMoments(there, reading) === 0) return;
    readings.splice(place, 0, reading);
    this.sum(place);
  }

  // A falling counter means a reset: no pages are known to have been printed.
  private sum(from: number): void {
    for (let index = from; index < this.readings.length; index += 1) {
      const reading = this.readings[index] as Reading;
      const before = this.readings[index - 1];
      reading.risen = before ? before.risen + Math.max(0, reading.pages - before.pages) : 0;
    }
  }

  /** Discards readings after `at`: the clock was wrong. */
  forgetAfter(at: number): void {
    this.readings = this.readings.filter((reading) => reading.at <= at);
  }

  /** Pages printed between `from` and the entry (log, seq) at `at`, both included. */
  pages(from: number, to: Moment): number {
    const first = this.place({ at: from, log: '', seq: 0 });
    let last = this.place(to);
    const there = this.readings[last];
    if (!there || compareMoments(there, to) > 0) last -= 1;
    if (last <= first) return 0;
    return (this.readings[last] as Reading).risen - (this.readings[first] as Reading).risen;
  }

  /** Whether forgetting pays off. */
  get full(): boolean {
    return this.readings.length >= this.forgetAt;
  }

  /** Forgets readings before `at`, when that pays off. */
  forget(at: number): void {
    if (!this.full) return;
    this.readings.splice(0, this.place({ at, log: '', seq: 0 }));
    this.forgetAt = Math.max(FORGET_MIN, this.readings.length * 2);
  }

  private place(moment: Moment): number {
    let low = 0;
    let high = this.readings.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareMoments(this.readings[middle] as Reading, moment) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
