import { seededRandom as seeded } from '../../../base/random.ts';
import { simulate, type World } from '../../../bench/guards/simulation.ts';
import {
  type CohortGuard,
  drawEvidence,
  findings,
  newCohortGuard,
  observe,
  printerChanged,
  worseCode,
} from './code-guard.ts';

function median(list: number[]): number {
  return [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? Number.NaN;
}

/**
 * A fleet in which a code shows up at random, printers differing strongly, while the release is rolled out in a random
 * order at an even pace. Gives the share that has the release when the guard speaks, or undefined.
 */
function rollOut(printers: number, ratio: number, random: () => number): number | undefined {
  // Log-normal-like spread of how often each printer shows the code; half of them show it at least once.
  const propensity = Array.from({ length: printers }, () =>
    Math.exp(2 * (random() + random() + random() - 1.5)),
  );
  const updatedAt = propensity.map(() => random());
  const eventAt = propensity.map((weight, at) => {
    const rate = weight * 0.8;
    // Time to the first event when the rate changes by `ratio` at the update.
    const due = -Math.log(1 - random());
    const before = (updatedAt[at] ?? 1) * rate;
    return due < before ? due / rate : (updatedAt[at] ?? 1) + (due - before) / (rate * ratio);
  });
  const order = eventAt
    .map((at, printer) => ({ at, printer }))
    .filter(({ at }) => at < 1)
    .sort((a, b) => a.at - b.at);
  const seen = new Set<number>();
  let guard = newCohortGuard(0.01);
  for (const { at, printer } of order) {
    let withIt = 0;
    let without = 0;
    for (let other = 0; other < printers; other++) {
      if (seen.has(other)) continue;
      if ((updatedAt[other] ?? 1) <= at) withIt++;
      else without++;
    }
    const runsIt = (updatedAt[printer] ?? 1) <= at;
    guard = observe(guard, {
      kind: 'beside',
      code: 'J-7201',
      printer: `p${printer}`,
      runsIt,
      withIt,
      without,
    });
    if (worseCode(guard) !== undefined) return at;
    seen.add(printer);
  }
  return undefined;
}

test('a release that doubles a code is seen before half of the fleet has it; one that does not, seldom is', () => {
  const random = seeded(3);
  const shares = Array.from({ length: 9 }, () => rollOut(2000, 2, random) ?? 1);
  expect(median(shares)).toBeLessThan(0.5);
  const falseAlarms = Array.from({ length: 200 }, () => rollOut(200, 1, random)).filter(
    (share) => share !== undefined,
  );
  expect(falseAlarms.length / 200).toBeLessThanOrEqual(0.02);
});

/** Observations of one code, `times` times. */
function seen(guard: CohortGuard, kind: 'beside' | 'own', times: number, site?: string): CohortGuard {
  let after = guard;
  for (let n = 0; n < times; n++) {
    const common = { code: 'J-1', printer: `p${n}`, ...(site === undefined ? {} : { site }) };
    after = observe(
      after,
      kind === 'own'
        ? { kind, ...common, after: true }
        : { kind, ...common, runsIt: true, withIt: 20, without: 80 },
    );
  }
  return after;
}

test('both comparisons must say so; one alone is told in its own words', () => {
  let guard = newCohortGuard(0.01);
  for (let n = 0; n < 20; n++) guard = printerChanged(guard, true);
  const beside = seen(guard, 'beside', 12);
  expect(worseCode(beside)).toBeUndefined();
  expect(findings(beside)).toMatchObject([{ kind: 'differs', code: 'J-1' }]);
  const own = seen(guard, 'own', 20);
  expect(findings(own)).toMatchObject([{ kind: 'since', code: 'J-1' }]);
  const both = seen(seen(guard, 'own', 20), 'beside', 12, 'berlin');
  expect(worseCode(both)?.says).toMatch(
    /^the release makes J-1 more frequent .* 12 of them at the site berlin\)$/,
  );
  // Printers of which no past is known can only be compared with others.
  let young = newCohortGuard(0.01);
  for (let n = 0; n < 20; n++) young = printerChanged(young, false);
  expect(worseCode(seen(young, 'beside', 12))?.code).toBe('J-1');
});

test('busy printers first, or last, are no draw; then others alone accuse nobody', () => {
  const draw = (busy: boolean) => {
    let guard = newCohortGuard(0.01);
    for (let n = 0; n < 20; n++) guard = observe(guard, { kind: 'draw', printer: `p${n}`, busy, share: 0.5 });
    return guard;
  };
  expect(findings(draw(true))).toMatchObject([{ kind: 'draw', says: expect.stringMatching(/came first/) }]);
  expect(findings(draw(false))).toMatchObject([{ kind: 'draw', says: expect.stringMatching(/came last/) }]);
  expect(worseCode(seen(draw(true), 'beside', 12))).toBeUndefined();
  expect(drawEvidence(newCohortGuard(0.01))).toBeCloseTo(1, 10);
});

// --- whole campaigns; `npm run bench -- guards` runs thousands of each ---------------------------------------------

const INNOCENT: [string, World][] = [
  ['all on', { targets: 200 }],
  ['30 % off for a week', { targets: 200, offForAWeek: 0.3 }],
  ['each on for 10 to 100 % of the day', { targets: 200, onAtLeast: 0.1 }],
  ['every start logs a warning', { targets: 200, onAtLeast: 0.1, logsAtStart: 'warning' }],
  ['busiest first', { targets: 200, busiestFirst: true }],
  ['a site loses its network', { targets: 200, siteFails: true }],
  ['a model that is not told comes first', { targets: 200, unseenModel: 5 }],
  ['more on working days', { targets: 200, weekdays: 4 }],
];

test.each(INNOCENT)('an innocent release is not halted: %s', (_name, world) => {
  const seeds = Array.from({ length: 12 }, (_, at) => 1000 + at);
  const halted = seeds.filter((seed) => simulate(world, seed).state === 'halted');
  // Seeds that were halted.
  expect(halted).toEqual([]);
});

test('a person who begins with the busiest printers is told that it was no draw', () => {
  for (const seed of [1, 2, 3]) {
    expect(simulate({ targets: 200, busiestFirst: true }, seed).found.has('draw')).toBe(true);
  }
});

test('a code five times as frequent is found within a week after the campaign, although nothing is left to compare with', () => {
  const seeds = Array.from({ length: 10 }, (_, at) => 2000 + at);
  const found = seeds.filter((seed) => {
    const kinds = simulate({ targets: 400, theta: 5, hours: 1 }, seed).found;
    return kinds.has('worse') || kinds.has('since');
  });
  expect(found.length).toBeGreaterThanOrEqual(8);
});
