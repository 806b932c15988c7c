/**
 * Whether a campaign does harm, and whether it is shown to be harmless. Pure. Both statistics are e-processes, so they stay
 * valid when checked after every outcome: by Ville's inequality the chance that one ever reaches 1/α under its hypothesis
 * is at most α (docs/reference/updates.md).
 *
 * Outcomes count in the order of exposure. Failures are often reported sooner than successes, so in order of arrival they
 * would look too frequent. A missing outcome before a known one counts as whatever keeps the guarantee: a success when
 * testing for harm, a failure otherwise.
 */

import { evidenceOf, logMeanExp } from '../../statistics/e-process.ts';

export interface GuardSettings {
  /** Tolerated failure rate: halted when it is shown to be exceeded. */
  tolerated: number;
  /** Chance of halting a campaign whose failure rate is within the tolerated one. */
  alpha: number;
  /** Promoted when the failure rate is shown to be below it. */
  promoteBelow: number;
  /** Chance of promoting a campaign whose failure rate is not below it. */
  promoteAlpha: number;
}

export const DEFAULT_GUARD: GuardSettings = {
  tolerated: 0.02,
  alpha: 0.01,
  promoteBelow: 0.1,
  promoteAlpha: 0.05,
};

/** The evidence so far. Stored with the campaign as JSON. */
export interface FailureGuard {
  settings: GuardSettings;
  /** Printers exposed so far; also the number of the next one. */
  exposed: number;
  /** All exposures below this number have an outcome. */
  fed: number;
  failures: number;
  /** How many of the fed outcomes are inconclusive and so no evidence. */
  neither: number;
  /** Outcomes that wait for earlier exposures, by number: whether it failed; null: inconclusive. */
  waiting: Record<string, boolean | null>;
  /** Log of each factor of the halting e-process, by rate of `haltGrid`. */
  logHalt: number[];
  /**
   * The rate was shown to be below the bound. It stays shown: Ville's inequality bounds the highest value of the evidence,
   * and later failures are for the halting process to find.
   */
  safe: boolean;
}

/** Rates above the tolerated one, at which harm is tested. */
function haltGrid(tolerated: number): number[] {
  const rates: number[] = [];
  // Doubling odds: every rate above the tolerated one is close enough to one of them.
  for (let odds = tolerated / (1 - tolerated); rates.length < 24; ) {
    odds *= 2;
    const rate = odds / (1 + odds);
    if (rate > 0.95) break;
    rates.push(rate);
  }
  return rates;
}

/**
 * Weight of each rate of the grid, from the lowest; the rest have the last weight. A release that fails on a tenth of the
 * printers takes longest to find, so it gets most of the weight. One that fails on most printers is found quickly anyway.
 */
const HALT_WEIGHTS = [1, 4, 4, 1.5, 1, 0.3, 0.2, 0.1];

/** Logs of the weights, scaled so that the mean of the factors starts at 1. */
function haltPriors(rates: number): number[] {
  const weights = Array.from({ length: rates }, (_, at) => HALT_WEIGHTS[at] ?? HALT_WEIGHTS.at(-1) ?? 1);
  const sum = weights.reduce((all, weight) => all + weight, 0);
  return weights.map((weight) => Math.log((weight * rates) / sum));
}

/** What a good and a bad outcome add to the log of each factor, by tolerated rate. Computed once. */
const STEPS = new Map<number, { good: number[]; bad: number[] }>();

function haltSteps(tolerated: number): { good: number[]; bad: number[] } {
  let steps = STEPS.get(tolerated);
  if (!steps) {
    const grid = haltGrid(tolerated);
    steps = {
      good: grid.map((rate) => Math.log((1 - rate) / (1 - tolerated))),
      bad: grid.map((rate) => Math.log(rate / tolerated)),
    };
    if (STEPS.size >= 64) STEPS.clear();
    STEPS.set(tolerated, steps);
  }
  return steps;
}

