/**
 * The evidence about each release over all campaigns. A campaign's own guard sees only its own printers; this one also
 * catches a release that many small campaigns bring to one printer each. Pure.
 */
import {
  DEFAULT_GUARD,
  expose,
  type FailureGuard,
  feed,
  guardVerdict,
  newGuard,
  outcomesOf,
} from './guard.ts';

/** The evidence about one release. */
export interface ReleaseEvidence {
  guard: FailureGuard;
}

export function newEvidence(): ReleaseEvidence {
  return { guard: newGuard(DEFAULT_GUARD) };
}

/** A printer started to install it. @returns the number of the exposure */
export function exposeRelease(evidence: ReleaseEvidence): { evidence: ReleaseEvidence; number: number } {
  return { evidence: { guard: expose(evidence.guard) }, number: evidence.guard.exposed };
}

/** The outcome of an exposure; null: inconclusive. */
export function feedRelease(
  evidence: ReleaseEvidence,
  number: number,
  failed: boolean | null,
): ReleaseEvidence {
  const guard = feed(evidence.guard, number, failed);
  return guard === evidence.guard ? evidence : { guard };
}

/** Number of printers on which it was proven. */
export function goodOf({ guard }: ReleaseEvidence): number {
  return outcomesOf(guard) - guard.failures;
}

/** Why a release must be stopped; undefined: no evidence of harm. */
export function harmOf({ guard }: ReleaseEvidence): string | undefined {
  if (guardVerdict(guard) !== 'harmful') return undefined;
  const percent = `${guard.settings.tolerated * 100} %`;
  return `it failed on ${guard.failures} of ${outcomesOf(guard)} printers, whatever campaign brought it: more than the ${percent} that are tolerated`;
}
