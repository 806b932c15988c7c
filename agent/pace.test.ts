/**
 * When an agent does things again: reconnects, periods.
 */
import fc from 'fast-check';
import { exponential, randomFor, seededRandom } from '../base/random.ts';
import { durationMs } from '../schemas/duration.ts';
import { Backoff } from './backoff.ts';
import { PERIOD_MS_MIN } from './limits.ts';
import { effectivePolicy } from './policy.ts';

test('reconnects are spread under a ceiling that doubles up to its end, and begins anew after a success', () => {
  const draws: number[] = [];
  const backoff = new Backoff(1_000, 8_000, () => {
    draws.push(1);
    return 0.999999;
  });
  const ceilings = Array.from({ length: 6 }, () => Math.round(backoff.next()));
  expect(ceilings).toEqual([1_000, 2_000, 4_000, 8_000, 8_000, 8_000]);
  backoff.reset();
  expect(Math.round(backoff.next())).toBe(1_000);
  expect(new Backoff(1_000, 8_000, () => 0).next()).toBe(0);
  expect(draws).toHaveLength(7);
});

test('of a thousand that lost their broker together no tenth of the time sees more than a fifth', () => {
  const waits = Array.from({ length: 1_000 }, (_, index) =>
    new Backoff(10_000, 60_000, randomFor(1, `p${index}`)).next(),
  );
  const tenths = new Array<number>(10).fill(0);
  for (const wait of waits) tenths[Math.floor(wait / 1_000)] = (tenths[Math.floor(wait / 1_000)] ?? 0) + 1;
  expect(Math.max(...tenths)).toBeLessThan(200);
  expect(Math.min(...tenths)).toBeGreaterThan(50);
});

test.each([
  ['PT10M', 600_000],
  ['P1DT2H', 93_600_000],
  ['PT0.5S', 500],
  ['P1W', 604_800_000],
  ['P1M', 2_592_000_000],
  ['PT6H', 21_600_000],
])('%s is %d ms', (text, ms) => {
  expect(durationMs(text)).toBe(ms);
});

test.each(['', 'P', 'PT', '10M', 'PT10', 'P1H', 'PT-1S', ' PT1S'])('"%s" is no duration', (text) => {
  expect(durationMs(text)).toBeUndefined();
});

test('a period of nothing does not make a printer spin', () => {
  const policy = effectivePolicy(undefined, {
    structure: { every: 'PT0S' },
    errors: { mode: 'periodic', every: 'PT0S' },
  });
  expect([policy.structure.everyMs, policy.errors.everyMs]).toEqual([PERIOD_MS_MIN, PERIOD_MS_MIN]);
});

test('without any policy: stream, structure every 6 hours, readings every hour', () => {
  expect(effectivePolicy(undefined, undefined)).toEqual({
    structure: { everyMs: 21_600_000 },
    errors: { mode: 'stream', everyMs: 600_000, atEntries: undefined },
    readings: { everyMs: 3_600_000, onChange: true },
  });
});

test('seeded chance stays in [0, 1), has the mean that is asked for, and repeats', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const [a, b] = [seededRandom(seed), seededRandom(seed)];
      for (let draw = 0; draw < 20; draw++) {
        const value = a();
        expect(value).toBeGreaterThanOrEqual(0);
        expect(value).toBeLessThan(1);
        expect(b()).toBe(value);
      }
    }),
    { seed: 20261122 },
  );
  const random = seededRandom(5);
  const mean =
    Array.from({ length: 20_000 }, () => exponential(random, 100)).reduce((sum, value) => sum + value, 0) /
    20_000;
  expect(mean).toBeGreaterThan(97);
  expect(mean).toBeLessThan(103);
});
