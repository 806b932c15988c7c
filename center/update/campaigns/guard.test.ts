import { seededRandom as seeded } from '../../../base/random.ts';
import {
  DEFAULT_GUARD,
  expose,
  feed,
  guardVerdict,
  harmEvidence,
  harmSeries,
  isHarmful,
  newGuard,
  outcomesToPromote,
  reachableBelow,
  upperBound,
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

test('the series of the evidence is what the guard says after each exposure, whatever came in which order', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = seeded(seed);
    const outcomes = Array.from({ length: 60 }, () => {
      const drawn = random();
      return drawn < 0.15 ? undefined : drawn < 0.25 ? null : drawn < 0.45;
    });
    const series = [...harmSeries(DEFAULT_GUARD, outcomes)];
    for (const [last, evidence] of series.entries()) {
      let guard = newGuard(DEFAULT_GUARD);
      for (let exposure = 0; exposure <= last; exposure++) guard = expose(guard);
      // Later exposures first: the order of the telling must not matter.
      for (let exposure = last; exposure >= 0; exposure--) {
        const failed = outcomes[exposure];
        if (failed !== undefined) guard = feed(guard, exposure, failed);
      }
      const difference = Math.log(evidence) - Math.log(harmEvidence(guard));
      expect([seed, last, difference]).toEqual([seed, last, expect.closeTo(0, 9)]);
    }
  }
});
