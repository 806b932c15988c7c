/**
 * Adds a reading to what is known of its printer: counters by day, supplies by cartridge, the latest of everything.
 * Pure: the same readings in the same order give the same state, however they are batched.
 */
import { PlatenError } from '../../schemas/errors.ts';
import type { ReadingFacts, ReadingInput, Readings } from '../../schemas/types.ts';
import { type CounterState, countOn } from './counter.ts';
import { READING_LIMITS } from './limits.ts';
import { localDay } from './local-day.ts';
import type { Derived } from './signs.ts';
import { type EndedSupply, type SupplyState, supplyOn } from './supply.ts';

/** Counts of one day in the printer's zone. */
export interface DayCount {
  day: number;
  readings: number;
  first_ms: number;
  last_ms: number;
  /** Number of counters that started again. */
  resets: number;
  /** Number of exchanged supplies; missing for none. */
  exchanges?: number;
  /** Days without a reading before this one, whose counts are included in this day. */
  gap_days: number;
  /** Value at the end of the day, and the amount counted on it. */
  counters: Record<string, { end: number; grown: number; resets?: number }>;
}

/** What is known of one printer's readings. */
export interface ReadingState {
  /** Agent starts with their highest numbers, the current one last. */
  sessions: [session: string, number: number][];
  /** The time assigned to the last reading. */
  time_ms: number;
  /** The printer's own time of it. */
  at: string;
  today: DayCount;
  counters: Record<string, CounterState & { seen_ms: number }>;
  supplies: Record<string, SupplyState>;
  state?: Readings['state'];
  reasons?: string[];
  inputs?: ReadingInput[];
  facts?: ReadingFacts;
}

export interface Folded {
  /** `again`: known already. `late`: of an earlier session; it is kept without further effect. */
  outcome: 'new' | 'again' | 'late';
  state: ReadingState;
  /** Supplies that were exchanged or dropped. */
  ended: EndedSupply[];
  /** Symbols of supplies that must be written. */
  changed: string[];
  /** Limits that the reading exceeded. */
  notes: PlatenError[];
  /** What rules need to know of earlier readings; only for a new one. */
  derived?: Derived;
}

const DAY_MS = 86_400_000;

/** The time of a reading: the printer's own where it is plausible, and never before the last one. */
function timeOf(at: string, received_ms: number, before_ms: number | undefined): number {
  const at_ms = Date.parse(at);
  const { at_behind_ms_max, at_ahead_ms_max } = READING_LIMITS;
  const right = at_ms >= received_ms - at_behind_ms_max && at_ms <= received_ms + at_ahead_ms_max;
  return Math.max(right ? at_ms : received_ms, before_ms ?? Number.NEGATIVE_INFINITY);
}

/** The sessions with this number added; undefined when it was there before. */
function numbered(
  sessions: ReadingState['sessions'],
  session: string,
  number: number,
): { sessions: ReadingState['sessions']; late: boolean } | undefined {
  const index = sessions.findIndex(([known]) => known === session);
  if (index < 0) {
    return {
      sessions: [...sessions, [session, number] as [string, number]].slice(-READING_LIMITS.sessions_max),
      late: false,
    };
  }
  if (number <= (sessions[index]?.[1] ?? 0)) return undefined;
  const next = sessions.map((one, at) => (at === index ? ([session, number] as [string, number]) : one));
  return { sessions: next, late: index < sessions.length - 1 };
}

/** A copy that accepts any member name, even "__proto__". */
function copied<T>(members: Record<string, T> | undefined): Record<string, T> {
  return Object.assign(Object.create(null) as Record<string, T>, members);
}

function emptyDay(day: number, time_ms: number, gap_days: number): DayCount {
  return { day, readings: 0, first_ms: time_ms, last_ms: time_ms, resets: 0, gap_days, counters: {} };
}

/** When there are too many names, the one unseen for longest; undefined while there is room, or when none may go. */
function givesWay<T extends { seen_ms: number }>(
  known: Record<string, T>,
  time_ms: number,
): string | undefined {
  let oldest: string | undefined;
  let oldest_ms = time_ms - READING_LIMITS.name_unseen_ms_max;
  for (const [name, { seen_ms }] of Object.entries(known)) {
    if (seen_ms >= oldest_ms) continue;
    oldest = name;
    oldest_ms = seen_ms;
  }
  return oldest;
}

/** Makes room for a name. @returns the name that was dropped, or false when there was none */
function makeRoom<T extends { seen_ms: number }>(
  known: Record<string, T>,
  name: string,
  most: number,
  time_ms: number,
): { gone?: string } | false {
  if (Object.hasOwn(known, name) || Object.keys(known).length < most) return {};
  const gone = givesWay(known, time_ms);
  return gone === undefined ? false : { gone };
}

function tooMany(what: string, name: string, limit: number): PlatenError {
  return new PlatenError('payload/too-many-names', { what, name, limit });
}

