/**
 * How much a counter that should only grow has counted. A fall loses nothing counted before and invents nothing: either
 * a new count began (another board), or one value was wrong and the counter comes back. Pure.
 */
import { READING_LIMITS } from './limits.ts';

/** Printers often have 32-bit counters: close to the overflow, one continues from zero. */
const WRAP = 2 ** 32;
const WRAP_MARGIN = 100_000;

export interface CounterState {
  value: number;
  /** Falls from which the counter has not come back, newest last. */
  falls?: [high: number, base: number][];
}

export interface Counted {
  state: CounterState;
  /** How much was counted since the value before. */
  grown: number;
  /** `fell`: a new count began. `returned`: the counter came back after all. */
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
  // A single jump most of the way back is no printing: the fall was a wrong value, and only what exceeds it is new.
  if (high > last && 2 * step > high - base) return { state, grown: value - high, change: 'returned' };
  return { state, grown: step };
}
