/**
 * One supply of a printer over time: its level and its exchanges. Pure.
 */
import type { ReadingSupply } from '../../schemas/types.ts';
import { type Forecast, forecastOf } from './forecast.ts';
import { READING_LIMITS } from './limits.ts';

/** A level that rises by more than this share of the capacity means an exchange. */
const EXCHANGE_RISE = 0.2;
const SHARE_DIGITS = 10_000;

export interface SupplyState {
  kind: string;
  color?: string;
  unit?: string;
  model?: string;
  serial?: string;
  measure?: ReadingSupply['measure'];
  capacity?: number;
  level?: number;
  known: NonNullable<ReadingSupply['known']>;
  state?: ReadingSupply['state'];
  /** Last known share of the capacity that is left. */
  left?: number;
  /** When this one was first seen, and its level then. */
  since_ms: number;
  sinceLeft?: number;
  /** Why it counts as another one than before; missing for the first. */
  exchange?: 'serial' | 'level';
  seen_ms: number;
  /** Its level at the end of each day. */
  days: [day: number, left: number][];
  /** When it will be empty, counted from the end of the last whole day. */
  forecast?: Forecast & { from_ms: number };
}

/** A supply that was exchanged, or is no longer reported. */
export interface EndedSupply {
  symbol: string;
  until_ms: number;
  supply: SupplyState;
}

export interface SupplyStep {
  state: SupplyState;
  /** The supply that was there before, if this is another one. */
  ended?: SupplyState;
  /** Whether it must be written. */
  changed: boolean;
  /** It seems to be another one but doesn't count as such. */
  refused?: true;
  /** The level was above the capacity. */
  beyond?: { level: number; capacity: number };
}

/** The value that a level is a share of. */
function capacityOf({ capacity, measure }: ReadingSupply): number | undefined {
  const full = capacity ?? (measure === 'percent' ? 100 : undefined);
  return full !== undefined && full > 0 ? full : undefined;
}

/** The share that is left, rounded; undefined when the level was not measured. */
export function shareLeft(supply: ReadingSupply): number | undefined {
  const { level, known = 'exact' } = supply;
  const capacity = capacityOf(supply);
  if (level === undefined || capacity === undefined || known === 'some' || known === 'unknown')
    return undefined;
  return Math.round(Math.min(level / capacity, 1) * SHARE_DIGITS) / SHARE_DIGITS;
}

/** The rise of a share, without rounding errors. */
function rise(from: number, to: number): number {
  return Math.round((to - from) * SHARE_DIGITS) / SHARE_DIGITS;
}

function exchangeOf(
  before: SupplyState,
  supply: ReadingSupply,
  left: number | undefined,
): SupplyState['exchange'] {
  const { serial } = supply;
  if (serial !== undefined && before.serial !== undefined && serial !== before.serial) return 'serial';
  if (left !== undefined && before.left !== undefined && rise(before.left, left) > EXCHANGE_RISE)
    return 'level';
  return undefined;
}

/** The supply with the values of a reading; missing values stay. */
function told(
  before: SupplyState | undefined,
  supply: ReadingSupply,
): Omit<SupplyState, 'since_ms' | 'seen_ms' | 'days'> {
  const { kind, level } = supply;
  const known = supply.known ?? (level === undefined ? 'unknown' : 'exact');
  const result: Omit<SupplyState, 'since_ms' | 'seen_ms' | 'days'> = { kind, known };
  for (const name of ['color', 'unit', 'model', 'serial', 'measure', 'capacity', 'state'] as const) {
    const value = supply[name] ?? before?.[name];
    if (value !== undefined) Object.assign(result, { [name]: value });
  }
  const capacity = capacityOf(supply);
  if (level !== undefined) result.level = capacity === undefined ? level : Math.min(level, capacity);
  return result;
}

function withDay(days: SupplyState['days'], day: number, left: number): SupplyState['days'] {
  const before = days.at(-1)?.[0] === day ? days.slice(0, -1) : days;
  return [...before, [day, left] as [number, number]].slice(-READING_LIMITS.level_days_max);
}

/**
 * Applies a reading to one supply.
 * @param mayExchange whether another serial number, or a rising level, may still count as an exchange
 */
export function supplyOn(
  before: SupplyState | undefined,
  supply: ReadingSupply,
  time_ms: number,
  day: number,
  mayExchange = true,
): SupplyStep {
  const capacity = capacityOf(supply);
  const beyond =
    supply.level !== undefined && capacity !== undefined && supply.level > capacity
      ? { beyond: { level: supply.level, capacity } }
      : {};
  const left = shareLeft(supply);
  const seems = before && exchangeOf(before, supply, left);
  const exchange = mayExchange ? seems : undefined;
  if (!before || exchange) {
    const state: SupplyState = {
      ...told(undefined, supply),
      // Every supply needs its own start, even when two readings have the same time.
      since_ms: before ? Math.max(time_ms, before.since_ms + 1) : time_ms,
      seen_ms: time_ms,
      days: left === undefined ? [] : [[day, left]],
      ...(left === undefined ? {} : { left, sinceLeft: left }),
      ...(exchange ? { exchange } : {}),
    };
    return { state, changed: true, ...(exchange ? { ended: before } : {}), ...beyond };
  }
  const lastDay = before.days.at(-1);
  const moved = left !== undefined && (lastDay?.[0] !== day || lastDay[1] !== left);
  const days = moved ? withDay(before.days, day, left) : before.days;
  // Only whole days show the use per day, so it is computed when the next one begins.
  const whole = moved && lastDay && lastDay[0] !== day ? forecastOf(before.days) : undefined;
  const forecast = whole ? { ...whole, from_ms: before.seen_ms } : before.forecast;
  const shown = left ?? before.left;
  const state: SupplyState = {
    ...told(before, supply),
    since_ms: before.since_ms,
    seen_ms: time_ms,
    days,
    ...(shown === undefined ? {} : { left: shown }),
    ...(before.sinceLeft === undefined ? {} : { sinceLeft: before.sinceLeft }),
    ...(before.exchange ? { exchange: before.exchange } : {}),
    ...(forecast ? { forecast } : {}),
  };
  const refused = seems ? ({ refused: true } as const) : {};
  return { state, changed: !sameShown(before, state), ...refused, ...beyond };
}

/** Whether all shown values are equal. The order of members doesn't matter: the database has its own. */
function sameShown(before: SupplyState, after: SupplyState): boolean {
  const { seen_ms: _then, days: _before, forecast: earlier, ...then } = before;
  const { seen_ms: _now, days: _days, forecast: later, ...now } = after;
  return sameMembers(then, now) && sameMembers(earlier ?? {}, later ?? {});
}

function sameMembers(left: object, right: object): boolean {
  const members = Object.entries(left);
  return (
    members.length === Object.keys(right).length &&
    members.every(([name, value]) => (right as Record<string, unknown>)[name] === value)
  );
}
