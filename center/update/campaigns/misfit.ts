/**
 * What a verdict asks for by itself: the pair of what is wrong and what mends it. Printers with the same pair are one
 * question, so that what went wrong on one of them speaks for the others. Pure.
 */

import { softwareOf } from '../../../schemas/subject.ts';
import type { Remedy, Verdict } from '../../../schemas/types.ts';
import { hashOf } from '../cause.ts';

export interface Misfit {
  /** Names the pair. */
  key: string;
  /** Broken rules of the catalog. */
  wrong: string[];
  /** Releases and switched units that mend it. */
  mends: string[];
  remedy: Remedy;
}

/**
 * @returns undefined when the printer fits, nothing is known that would mend it, or hands are needed
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
