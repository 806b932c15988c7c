import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { run } from '../../bench/forecast.ts';
import { forecastOf, type Levels } from './forecast.ts';

/** 2026-11-30, a Monday. */
const MONDAY = 20_787;

function levels(days: number, used: (day: number) => number, from = 1): Levels {
  let left = from;
  return Array.from({ length: days }, (_, index) => {
    if (index > 0) left -= used(MONDAY + index);
    return [MONDAY + index, left] as const;
  });
}

test('the same use every day ends when it must', () => {
  const { days, low, high } = forecastOf(levels(11, () => 0.05)) ?? {};
  expect(days).toBeCloseTo(10, 1);
  expect(low).toBeCloseTo(10, 1);
  expect(high).toBeCloseTo(10, 1);
});

test.each([
  ['too few days', levels(3, () => 0.1)],
  ['nothing used', levels(20, () => 0)],
  ['hardly anything used', levels(20, () => 0.0005)],
  ['no days', []],
])('nobody can say: %s', (_, history) => expect(forecastOf(history)).toBeUndefined());

test('an office that rests at the weekend does so in the forecast too', () => {
  const work = (day: number) => ((day - MONDAY) % 7 < 5 ? 0.04 : 0);
  // From a Friday evening on, with two working days of use left: empty on Tuesday, not on Sunday.
  const history = levels(26, work, 0.8 - 0.04 + 0.08);
  expect(history.at(-1)?.[1]).toBeCloseTo(0.08);
  expect(forecastOf(history)?.days).toBeCloseTo(4, 0);
});

test('the interval holds its own estimate, and nothing is negative, whatever the history', () => {
  const history = fc.array(
    fc.tuple(fc.integer({ min: 1, max: 4 }), fc.double({ min: 0, max: 0.1, noNaN: true })),
    {
      maxLength: 40,
    },
  );
  fc.assert(
    fc.property(history, (steps) => {
      let [day, left] = [MONDAY, 1];
      const told = steps.map(([wait, used]) => {
        day += wait;
        left = Math.max(0, left - used);
        return [day, left] as const;
      });
      const forecast = forecastOf(told);
      if (!forecast) return;
      expect(forecast.low).toBeGreaterThanOrEqual(0);
      expect(forecast.low).toBeLessThanOrEqual(forecast.days);
      expect(forecast.high ?? Number.POSITIVE_INFINITY).toBeGreaterThanOrEqual(forecast.days);
    }),
    { seed: 20261201 },
  );
});

test('over 1,000 simulated supplies the interval holds the truth in about four of five cases', async () => {
  const { bars } = await run();
  expect(bars.map(({ met, value }) => [met, value])).toEqual(bars.map(({ value }) => [true, value]));
  expect(bars).toHaveLength(3);
});
