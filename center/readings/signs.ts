/** What trouble rules look at in a reading, including what follows from earlier readings. Pure. */
import type { Readings } from '../../schemas/types.ts';
import { shareLeft } from './supply.ts';

const PERCENT = 100;
const DAY_MS = 86_400_000;

export interface SupplySign {
  symbol: string;
  kind: string;
  color?: string;
  /** The unit of the structure that it belongs to. */
  unit?: string;
  /** Percent of its capacity, if this reading has it. */
  left?: number;
  daysLeft?: number;
  /** This reading shows another cartridge than the one before. */
  exchanged?: true;
}

export interface ReadingSigns {
  session: string;
  number: number;
  /** The time assigned to the reading. */
  time_ms: number;
  counters: Record<string, number>;
  supplies: SupplySign[];
  /** All states of the printer; undefined when this reading has none. */
  reasons?: string[];
}

/** What follows from earlier readings, stored beside the reading. */
export interface Derived {
  /** The time assigned to it. */
  t: number;
  /** Symbols of supplies that were exchanged. */
  x?: string[];
  /** When supplies will be empty. */
  e?: [symbol: string, ends_ms: number][];
}

/** Combines a reading with what was derived from earlier ones. */
export function signsOf(reading: Readings, { t, x = [], e = [] }: Derived): ReadingSigns {
  const ends = new Map(e);
  const supplies = (reading.supplies ?? []).map((supply): SupplySign => {
    const { symbol, kind, color, unit } = supply;
    const share = shareLeft(supply);
    const ends_ms = ends.get(symbol);
    return {
      symbol,
      kind,
      ...(color === undefined ? {} : { color }),
      ...(unit === undefined ? {} : { unit }),
      ...(share === undefined ? {} : { left: share * PERCENT }),
      ...(ends_ms === undefined ? {} : { daysLeft: Math.max(0, (ends_ms - t) / DAY_MS) }),
      ...(x.includes(symbol) ? { exchanged: true as const } : {}),
    };
  });
  const { session, number, counters = {}, reasons } = reading;
  return { session, number, time_ms: t, counters, supplies, ...(reasons ? { reasons } : {}) };
}
