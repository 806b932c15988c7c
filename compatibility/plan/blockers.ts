/**
 * Why there is no order: a smallest set of moves of which the rules between them leave no order. Without any one of
 * them, and the rules that speak of it, there is one.
 */
import type { Requirement } from '../instance.ts';
import type { Edges } from './edges.ts';
import { isFound, type Move, type Search, searchSteps } from './search.ts';
import { involvedIn, type Values } from './state.ts';

/** A move that no order has room for, and the rule that it would break by itself. */
export interface Blocker {
  move: Move;
  broken: Requirement | undefined;
}

export interface Blocking {
  blockers: Blocker[];
  /** Variables whose versions at the end suffice for the proof; none where it needs the whole set. */
  settled: number[];
}

/** States looked at to find whether one move is needed for the proof. */
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

  /** Leaves out, one by one, the variables without which there still is no order. */
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

  /** The search among some variables: what the rules ask of the others is let go. */
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

  /** The state before the first step that only holds together, if moves made at once would do; else the start. */
  private stateBeforeGroup(limited: Search): Values {
    const values = limited.start.slice();
    const grouped = searchSteps(limited, Math.max(2, limited.edges.size), false, MINIMIZE_NODES_MAX);
    for (const step of isFound(grouped) ? grouped.steps : []) {
      if (step.length > 1) return values;
      for (const { variable, to } of step) values[variable.index] = to;
    }
    return limited.start;
  }

  /** What the proof speaks of: the variables that block, and those that stay in their way. */
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
  // One that is at its target already would have to leave it again: it is told as it was at the start.
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
