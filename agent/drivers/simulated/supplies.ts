/**
 * The supplies of a simulated printer: they wear with printed pages and are replaced when nearly empty, and pages
 * follow the hour of the day. Pure: everything follows from the page count, so a printer that was off resumes where it
 * stopped.
 */
import type { ReadingSupply } from '../../../schemas/types.ts';

export interface SimulatedSupply {
  symbol: string;
  kind: string;
  color?: string;
  unit?: string;
  model?: string;
  /** Pages that a full supply lasts. */
  pages: number;
  /** Remaining share at which somebody replaces it. */
  exchangeAt: number;
  /** Pages that the first one had printed when the printer's counter was zero; may be negative. */
  offset: number;
  serial: string;
}

const LOW = 0.15;
const PERCENT = 100;

/** Pages from one replacement to the next. */
function span({ pages, exchangeAt }: SimulatedSupply): number {
  return Math.max(1, Math.floor(pages * (1 - exchangeAt)));
}

/** A supply as a reading reports it, after this many pages. */
export function supplyAt(supply: SimulatedSupply, pages: number): ReadingSupply {
  const { symbol, kind, color, unit, model, serial, offset } = supply;
  const position = pages + offset;
  const number = Math.floor(position / span(supply));
  const level = Math.max(0, 1 - (position - number * span(supply)) / supply.pages);
  return {
    symbol,
    kind,
    ...(color === undefined ? {} : { color }),
    ...(unit === undefined ? {} : { unit }),
    ...(model === undefined ? {} : { model }),
    serial: `${serial}-${number}`,
    level: Math.ceil(level * PERCENT),
    capacity: PERCENT,
    measure: 'percent',
    known: 'exact',
    state: level <= 0 ? 'empty' : level < LOW ? 'low' : 'ok',
  };
}

const HOUR_MS = 3_600_000;
const WEEK_HOURS = 168;
/** The epoch was a Thursday; weeks are counted from the Monday before. */
const MONDAY_MS = -3 * 24 * HOUR_MS;

/** How busy an office is in each hour of a working day; weekends have a tenth of it. */
const OFFICE_HOURS = [0, 0, 0, 0, 0, 1, 4, 10, 16, 18, 17, 14, 9, 13, 16, 15, 12, 7, 3, 1, 0, 0, 0, 0];
const WEEKEND = 0.1;

/** For each hour of the week, the share of the week's work that is done before it begins. */
const OFFICE_DONE: readonly number[] = (() => {
  const weights = Array.from({ length: WEEK_HOURS }, (_, hour) => {
    const weight = OFFICE_HOURS[hour % 24] ?? 0;
    return hour >= 5 * 24 ? weight * WEEKEND : weight;
  });
  const all = weights.reduce((sum, weight) => sum + weight, 0);
  let done = 0;
  const before = weights.map((weight) => {
    const share = done / all;
    done += weight;
    return share;
  });
  return [...before, 1];
})();

/** Hours of average work since a fixed time. It grows by one week's hours per week: quickly by day, hardly at night. */
export function officeHours(time_ms: number): number {
  const hours = (time_ms - MONDAY_MS) / HOUR_MS;
  const week = Math.floor(hours / WEEK_HOURS);
  const within = hours - week * WEEK_HOURS;
  const hour = Math.floor(within);
  const [begun = 0, ended = 1] = [OFFICE_DONE[hour], OFFICE_DONE[hour + 1]];
  return WEEK_HOURS * (week + begun + (ended - begun) * (within - hour));
}
