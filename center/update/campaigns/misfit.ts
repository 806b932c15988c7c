/**
 * What a verdict asks for: the pair of broken rules and the releases that fix them. Printers with the same pair share one
 * question, so that a failure on one counts for the others. Pure.
 */

import { softwareOf } from '../../../schemas/subject.ts';
import type { Remedy, Verdict } from '../../../schemas/types.ts';
import { hashOf } from '../cause.ts';

export interface Misfit {
  /** Identifies the pair. */
  key: string;
  /** Catalog rules that are broken. */
  wrong: string[];
  /** Releases and switched units that fix it. */
  mends: string[];
  remedy: Remedy;
}

/**
 * @returns undefined when the printer fits, no remedy is known, or the remedy needs hands
 */
export function misfitOf(verdict: Verdict): Misfit | undefined {
  const { remedy } = verdict;
  if (verdict.status !== 'incompatible' || !remedy) return undefined;
  if (remedy.structure.some(({ switchTo }) => switchTo === undefined)) return undefined;
  if (remedy.software.length === 0 && remedy.steps.length === 0 && remedy.structure.length === 0) {
    return undefined;
  }
  const wrong = [...new Set(verdict.findings.map(({ rule }) => rule))].sort();
  const mends = [
    ...new Set([
      ...remedy.software.map(({ subject, to }) => `${softwareOf(subject)}@${to}`),
      ...remedy.structure.map(({ symbol, switchTo = '' }) => `${symbol}>${switchTo}`),
    ]),
  ].sort();
  return { key: hashOf([...wrong, '→', ...mends]), wrong, mends, remedy };
}