function takeCounters(state: ReadingState, reading: Readings, notes: PlatenError[]): void {
  const { today, time_ms } = state;
  const { counters_max } = READING_LIMITS;
  for (const [name, value] of Object.entries(reading.counters ?? {})) {
    const room = makeRoom(state.counters, name, counters_max, time_ms);
    if (!room) {
      if (!notes.some(({ code }) => code === 'payload/too-many-names'))
        notes.push(tooMany('counters', name, counters_max));
      continue;
    }
    if (room.gone !== undefined) delete state.counters[room.gone];
    const known = Object.hasOwn(state.counters, name) ? state.counters[name] : undefined;
    const { state: counted, grown, change } = countOn(known, value);
    state.counters[name] = { ...counted, seen_ms: time_ms };
    const before = Object.hasOwn(today.counters, name) ? today.counters[name] : undefined;
    let resets = before?.resets ?? 0;
    if (change === 'fell') resets += 1;
    // A fall on an earlier day stays in its record, which may have been read already.
    else if (change === 'returned' && resets > 0) resets -= 1;
    today.resets += resets - (before?.resets ?? 0);
    today.counters[name] = {
      end: value,
      grown: (before?.grown ?? 0) + grown,
      ...(resets > 0 ? { resets } : {}),
    };
  }
}

function takeSupplies(
  state: ReadingState,
  reading: Readings,
  folded: Omit<Folded, 'outcome' | 'state'>,
): void {
  const { time_ms, today } = state;
  const { supplies_max, exchanges_day_max } = READING_LIMITS;
  for (const supply of reading.supplies ?? []) {
    const { symbol } = supply;
    const room = makeRoom(state.supplies, symbol, supplies_max, time_ms);
    if (!room) {
      if (!folded.notes.some(({ values }) => values['what'] === 'supplies')) {
        folded.notes.push(tooMany('supplies', symbol, supplies_max));
      }
      continue;
    }
    const gone = room.gone === undefined ? undefined : state.supplies[room.gone];
    if (room.gone !== undefined && gone) {
      folded.ended.push({ symbol: room.gone, until_ms: gone.seen_ms, supply: gone });
      delete state.supplies[room.gone];
    }
    const known = Object.hasOwn(state.supplies, symbol) ? state.supplies[symbol] : undefined;
    const mayExchange = (today.exchanges ?? 0) < exchanges_day_max;
    const step = supplyOn(known, supply, time_ms, today.day, mayExchange);
    state.supplies[symbol] = step.state;
    if (step.ended) {
      today.exchanges = (today.exchanges ?? 0) + 1;
      folded.ended.push({ symbol, until_ms: step.state.since_ms, supply: step.ended });
    }
    if (step.refused && !folded.notes.some(({ code }) => code === 'payload/too-many-exchanges')) {
      folded.notes.push(new PlatenError('payload/too-many-exchanges', { limit: exchanges_day_max, symbol }));
    }
    if (step.changed) folded.changed.push(symbol);
    if (step.beyond && !folded.notes.some(({ code }) => code === 'payload/level-beyond-capacity')) {
      folded.notes.push(new PlatenError('payload/level-beyond-capacity', { symbol, ...step.beyond }));
    }
  }
}

/**
 * Takes one reading.
 * @param before the state so far; it is not changed
 * @param received_ms when the reading came, by the center's clock
 * @param zone the printer's time zone
 */
export function foldReading(
  before: ReadingState | undefined,
  reading: Readings,
  received_ms: number,
  zone: string | undefined,
): Folded {
  const folded = { ended: [], changed: [], notes: [] } as Omit<Folded, 'outcome' | 'state'>;
  const numbers = numbered(before?.sessions ?? [], reading.session, reading.number);
  if (!numbers) {
    if (!before) throw new Error('a number is known of a printer of which nothing is');
    return { outcome: 'again', state: before, ...folded };
  }
  const { sessions } = numbers;
  if (before && numbers.late) return { outcome: 'late', state: { ...before, sessions }, ...folded };
  const time_ms = timeOf(reading.at, received_ms, before?.time_ms);
  // Otherwise a printer that moves west would have a day twice.
  const day = Math.max(localDay(time_ms, zone), before?.today.day ?? Number.NEGATIVE_INFINITY);
  const sameDay = before?.today.day === day;
  const gap_days = before && !sameDay ? day - before.today.day - 1 : 0;
  const today = sameDay ? structuredClone(before.today) : emptyDay(day, time_ms, gap_days);
  today.readings += 1;
  today.last_ms = time_ms;
  const state: ReadingState = {
    ...before,
    sessions,
    time_ms,
    at: reading.at,
    today,
    counters: copied(before?.counters),
    supplies: copied(before?.supplies),
  };
  if (reading.state !== undefined) state.state = reading.state;
  if (reading.reasons !== undefined) state.reasons = reading.reasons;
  if (reading.inputs !== undefined) state.inputs = reading.inputs;
  if (reading.facts !== undefined) state.facts = { ...before?.facts, ...reading.facts };
  takeCounters(state, reading, folded.notes);
  takeSupplies(state, reading, folded);
  return { outcome: 'new', state, ...folded, derived: derivedOf(reading, before, state) };
}

function derivedOf(reading: Readings, before: ReadingState | undefined, state: ReadingState): Derived {
  const exchanged: string[] = [];
  const ends: [string, number][] = [];
  for (const { symbol } of reading.supplies ?? []) {
    const now = Object.hasOwn(state.supplies, symbol) ? state.supplies[symbol] : undefined;
    const then = before && Object.hasOwn(before.supplies, symbol) ? before.supplies[symbol] : undefined;
    if (now && then && now.since_ms !== then.since_ms) exchanged.push(symbol);
    if (now?.forecast) ends.push([symbol, Math.round(now.forecast.from_ms + now.forecast.days * DAY_MS)]);
  }
  return {
    t: state.time_ms,
    ...(exchanged.length > 0 ? { x: exchanged } : {}),
    ...(ends.length > 0 ? { e: ends } : {}),
  };
}
