/**
 * Explains why there is no order: a minimal set of moves whose rules allow none. Without any one of them, and its
 * rules, there is an order.
 */
import type { Requirement } from '../instance.ts';
import type { Edges } from './edges.ts';
import { isFound, type Move, type Search, searchSteps } from './search.ts';
import { involvedIn, type Values } from './state.ts';

/** A move that fits in no order, and the rule that it would break on its own. */
export interface Blocker {
  move: Move;
  broken: Requirement | undefined;
}

export interface Blocking {
  blockers: Blocker[];
  /** Variables whose final versions suffice for the proof; none where it needs the whole set. */
  settled: number[];
}

/** States visited to find out whether one move is needed for the proof. */
const MINIMIZE_NODES_MAX = 10_000;

class BlockingMoves {
  private readonly search: Search;
  private readonly groupMax: number;
  /** Of every requirement, the variables that may move. */
  private readonly movable: [requirement: Requirement, indices: number[]][];

  constructor(search: Search, groupMax: number) {
    this.search = search;
    this.groupMax = groupMax;
    const { edges, invariant } = search;
    this.movable = invariant.instance.requirements.map((requirement) => {
      const indices = [...involvedIn(requirement)].map(({ index }) => index);
      return [requirement, indices.filter((index) => edges.has(index))];
    });
  }

  find(): Blocking {
    const kept = this.minimal();
    const limited = this.limitedTo(kept);
    const values = this.stateBeforeGroup(limited);
    const blockers = [...limited.edges].map(([index, edges]) => blockerOf(limited, values, index, edges));
    return { blockers, settled: this.search.exchanges ? [] : this.settledBy(limited) };
  }

  /** Removes, one by one, variables without which there still is no order. */
  private minimal(): Set<number> {
    const kept = new Set(this.search.edges.keys());
    for (const index of this.search.edges.keys()) {
      if (this.search.exhausted()) break;
      kept.delete(index);
      const result = searchSteps(this.limitedTo(kept), this.groupMax, false, MINIMIZE_NODES_MAX);
      if (result !== 'none') kept.add(index);
    }
    return kept;
  }

  /** The search restricted to some variables, without the rules on the others. */
  private limitedTo(kept: ReadonlySet<number>): Search {
    const { edges, invariant, presentBefore } = this.search;
    const requirements = this.movable.filter(([, indices]) => indices.every((index) => kept.has(index)));
    return {
      ...this.search,
      edges: new Map([...edges].filter(([index]) => kept.has(index))),
      invariant: invariant.limitedTo(
        requirements.map(([requirement]) => requirement),
        presentBefore,
      ),
    };
  }

  /** The state before the first step that needs a group, if simultaneous moves would work; otherwise the start. */
  private stateBeforeGroup(limited: Search): Values {
    const values = limited.start.slice();
    const grouped = searchSteps(limited, Math.max(2, limited.edges.size), false, MINIMIZE_NODES_MAX);
    for (const step of isFound(grouped) ? grouped.steps : []) {
      if (step.length > 1) return values;
      for (const { variable, to } of step) values[variable.index] = to;
    }
    return limited.start;
  }

  /** The variables in the proof: those that block, and those that stay in their way. */
  private settledBy({ edges, invariant }: Search): number[] {
    const settled = new Set(edges.keys());
    for (const { variable } of edges.values()) {
      for (const requirement of invariant.requirementsOf(variable)) {
        for (const { index, candidates } of involvedIn(requirement))
          if (candidates.length > 1) settled.add(index);
      }
    }
    return [...settled];
  }
}

function blockerOf(
  { invariant, start, presentBefore }: Search,
  values: Values,
  index: number,
  edges: Edges,
): Blocker {
  const { variable, target } = edges;
  // One that is at its target already would have to leave it: it is reported as at the start.
  const before = values[index] === target ? start : values;
  const from = before[index]!;
  const to = edges.from(from)[0] ?? target;
  const alone = before.slice();
  alone[index] = to;
  return {
    move: { variable, from, to },
    broken: invariant.brokenRequirement(alone, presentBefore, [variable]),
  };
}

/** The moves that block: to be called only where it is proven that there is no order with groups of `groupMax`. */
export function findBlockers(search: Search, groupMax: number): Blocking {
  return new BlockingMoves(search, groupMax).find();
}