export function newGuard(settings: GuardSettings): FailureGuard {
  return {
    settings,
    exposed: 0,
    fed: 0,
    failures: 0,
    neither: 0,
    waiting: {},
    logHalt: haltPriors(haltGrid(settings.tolerated).length),
    safe: false,
  };
}

/** One more printer is exposed; its number is the old `exposed`. */
export function expose(guard: FailureGuard): FailureGuard {
  return { ...guard, exposed: guard.exposed + 1 };
}

/**
 * Takes in the outcome of an exposure. A second outcome of the same exposure changes nothing.
 * @param failed null if the outcome is inconclusive and so no evidence
 */
export function feed(guard: FailureGuard, exposure: number, failed: boolean | null): FailureGuard {
  if (exposure >= guard.exposed || isTold(guard, exposure)) return guard;
  const waiting: Record<string, boolean | null> = { ...guard.waiting, [String(exposure)]: failed };
  let { fed, failures, neither, logHalt, safe } = guard;
  for (let next = waiting[String(fed)]; next !== undefined; next = waiting[String(fed)]) {
    delete waiting[String(fed)];
    logHalt = afterOutcome(logHalt, guard.settings.tolerated, next);
    fed++;
    if (next === null) neither++;
    else if (next) failures++;
    // Once shown, it stays shown.
    if (!safe) safe = isSafe(guard.settings, fed - neither, failures);
  }
  const after = { ...guard, fed, failures, neither, logHalt, safe, waiting };
  return safe ? after : { ...after, safe: isSafeAhead(after) };
}

function afterOutcome(logs: number[], tolerated: number, failed: boolean | null): number[] {
  if (failed === null) return logs;
  const steps = haltSteps(tolerated);
  const step = failed ? steps.bad : steps.good;
  return logs.map((log, at) => log + (step[at] ?? 0));
}

/**
 * The evidence beyond the first missing outcome: at each outcome of one kind, the counts of both kinds up to it if every
 * missing one is of the other kind.
 */
function* ahead(
  guard: FailureGuard,
  kind: 'bad' | 'good',
): Generator<{ outcomes: number; failures: number }> {
  let { failures, neither } = guard;
  let missing = 0;
  let next = guard.fed;
  // Integer keys iterate in ascending order.
  for (const key in guard.waiting) {
    const exposure = Number(key);
    const failed = guard.waiting[key];
    missing += exposure - next;
    next = exposure + 1;
    if (failed === null) neither++;
    else if (failed) failures++;
    if (failed === (kind === 'bad')) {
      yield { outcomes: next - neither, failures: failures + (kind === 'good' ? missing : 0) };
    }
  }
}

/**
 * Whether the bound is shown even if every missing outcome is a failure. Then it will be shown by the outcomes in order
 * too, so there is no need to wait for them.
 */
function isSafeAhead(guard: FailureGuard): boolean {
  const { settings } = guard;
  for (const { outcomes, failures } of ahead(guard, 'good')) {
    if (failures < outcomes * settings.promoteBelow && isSafe(settings, outcomes, failures)) return true;
  }
  return false;
}

const HARM = new WeakMap<FailureGuard, number>();

/**
 * ln of the evidence for harm that is certain whatever the missing outcomes are: each counts as a success. So one slow
 * printer can't hide the failures after it.
 */
function logHarm(guard: FailureGuard): number {
  const known = HARM.get(guard);
  if (known !== undefined) return known;
  const { good, bad } = haltSteps(guard.settings.tolerated);
  let highest = logMeanExp(guard.logHalt);
  const fed = outcomesOf(guard);
  for (const { outcomes, failures } of ahead(guard, 'bad')) {
    const more = failures - guard.failures;
    const rest = outcomes - fed - more;
    const logs = guard.logHalt.map((log, at) => log + more * (bad[at] ?? 0) + rest * (good[at] ?? 0));
    highest = Math.max(highest, logMeanExp(logs));
  }
  HARM.set(guard, highest);
  return highest;
}

/** Evidence that the failure rate exceeds the tolerated one. */
export function harmEvidence(guard: FailureGuard): number {
  return evidenceOf([logHarm(guard)]);
}

