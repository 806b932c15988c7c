/** The incremental fold of readings against a computation over all readings at once, on random printer histories. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { randomFor } from '../../../base/random.ts';
import { type CounterState, countOn } from '../../../center/readings/counter.ts';
import { type DayCount, foldReading, type ReadingState } from '../../../center/readings/fold.ts';
import { dateOfDay } from '../../../center/readings/local-day.ts';
import type { EndedSupply } from '../../../center/readings/supply.ts';
import type { Readings } from '../../../schemas/types.ts';
import { type OracleReading, oracleDays, oracleSupplies } from './naive-oracle.ts';

const SEED = 20261201;
const START = Date.UTC(2026, 9, 20);
const ZONES = ['UTC', 'Europe/Berlin', 'America/Los_Angeles', 'Asia/Kolkata', 'Pacific/Apia'];

/** Histories across a daylight saving change, with gaps of minutes to weeks. */
const history = fc
  .array(
    fc.record({
      wait: fc.oneof(fc.integer({ min: 1, max: 3_600 }), fc.integer({ min: 3_600, max: 20 * 86_400 })),
      pages: fc.option(fc.integer({ min: 0, max: 5_000 }), { nil: undefined }),
      level: fc.option(fc.integer({ min: 0, max: 100 }), { nil: undefined }),
      serial: fc.option(fc.constantFrom('A', 'B'), { nil: undefined }),
    }),
    { minLength: 1, maxLength: 40 },
  )
  .map((steps) => {
    let time = START;
    let impressions = 1_000;
    return steps.map(({ wait, pages, level, serial }): OracleReading => {
      time += wait * 1_000;
      impressions += pages ?? 0;
      const supply = {
        ...(level === undefined ? {} : { level }),
        ...(serial === undefined ? {} : { serial }),
      };
      return {
        time,
        ...(pages === undefined ? {} : { impressions }),
        ...(Object.keys(supply).length === 0 ? {} : { supply }),
      };
    });
  });

function documentOf({ time, impressions, supply }: OracleReading, number: number): Readings {
  return {
    session: 's',
    number,
    at: new Date(time).toISOString(),
    ...(impressions === undefined ? {} : { counters: { impressions } }),
    ...(supply
      ? { supplies: [{ symbol: 'black', kind: 'toner', measure: 'percent' as const, ...supply }] }
      : {}),
  };
}

function foldAll(readings: readonly OracleReading[], zone: string) {
  let state: ReadingState | undefined;
  const days = new Map<number, DayCount>();
  const ended: EndedSupply[] = [];
  for (const [index, reading] of readings.entries()) {
    const folded = foldReading(state, documentOf(reading, index), reading.time, zone);
    // In the form in which the store keeps it.
    state = JSON.parse(JSON.stringify(folded.state)) as ReadingState;
    days.set(state.today.day, state.today);
    ended.push(...folded.ended);
    expect(foldReading(state, documentOf(reading, index), reading.time + 1, zone).outcome).toBe('again');
  }
  return { state, days: [...days.values()], ended };
}

test('rows a day are what all readings of the day at once come to, in any zone', () => {
  fc.assert(
    fc.property(history, fc.constantFrom(...ZONES), (readings, zone) => {
      const { days } = foldAll(readings, zone);
      expect(
        days.map(({ day, readings: count, gap_days, counters }) => ({
          date: dateOfDay(day),
          readings: count,
          grown: counters['impressions']?.grown,
          end: counters['impressions']?.end,
          gap: gap_days,
        })),
      ).toEqual(oracleDays(readings, zone));
    }),
    { seed: SEED, numRuns: 300 },
  );
});

