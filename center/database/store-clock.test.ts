import { expect, test } from '@jest/globals';
import { StoreClock } from './store-clock.ts';

const DAY_MS = 86_400_000;
const START_MS = Date.parse('2026-11-22T07:00:00Z');

/** A machine whose two clocks are moved by hand. */
function machine(options: { trusted_ms?: number; wall_ms?: number; retention_days?: number } = {}) {
  const { trusted_ms = START_MS, wall_ms = START_MS, retention_days = 400 } = options;
  const state = { wall: wall_ms, steady: 5 };
  const clock = new StoreClock({
    wall: () => state.wall,
    steady: () => state.steady,
    trusted_ms,
    retention_days,
  });
  return {
    clock,
    leap: (ms: number) => {
      state.wall += ms;
    },
    pass: (ms: number) => {
      // Read every minute, as in reality.
      for (let left = ms; left > 0; left -= 60_000) {
        const step = Math.min(left, 60_000);
        state.wall += step;
        state.steady += step;
        clock.trusted();
      }
    },
    steadyLeaps: (ms: number) => {
      state.steady += ms;
    },
    sinceStart: () => clock.reference(undefined) - START_MS,
  };
}

test('while the clock is right it is the time, even after weeks in which the machine was off', () => {
  const { clock, pass, sinceStart } = machine({ wall_ms: START_MS + 20 * DAY_MS });
  expect(sinceStart()).toBe(20 * DAY_MS);
  pass(3 * 3_600_000);
  expect(sinceStart()).toBe(20 * DAY_MS + 3 * 3_600_000);
  expect(clock.now()).toBe(START_MS + sinceStart());
  expect(clock.fault()).toBeUndefined();
});

test.each([
  ['at a start', true],
  ['at run time', false],
])('a clock that jumps ahead %s makes nothing older', (_when, atStart) => {
  const leap_ms = 731 * DAY_MS;
  const it = machine(atStart ? { wall_ms: START_MS + leap_ms } : {});
  if (!atStart) it.leap(leap_ms);
  it.pass(2 * DAY_MS);
  expect(it.sinceStart()).toBe(2 * DAY_MS);
  expect(it.clock.now()).toBe(START_MS + leap_ms + 2 * DAY_MS);
  expect(it.clock.fault()).toMatch(/leapt 731 days ahead; everything is stored, and nothing old is dropped/);
  it.leap(-leap_ms);
  expect(it.clock.fault()).toBeUndefined();
  expect(it.sinceStart()).toBe(2 * DAY_MS);
});

test('a clock that is set back gives new data no time in the past', () => {
  const { clock, leap, pass, sinceStart } = machine();
  pass(DAY_MS);
  leap(-730 * DAY_MS);
  pass(DAY_MS);
  expect(clock.now()).toBe(START_MS + 2 * DAY_MS);
  expect(sinceStart()).toBe(-728 * DAY_MS);
  expect(clock.fault()).toMatch(/set back by 730 days/);
  leap(730 * DAY_MS);
  expect([clock.fault(), sinceStart()]).toEqual([undefined, 2 * DAY_MS]);
});

test('a small correction is followed, in both directions', () => {
  const { clock, leap } = machine();
  leap(3_600_000);
  expect(clock.now()).toBe(START_MS + 3_600_000);
  leap(-1_800_000);
  expect(clock.now()).toBe(START_MS + 1_800_000);
  expect(clock.fault()).toBeUndefined();
});

test('when both clocks jump, no more than an hour is believed', () => {
  const { steadyLeaps, leap, sinceStart, clock } = machine();
  leap(60 * DAY_MS);
  steadyLeaps(60 * DAY_MS);
  expect(sinceStart()).toBe(3_600_000);
  expect(clock.fault()).toMatch(/60 days ahead/);
});

test('the tolerance for jumps is small compared with a short retention', () => {
  const { clock, leap, sinceStart } = machine({ retention_days: 2 });
  leap(0.6 * DAY_MS);
  expect(sinceStart()).toBe(0);
  expect(clock.fault()).toBeDefined();
});

test('age is measured against the newest entry, and an operator can confirm the time', () => {
  const { clock, leap, sinceStart } = machine();
  expect(clock.reference(START_MS - 90 * DAY_MS)).toBe(START_MS - 90 * DAY_MS);
  leap(60 * DAY_MS);
  clock.trust(START_MS + 60 * DAY_MS);
  expect([sinceStart(), clock.fault()]).toEqual([60 * DAY_MS, undefined]);
  // It can't be set back again.
  clock.trust(START_MS);
  expect(sinceStart()).toBe(60 * DAY_MS);
});
