/**
 * What is known of each release over all campaigns that have it. A campaign's own guard sees its own printers; a release
 * that many small campaigns bring to one printer each is seen here. Pure.
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

/** A printer began to install it. @returns the number under which its outcome is told */
export function exposeRelease(evidence: ReleaseEvidence): { evidence: ReleaseEvidence; number: number } {
  return { evidence: { guard: expose(evidence.guard) }, number: evidence.guard.exposed };
}

/** What became of an exposure; null: nothing that speaks for or against the release. */
export function feedRelease(
  evidence: ReleaseEvidence,
  number: number,
  failed: boolean | null,
): ReleaseEvidence {
  const guard = feed(evidence.guard, number, failed);
  return guard === evidence.guard ? evidence : { guard };
}

/** Printers on which it was proven. */
export function goodOf({ guard }: ReleaseEvidence): number {
  return outcomesOf(guard) - guard.failures;
}

/** Why a release is to be stopped; undefined: nothing speaks against it. */
export function harmOf({ guard }: ReleaseEvidence): string | undefined {
  if (guardVerdict(guard) !== 'harmful') return undefined;
  const percent = `${guard.settings.tolerated * 100} %`;
  return `it failed on ${guard.failures} of ${outcomesOf(guard)} printers, whatever campaign brought it: more than the ${percent} that are tolerated`;
}
