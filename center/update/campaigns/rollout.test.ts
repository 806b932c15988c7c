/**
 * The whole update system over simulated fleets: what must hold whatever asks for a release. `rollout.long.test.ts` has
 * the same in a thousand runs.
 */
import { failingRuns, quantile, wholeFleet } from '../../../tests/harness/rollout-runs.ts';

test('a release that fails reaches few printers, whatever asks for it and however large the fleet is', () => {
  const runs = failingRuns(60, 12);
  const got = runs.map((run) => run.got);
  expect(runs).toHaveLength(60);
  expect(quantile(got, 0.5)).toBeLessThanOrEqual(15);
  expect(Math.max(...got)).toBeLessThanOrEqual(60);
  expect(got.some((count) => count > 0)).toBe(true);
});

test('a release that is well reaches everyone', () => {
  for (const [printers, hours] of [
    [10, 2],
    [2_000, 6],
  ] as const) {
    const end = wholeFleet(printers, 3, 0);
    expect([end.reached, end.halted]).toEqual([printers, false]);
    expect(end.hours).toBeLessThanOrEqual(hours);
  }
});
