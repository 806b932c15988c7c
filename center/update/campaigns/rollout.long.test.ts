/** The whole update system over a thousand simulated fleets of 10 to 10,000 printers. */
import { failingRuns, quantile, wholeFleet } from '../../../tests/harness/rollout-runs.ts';

test('in 1,000 runs a release that fails reaches 15 printers in the median, and 60 in one of a hundred', () => {
  const runs = failingRuns(1_000, 41);
  const got = runs.map((run) => run.got);
  const large = runs.filter(({ printers }) => printers > 1_000).map((run) => run.got);
  process.stdout.write(
    `failing releases: ${runs.length} runs, printers that got it: median ${quantile(got, 0.5)}, p99 ${quantile(got, 0.99)}, most ${Math.max(...got)}; ` +
      `fleets above 1,000: median ${quantile(large, 0.5)}, p99 ${quantile(large, 0.99)} of ${large.length} runs\n`,
  );
  expect(quantile(got, 0.5)).toBeLessThanOrEqual(15);
  expect(quantile(got, 0.99)).toBeLessThanOrEqual(60);
}, 1_800_000);

test('a release that is well reaches everyone; the time it takes is told', () => {
  for (const printers of [10, 100, 1_000, 10_000]) {
    const end = wholeFleet(printers, printers, 0);
    process.stdout.write(`a well release over ${printers} printers: ${end.hours} h\n`);
    expect([end.reached, end.halted]).toEqual([printers, false]);
  }
}, 1_800_000);

test('a release that fails as often as is tolerated is halted in at most one of a hundred runs', () => {
  const runs = Array.from({ length: 400 }, (_, seed) => wholeFleet(400, seed, 0.02));
  const halted = runs.filter((run) => run.halted).length;
  process.stdout.write(`failing as often as tolerated: ${halted} of ${runs.length} halted\n`);
  // One of a hundred, and what chance adds to it in so many runs.
  expect(halted).toBeLessThanOrEqual(10);
}, 1_800_000);
