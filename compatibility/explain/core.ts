/**
 * A minimal set of rules and wishes that cannot hold together: without any one of them the rest can.
 */
import type { Instance, Requirement } from '../instance.ts';
import type { Literal } from '../solver/cdcl.ts';
import { Encoding, type SlotDemand } from '../solver/encoding.ts';
import { PATIENCE_CONFLICTS } from '../solver/optimum.ts';
import { type Crowd, findCrowd } from '../solver/pigeonhole.ts';
import { smallestConflict } from './smallest.ts';

export type Origin = Requirement | SlotDemand;

export interface Core {
  origins: Origin[];
  /** False when the budget ran out before every member was tested. */
  minimal: boolean;
  /** Whether it is proven that no other set has fewer members. */
  smallest: boolean;
  /** Set for a pigeonhole conflict, which is explained as a whole. */
  crowd?: Crowd;
}

/** Whether an origin is a demand of the slots. */
export function isSlotDemand(origin: Origin): origin is SlotDemand {
  return 'demand' in origin;
}

/** Removes what is not needed, one by one, in the given order. */
function minimize(encoding: Encoding, core: readonly Literal[]): { core: Literal[]; minimal: boolean } {
  let left = [...core];
  for (const literal of core) {
    if (!left.includes(literal)) continue;
    const without = left.filter((each) => each !== literal);
    const result = encoding.solver.solve(without);
    if (result === 'gave-up') return { core: left, minimal: false };
    if (result === 'unsat') {
      const needed = new Set(encoding.solver.core);
      left = without.filter((each) => needed.has(each));
    }
  }
  return { core: left, minimal: true };
}

/**
 * The core of an instance in which nothing fits; undefined when something does, or when the budget ran out.
 * The smallest one where there is time to find it, so that the explanation is short; else the smaller of two.
 */
export function findCore(instance: Instance, exhausted: () => boolean): Core | undefined {
  let patience = PATIENCE_CONFLICTS;
  const encoding = new Encoding(instance, {
    exhausted: () => exhausted() || encoding.solver.conflicts > patience,
    explained: true,
  });
  const selectors = [...encoding.selectors.keys()];
  let result = encoding.solver.solve(selectors);
  patience = Number.POSITIVE_INFINITY;
  if (result === 'gave-up' && !exhausted()) {
    const crowd = findCrowd(instance);
    if (crowd) return { origins: crowd.requirements, minimal: crowd.even, smallest: false, crowd };
    result = encoding.solver.solve(selectors);
  }
  if (result !== 'unsat') return undefined;
  const first = [...encoding.solver.core].sort((a, b) => a - b);
  const ways = [minimize(encoding, first), minimize(encoding, [...first].reverse())];
  const best = ways[1]!.minimal && ways[1]!.core.length < ways[0]!.core.length ? ways[1]! : ways[0]!;
  const smallest = best.minimal ? smallestConflict(encoding, best.core, exhausted) : undefined;
  return {
    origins: (smallest ?? best.core).map((literal) => encoding.selectors.get(literal)!),
    minimal: best.minimal,
    smallest: smallest !== undefined,
  };
}
