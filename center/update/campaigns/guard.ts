/**
 * Whether a campaign does harm, and whether it has been shown that it doesn't. Pure, and valid although one looks after
 * every single outcome: both statistics are e-processes, so by Ville's inequality the chance that one of them ever
 * reaches 1/α when its hypothesis holds is at most α (see docs/reference/updates.md).
 *
 * Outcomes count in the order in which the printers were exposed to the release: failures tend to be told sooner than
 * successes, and counted as they come they would look more frequent than they are. What is still missing before one
 * that is known is taken for whatever keeps the guarantee: a success when harm is looked for, a failure otherwise.
 */

import { evidenceOf, logMeanExp } from '../../statistics/e-process.ts';

export interface GuardSettings {
  /** Failure rate that is tolerated: halted when it is shown to be exceeded. */
  tolerated: number;
  /** Chance of halting a campaign whose failure rate is tolerated. */
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

/** What has been seen. JSON: it is stored with the campaign. */
export interface FailureGuard {
  settings: GuardSettings;
  /** Printers exposed so far; the next one gets this number. */
  exposed: number;
  /** All exposures below this number have an outcome. */
  fed: number;
  failures: number;
  /** How many of the fed outcomes say nothing of the release. They are no evidence. */
  neither: number;
  /** Outcomes that wait for those of earlier exposures: number to whether it failed; null says nothing. */
  waiting: Record<string, boolean | null>;
  /** log of each factor of the halting e-process, by rate of `haltGrid`. */
  logHalt: number[];
  /**
   * The rate was once shown to be below the bound. It stays shown: Ville's inequality is about the highest value that
   * the evidence ever has, and what goes wrong later is the halting process's to see.
   */
  safe: boolean;
}

/** Rates above the tolerated one: where the evidence for harm is looked for. */
function haltGrid(tolerated: number): number[] {
  const rates: number[] = [];
  // Odds that double: any rate above the tolerated one is near enough to one of them.
  for (let odds = tolerated / (1 - tolerated); rates.length < 24; ) {
    odds *= 2;
    const rate = odds / (1 + odds);
    if (rate > 0.95) break;
    rates.push(rate);
  }
  return rates;
}

/**
 * How much each rate of the grid counts, from the lowest up; the rest count as much as the last. A release that fails
 * on a tenth of the printers takes longest to find, so most of the weight lies there; one that fails on most of them
 * is found within a few printers anyway.
 */
const HALT_WEIGHTS = [1, 4, 4, 1.5, 1, 0.3, 0.2, 0.1];

/** Logs of the weights, scaled so that the mean of the factors begins at 1. */
function haltPriors(rates: number): number[] {
  const weights = Array.from({ length: rates }, (_, at) => HALT_WEIGHTS[at] ?? HALT_WEIGHTS.at(-1) ?? 1);
  const sum = weights.reduce((all, weight) => all + weight, 0);
  return weights.map((weight) => Math.log((weight * rates) / sum));
}

/** What an outcome adds to the log of each factor: good and bad, by tolerated rate. Computed once. */
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

/** One more printer is exposed: its number is the old `exposed`. */
export function expose(guard: FailureGuard): FailureGuard {
  return { ...guard, exposed: guard.exposed + 1 };
}

/**
 * The outcome of an exposure. One that was told already changes nothing.
 * @param failed null when the outcome says nothing of the release: it is left out of the evidence
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
    // Once shown, it need not be shown again.
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
 * What is known beyond the first missing outcome: at each outcome of one kind, how many of both kinds there are up to
 * it when every missing one is taken for the other kind.
 */
function* ahead(
  guard: FailureGuard,
  kind: 'bad' | 'good',
): Generator<{ outcomes: number; failures: number }> {
  let { failures, neither } = guard;
  let missing = 0;
  let next = guard.fed;
  // Keys that are whole numbers come in their order.
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
 * Whether the bound is shown whatever the exposures without an outcome come to: each of them is taken for a failure.
 * What is shown this way is shown by the outcomes in their order too, so that waiting for them would change nothing.
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
 * ln of the evidence for harm: the highest that is certain whatever the exposures without an outcome come to. Each of
 * them is taken for a success, so that one printer that takes long can't hide the failures of those after it.
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

/** Outcomes that are evidence: good and bad ones. */
export function outcomesOf(guard: Pick<FailureGuard, 'fed' | 'neither'>): number {
  return guard.fed - guard.neither;
}

/** Rates below `rate`, as shares of it: where the evidence for harmlessness is looked for. */
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
 * Upper bound of the failure rate, at confidence 1 − `promoteAlpha`, valid at every moment: the smallest rate that the
 * evidence excludes. 1 when nothing is excluded.
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

/** How many outcomes without any failure it takes to promote. */
export function outcomesToPromote(settings: GuardSettings): number {
  for (let fed = 1; fed < 1_000_000; fed++) {
    if (isSafe(settings, fed, 0)) return fed;
  }
  return 1_000_000;
}

/** The smallest rate that `outcomes` without any failure can show to be undercut: what a small fleet can promise. */
export function reachableBelow(settings: GuardSettings, outcomes: number): number {
  return upperBound({ fed: outcomes, failures: 0, neither: 0, settings });
}

/** What the evidence says now. `open`: neither. */
export function guardVerdict(guard: FailureGuard): 'harmful' | 'safe' | 'open' {
  if (isHarmful(guard)) return 'harmful';
  return guard.safe ? 'safe' : 'open';
}
