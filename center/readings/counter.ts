/**
 * What a counter that should only grow says was counted. One that falls loses nothing that was counted before and
 * invents nothing: either a new count began (another board), or one answer was wrong and the counter comes back. Pure.
 */
import { READING_LIMITS } from './limits.ts';

/** Counters of printers are often 32 bits wide: one that was about to overflow goes on from zero. */
const WRAP = 2 ** 32;
const WRAP_MARGIN = 100_000;

export interface CounterState {
  value: number;
  /** From where, and to where, it fell without having come back since; the newest last. */
  falls?: [high: number, base: number][];
}

export interface Counted {
  state: CounterState;
  /** How much was counted since the value before. */
  grown: number;
  /** `fell`: a new count began. `returned`: it did not after all. */
  change?: 'fell' | 'returned';
}

/** Takes the next value of a counter. */
export function countOn(before: CounterState | undefined, value: number): Counted {
  if (!before) return { state: { value }, grown: 0 };
  const { value: last, falls = [] } = before;
  if (value < last) {
    if (last > WRAP - WRAP_MARGIN && last < WRAP && value < WRAP_MARGIN) {
      return { state: { value }, grown: value + WRAP - last };
    }
    const kept = [...falls, [last, value] as [number, number]].slice(-READING_LIMITS.falls_max);
    return { state: { value, falls: kept }, grown: 0, change: 'fell' };
  }
  const step = value - last;
  const passed = falls.filter(([high]) => high <= value);
  const open = falls.filter(([high]) => high > value);
  const state: CounterState = open.length > 0 ? { value, falls: open } : { value };
  if (passed.length === 0) return { state, grown: step };
  const high = Math.max(...passed.map(([from]) => from));
  const base = Math.min(...passed.map(([, to]) => to));
  // One leap over most of the way back is no printing: the fall was a wrong answer, and only what is above it is new.
  if (high > last && 2 * step > high - base) return { state, grown: value - high, change: 'returned' };
  return { state, grown: step };
}