test('cartridges are what the levels and serial numbers at once say', () => {
  fc.assert(
    fc.property(history, (readings) => {
      const { state, ended } = foldAll(readings, 'UTC');
      const current = state?.supplies['black'];
      const all = [...ended.map(({ supply }) => supply), ...(current ? [current] : [])];
      const share = (level: number | undefined) => (level === undefined ? undefined : level / 100);
      expect(
        all.map(({ since_ms, sinceLeft, left, serial }) => ({ from: since_ms, sinceLeft, left, serial })),
      ).toEqual(
        oracleSupplies(readings).map(({ from, first, last, serials }) => ({
          from,
          sinceLeft: share(first),
          left: share(last),
          serial: serials[0],
        })),
      );
    }),
    { seed: SEED, numRuns: 300 },
  );
});

/** A counter with a known true total: boards are exchanged, and some answers are wrong. */
function life(seed: number, wrongAnswers: boolean, boards: boolean) {
  const random = randomFor(seed, 'counter');
  const told: number[] = [];
  let value = 20_000 + Math.floor(random() * 500_000);
  let truth = 0;
  let known = false;
  for (let index = 0; index < 400; index += 1) {
    if (boards && value > 20_000 && random() < 0.02) {
      // A new board begins far below: one that begins above looks like printing. Pages printed around the exchange are
      // not seen.
      value = Math.floor(random() * 1_000);
      known = false;
    }
    const pages = Math.floor(random() ** 4 * 500);
    value += pages;
    if (known) truth += pages;
    if (wrongAnswers && known && random() < 0.05) told.push(Math.floor(random() * value * 0.4));
    told.push(value);
    known = true;
  }
  return { told, truth };
}

function countAll(values: readonly number[]): { grown: number; fell: number; returned: number } {
  let state: CounterState | undefined;
  const sum = { grown: 0, fell: 0, returned: 0 };
  for (const value of values) {
    const counted = countOn(state, value);
    state = counted.state;
    sum.grown += counted.grown;
    if (counted.change) sum[counted.change] += 1;
  }
  return sum;
}

test('a counter that only grows counts from its first value to its last', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(10_000), { minLength: 1 }), (steps) => {
      let value = 0;
      const values = steps.map((step) => (value += step));
      expect(countAll(values)).toEqual({ grown: value - (steps[0] ?? 0), fell: 0, returned: 0 });
    }),
    { seed: SEED },
  );
});

test('wrong answers lose no page and invent none', () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const { told, truth } = life(seed, true, false);
    const { grown, fell, returned } = countAll(told);
    expect([seed, grown, fell]).toEqual([seed, truth, returned]);
  }
});

test('another board loses no page that was told and invents none', () => {
  let exchanges = 0;
  for (let seed = 1; seed <= 300; seed += 1) {
    const { told, truth } = life(seed, false, true);
    const { grown, fell } = countAll(told);
    exchanges += fell;
    expect([seed, grown]).toEqual([seed, truth]);
  }
  expect(exchanges).toBeGreaterThan(300);
});

test('whatever comes together, never more is counted than was printed', () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const { told, truth } = life(seed, true, true);
    expect(countAll(told).grown).toBeLessThanOrEqual(truth);
  }
});

test('a counter of 32 bits that overflows goes on', () => {
  expect(countAll([2 ** 32 - 10, 2 ** 32 - 1, 4, 9])).toEqual({ grown: 19, fell: 0, returned: 0 });
});

test('a clock that is wrong dates nothing: the reading counts for the moment in which it came', () => {
  const at = (text: string, received: number, before?: ReadingState) =>
    foldReading(
      before,
      { session: 's', number: (before?.today.readings ?? 0) + 1, at: text },
      received,
      'UTC',
    ).state;
  const noon = Date.UTC(2026, 11, 1, 12);
  expect(at('1970-01-01T00:00:07Z', noon).time_ms).toBe(noon);
  expect(at('2031-01-01T00:00:00Z', noon).time_ms).toBe(noon);
  expect(at('2026-12-01T11:58:00Z', noon).time_ms).toBe(noon - 120_000);
  // And never before the previous reading.
  const first = at('2026-12-01T12:00:00Z', noon);
  expect(at('2026-12-01T09:00:00Z', noon + 1_000, first).time_ms).toBe(noon);
});
