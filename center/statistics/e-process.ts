/**
 * E-processes: evidence that may be looked at after every observation. Under its hypothesis the probability that an
 * e-process ever reaches 1/α is at most α (Ville's inequality), and a mean of e-processes is an e-process. They are
 * kept as the logarithms of the members of such a mean. Pure.
 */

/** Highest logarithm converted to a number: e^700 is still finite, and JSON has no infinity. */
const LOG_MAX = 700;

/** ln of a mean of exponentials, without overflow. */
export function logMeanExp(logs: readonly number[]): number {
  const top = Math.max(...logs);
  if (top === Number.NEGATIVE_INFINITY) return top;
  return top + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - top), 0) / logs.length);
}

/** The evidence: the mean of the members. At most e^700. */
export function evidenceOf(logs: readonly number[]): number {
  return Math.exp(Math.min(logMeanExp(logs), LOG_MAX));
}

/**
 * What the evidence of the nth of many tests must reach, counted from 1 in order of their start: the nth may use
 * α/(n(n+1)), which sums to α over any number of tests.
 */
export function evidenceNeeded(alpha: number, nth: number): number {
  return (nth * (nth + 1)) / alpha;
}