/**
 * The evidence for harm after each exposure in turn: what `harmEvidence` says of all exposures up to it.
 * @param outcomes by exposure; null says nothing of the release, undefined is not known yet
 */
export function* harmSeries(
  settings: Pick<GuardSettings, 'tolerated'>,
  outcomes: Iterable<boolean | null | undefined>,
): Generator<number> {
  let logs = haltPriors(haltGrid(settings.tolerated).length);
  /** Set behind the first missing outcome: the highest that is certain whatever the missing ones come to. */
  let highest: number | undefined;
  for (const failed of outcomes) {
    if (failed === undefined) highest ??= logMeanExp(logs);
    logs = afterOutcome(logs, settings.tolerated, failed === undefined ? false : failed);
    if (highest !== undefined && failed === true) highest = Math.max(highest, logMeanExp(logs));
    yield evidenceOf([highest ?? logMeanExp(logs)]);
  }
}

/** Whether the outcome of an exposure was told. */
export function isTold({ fed, waiting }: FailureGuard, exposure: number): boolean {
  return exposure < fed || Object.hasOwn(waiting, String(exposure));
}

/** Whether the evidence reaches 1/α. */
export function isHarmful(guard: FailureGuard): boolean {
  return logHarm(guard) >= -Math.log(guard.settings.alpha);
}

/** Number of conclusive outcomes, good and bad. */
export function outcomesOf(guard: Pick<FailureGuard, 'fed' | 'neither'>): number {
  return guard.fed - guard.neither;
}

/** Rates below `rate`, as shares of it, at which harmlessness is tested. */
const SHARES = [0, 0.05, 0.1, 0.2, 0.4, 0.7];

/** ln of the evidence that the failure rate is below `rate`, after `fed` outcomes with `failures` among them. */
function logSafety(fed: number, failures: number, rate: number): number {
  return logMeanExp(
    SHARES.map((share) => {
      const below = rate * share;
      const bad = failures === 0 ? 0 : failures * Math.log(share);
      return bad + (fed - failures) * Math.log((1 - below) / (1 - rate));
    }),
  );
}

/**
 * Upper bound of the failure rate at confidence 1 − `promoteAlpha`, valid at any time: the smallest rate that the evidence
 * excludes. 1 if none is excluded.
 */
export function upperBound(guard: Pick<FailureGuard, 'fed' | 'failures' | 'neither' | 'settings'>): number {
  const wanted = -Math.log(guard.settings.promoteAlpha);
  const outcomes = outcomesOf(guard);
  const observed = outcomes === 0 ? 0 : guard.failures / outcomes;
  let low = observed;
  let high = 1;
  if (logSafety(outcomes, guard.failures, 1 - 1e-9) < wanted) return 1;
  for (let turn = 0; turn < 40; turn++) {
    const middle = (low + high) / 2;
    if (logSafety(outcomes, guard.failures, middle) >= wanted) high = middle;
    else low = middle;
  }
  return high;
}

function isSafe(settings: GuardSettings, fed: number, failures: number): boolean {
  return logSafety(fed, failures, settings.promoteBelow) >= -Math.log(settings.promoteAlpha);
}

/** Outcomes without a failure that it takes to promote. */
export function outcomesToPromote(settings: GuardSettings): number {
  for (let fed = 1; fed < 1_000_000; fed++) {
    if (isSafe(settings, fed, 0)) return fed;
  }
  return 1_000_000;
}

/** The smallest bound that this many outcomes without a failure can show: what a small fleet can promise. */
export function reachableBelow(settings: GuardSettings, outcomes: number): number {
  return upperBound({ fed: outcomes, failures: 0, neither: 0, settings });
}

/** The verdict of the evidence now. `open`: neither. */
export function guardVerdict(guard: FailureGuard): 'harmful' | 'safe' | 'open' {
  if (isHarmful(guard)) return 'harmful';
  return guard.safe ? 'safe' : 'open';
}
