import { seededRandom as seeded } from '../../../base/random.ts';
import {
  DEFAULT_GUARD,
  expose,
  feed,
  guardVerdict,
  harmEvidence,
  isHarmful,
  newCohortGuard,
  newGuard,
  observe,
  outcomesToPromote,
  reachableBelow,
  upperBound,
  worseCode,
} from './guard.ts';

function median(list: number[]): number {
  return [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? Number.NaN;
}

/** Feeds outcomes until the guard halts; gives how many it took, or undefined. */
function haltsAfter(rate: number, printers: number, random: () => number): number | undefined {
  let guard = newGuard(DEFAULT_GUARD);
  for (let at = 0; at < printers; at++) {
    guard = feed(expose(guard), at, random() < rate);
    if (isHarmful(guard)) return at + 1;
  }
  return undefined;
}

test('halts seldom what is tolerated, soon what is not', () => {
  const random = seeded(1);
  const runs = 400;
  const falseHalts = Array.from({ length: runs }, () => haltsAfter(0.02, 300, random)).filter(Boolean).length;
  expect(falseHalts / runs).toBeLessThanOrEqual(0.01);
  const at = (rate: number) =>
    median(Array.from({ length: 100 }, () => haltsAfter(rate, 500, random) ?? 500));
  expect(at(0.3)).toBeLessThanOrEqual(11);
  expect(at(0.1)).toBeLessThanOrEqual(60);
});

test('the order of exposure counts, not that of the news', () => {
  let early = newGuard(DEFAULT_GUARD);
  for (let at = 0; at < 10; at++) early = expose(early);
  // Two failures are told first; eight successes were exposed before them and are still awaited.
  early = feed(feed(early, 9, true), 8, true);
  const told = harmEvidence(early);
  for (let at = 0; at < 8; at++) early = feed(early, at, false);
  let inOrder = newGuard(DEFAULT_GUARD);
  for (let at = 0; at < 10; at++) inOrder = feed(expose(inOrder), at, at >= 8);
  expect(early.fed).toBe(10);
  // What was told before all was known is no more than what all together show.
  expect(told).toBeCloseTo(harmEvidence(inOrder), 10);
  expect(early.logHalt).toEqual(inOrder.logHalt);
  // Doubled and unknown news change nothing.
  expect(feed(early, 3, true)).toBe(early);
  expect(feed(early, 10, true)).toBe(early);
});

test('what says nothing of the release is no evidence, for harm or against it', () => {
  let guard = newGuard(DEFAULT_GUARD);
  for (let at = 0; at < 200; at++) guard = feed(expose(guard), at, null);
  expect([guard.fed, guard.neither, guard.safe]).toEqual([200, 200, false]);
  expect(harmEvidence(guard)).toBeCloseTo(1, 10);
  expect(upperBound(guard)).toBe(1);
  for (let at = 200; at < 200 + outcomesToPromote(DEFAULT_GUARD); at++)
    guard = feed(expose(guard), at, false);
  expect(guard.safe).toBe(true);
});

test('one printer that takes long does not hide the failures of those after it', () => {
  let guard = expose(newGuard(DEFAULT_GUARD));
  for (let at = 1; at <= 10; at++) guard = feed(expose(guard), at, true);
  expect([guard.fed, isHarmful(guard)]).toEqual([0, true]);
});

/**
 * Exposes `printers` a few at a time; failures are told at once, successes late, and some never. Gives whether it was
 * halted, and whether it was shown to be harmless.
 */
function outOfOrder(
  rate: number,
  printers: number,
  random: () => number,
): { halted: boolean; safe: boolean } {
  let guard = newGuard(DEFAULT_GUARD);
  const open: { at: number; exposure: number; failed: boolean }[] = [];
  let halted = false;
  for (let at = 0; at < printers + 61; at++) {
    if (at < printers) {
      guard = expose(guard);
      const failed = random() < rate;
      const delay = failed ? 1 : random() < 0.02 ? Number.POSITIVE_INFINITY : random() * 60;
      open.push({ at: at + delay, exposure: at, failed });
    }
    for (const each of open.filter((one) => one.at <= at)) guard = feed(guard, each.exposure, each.failed);
    halted ||= isHarmful(guard);
  }
  return { halted, safe: guard.safe };
}

test('outcomes that come late and out of order keep both guarantees', () => {
  const random = seeded(11);
  const innocent = Array.from({ length: 150 }, () => outOfOrder(DEFAULT_GUARD.tolerated, 120, random));
  expect(innocent.filter(({ halted }) => halted).length / 150).toBeLessThanOrEqual(DEFAULT_GUARD.alpha);
  const unsafe = Array.from({ length: 150 }, () => outOfOrder(DEFAULT_GUARD.promoteBelow, 120, random));
  expect(unsafe.filter(({ safe }) => safe).length / 150).toBeLessThanOrEqual(DEFAULT_GUARD.promoteAlpha);
  const harmful = Array.from({ length: 20 }, () => outOfOrder(0.3, 120, random));
  expect(harmful.filter(({ halted }) => halted).length).toBeGreaterThanOrEqual(19);
});

test('promotes only what was shown to be below the bound, and seldom wrongly', () => {
  const needed = outcomesToPromote(DEFAULT_GUARD);
  let guard = newGuard(DEFAULT_GUARD);
  for (let at = 0; at < needed - 1; at++) guard = feed(expose(guard), at, false);
  expect(guardVerdict(guard)).toBe('open');
  expect(upperBound(guard)).toBeGreaterThan(DEFAULT_GUARD.promoteBelow);
  guard = feed(expose(guard), needed - 1, false);
  expect(guardVerdict(guard)).toBe('safe');
  expect(upperBound(guard)).toBeLessThanOrEqual(DEFAULT_GUARD.promoteBelow);
  const random = seeded(2);
  const runs = 300;
  let wrong = 0;
  for (let run = 0; run < runs; run++) {
    let campaign = newGuard(DEFAULT_GUARD);
    for (let at = 0; at < 300; at++) {
      campaign = feed(expose(campaign), at, random() < DEFAULT_GUARD.promoteBelow);
    }
    if (campaign.safe) wrong++;
  }
  expect(wrong / runs).toBeLessThanOrEqual(DEFAULT_GUARD.promoteAlpha);
});

test('what a small fleet can show', () => {
  expect(outcomesToPromote(DEFAULT_GUARD)).toBeGreaterThan(28);
  expect(outcomesToPromote(DEFAULT_GUARD)).toBeLessThan(50);
  const five = reachableBelow(DEFAULT_GUARD, 5);
  expect(five).toBeGreaterThan(0.4);
  expect(five).toBeLessThan(0.7);
});

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
    guard = observe(guard, 'J-7201', (updatedAt[printer] ?? 1) <= at, withIt, without);
    if (worseCode(guard) !== undefined) return at;
    seen.add(printer);
  }
  return undefined;
}

test('a release that doubles a code is seen before half of the fleet has it; one that does not, seldom is', () => {
  const random = seeded(3);
  const shares = Array.from({ length: 15 }, () => rollOut(2000, 2, random) ?? 1);
  expect(median(shares)).toBeLessThan(0.5);
  const falseAlarms = Array.from({ length: 200 }, () => rollOut(200, 1, random)).filter(
    (share) => share !== undefined,
  );
  expect(falseAlarms.length / 200).toBeLessThanOrEqual(0.02);
});
