/**
 * Searches the order of steps: A* over versions, with the steps that every variable needs by itself as the lower bound.
 * A step moves one variable, or, in a transaction, a group of at most `groupMax` that only holds together.
 */
import type { Requirement, Variable } from '../instance.ts';
import type { Edges } from './edges.ts';
import { type Invariant, involvedIn, type Values } from './state.ts';

/** One step: the moves it makes at once. */
export type Step = readonly Move[];
export interface Move {
  variable: Variable;
  from: number;
  to: number;
}

export interface Search {
  invariant: Invariant;
  /** By variable index, of those that may move. */
  edges: ReadonlyMap<number, Edges>;
  start: Values;
  /** Parts in use before and after units are exchanged; equal when none are. */
  presentBefore: readonly boolean[];
  presentAfter: readonly boolean[];
  /** Whether units are exchanged: before the first step, after the last, or between two. */
  exchanges: boolean;
  /** Whether the slots are wrong until then, which no state between two steps may be. */
  slotsBroken: boolean;
  exhausted: () => boolean;
}

interface Node {
  /** Built when the node is visited: most nodes never are. */
  values: Values | undefined;
  exchanged: boolean;
  steps: number;
  /** Steps that every variable still needs by itself. */
  left: number;
  parent: Node | undefined;
  /** The step that led here; undefined for the start and the exchange of units. */
  step: Step | undefined;
}

export interface Found {
  steps: Step[];
  /** Steps to be made before the units are exchanged. */
  before: number;
}

/** `none`: proven that there is no order. `limit`: none was found before the limit. */
export type SearchResult = Found | 'none' | 'limit' | 'gave-up';

/** Whether a search found an order. */
export const isFound = (result: SearchResult): result is Found => typeof result === 'object';

export const NODES_MAX = 40_000;
/** Nodes waiting to be visited, about 200 bytes each. */
const OPEN_NODES_MAX = 500_000;
const GROUP_TRIES_MAX = 4_000;
/** Groups tried between two checks of the budget. */
const GROUP_CHECK_TRIES = 32;
/** Variables visited between two checks of the budget. */
const BUDGET_CHECK_VARIABLES = 512;

class Run {
  private readonly search: Search;
  private readonly groupMax: number;
  private readonly onlyNearer: boolean;
  private readonly nodesMax: number;
  private readonly open: Node[][] = [];
  private readonly closed = new Set<string>();
  private cut = false;
  private lowest = 0;
  private pushed = 0;
  private readonly checkNodes: number;

  constructor(search: Search, groupMax: number, onlyNearer: boolean, nodesMax: number) {
    this.nodesMax = nodesMax;
    this.search = search;
    this.checkNodes = Math.max(1, Math.floor(BUDGET_CHECK_VARIABLES / (search.edges.size + 1)));
    this.groupMax = groupMax;
    this.onlyNearer = onlyNearer;
  }

  run(): SearchResult {
    const { search } = this;
    this.push({
      values: search.start,
      exchanged: !search.exchanges,
      steps: 0,
      left: this.distance(search.start),
      parent: undefined,
      step: undefined,
    });
    for (let count = 0; ; count++) {
      const node = this.pop();
      if (!node) return this.cut ? 'limit' : 'none';
      if (count % this.checkNodes === 0 && search.exhausted()) return 'gave-up';
      if (count > this.nodesMax || this.pushed - count > OPEN_NODES_MAX) return 'limit';
      const values = valuesOf(node);
      const key = `${node.exchanged ? 1 : 0} ${values.join()}`;
      if (this.closed.has(key)) continue;
      this.closed.add(key);
      if (node.left === 0 && node.exchanged) return unwind(node);
      // Single steps are checked only here: most nodes that are pushed are never visited.
      const between = node.steps > 0 && node.left > 0;
      if (between && !this.isValid(node, values)) continue;
      if (node.left > 0) this.expand(node, values);
      if (!node.exchanged) this.push({ ...node, exchanged: true, parent: node, step: undefined });
    }
  }

  private push(node: Node): void {
    const bound = node.steps + Math.ceil(node.left / this.groupMax);
    while (this.open.length <= bound) this.open.push([]);
    this.open[bound]!.push(node);
    this.pushed++;
    if (bound < this.lowest) this.lowest = bound;
  }

  /** The last pushed of the nodes with the lowest bound. */
  private pop(): Node | undefined {
    for (; this.lowest < this.open.length; this.lowest++) {
      const node = this.open[this.lowest]!.pop();
      if (node) return node;
    }
    return undefined;
  }

  private distance(values: Values): number {
    let sum = 0;
    for (const [index, edges] of this.search.edges) sum += edges.distances[values[index]!]!;
    return sum;
  }

  /** What is left after a step from a state where `left` was. */
  private leftAfter(left: number, step: Step): number {
    let after = left;
    for (const { variable, from, to } of step) {
      const { distances } = this.search.edges.get(variable.index)!;
      after += distances[to]! - distances[from]!;
    }
    return after;
  }

  private present(node: { exchanged: boolean }): readonly boolean[] {
    return node.exchanged ? this.search.presentAfter : this.search.presentBefore;
  }

  private isValid(node: Node, values: Values): boolean {
    if (this.search.slotsBroken && !node.exchanged) return false;
    return this.broken(node, values, node.step) === undefined;
  }

  /** The first requirement broken after a step. An exchange of units may have broken any, long before. */
  private broken(node: Node, values: Values, step: Step | undefined): Requirement | undefined {
    const moved = this.search.exchanges || !step ? 'all' : step.map(({ variable }) => variable);
    return this.search.invariant.brokenRequirement(values, this.present(node), moved);
  }

  private expand(node: Node, values: Values): void {
    const steps: Step[] = [];
    for (const [index, edges] of this.search.edges) {
      if (!this.present(node)[edges.variable.part.index]) continue;
      for (const move of this.movesOf(index, edges, values)) {
        if (this.groupMax === 1) steps.push([move]);
        else this.growGroup(node, values, [move], steps, { tries: 0 });
      }
    }
    // The last pushed is taken first, so that what comes first in the structure is tried first.
    for (const step of steps.reverse()) {
      const left = this.leftAfter(node.left, step);
      const { exchanged } = node;
      this.push({ values: undefined, exchanged, steps: node.steps + 1, left, parent: node, step });
    }
  }

  private *movesOf(index: number, edges: Edges, values: Values): Generator<Move> {
    const from = values[index]!;
    for (const to of edges.from(from)) {
      if (this.onlyNearer && edges.distances[to]! >= edges.distances[from]!) return;
      yield { variable: edges.variable, from, to };
    }
  }

  /** Adds every smallest valid group around the first move: whatever a broken rule speaks of must move along. */
  private growGroup(
    node: Node,
    before: Values,
    group: Move[],
    found: Step[],
    effort: { tries: number },
  ): void {
    if (
      effort.tries++ > GROUP_TRIES_MAX ||
      (effort.tries % GROUP_CHECK_TRIES === 0 && this.search.exhausted())
    ) {
      this.cut = true;
      return;
    }
    const values = before.slice();
    for (const { variable, to } of group) values[variable.index] = to;
    const moved = group.map(({ variable }) => variable);
    const present = this.present(node);
    const broken = this.broken(node, values, group);
    if (!broken || this.leftAfter(node.left, group) === 0) {
      found.push(group);
      return;
    }
    if (group.length >= this.groupMax) return;
    for (const variable of involvedIn(broken)) {
      const edges = this.search.edges.get(variable.index);
      if (!edges || moved.includes(variable) || !present[variable.part.index]) continue;
      for (const move of this.movesOf(variable.index, edges, before)) {
        this.growGroup(node, before, [...group, move], found, effort);
      }
    }
  }
}

/** The state that a node stands for. */
function valuesOf(node: Node): Values {
  if (node.values) return node.values;
  const values = node.parent!.values!.slice();
  for (const { variable, to } of node.step!) values[variable.index] = to;
  node.values = values;
  return values;
}

function unwind(end: Node): Found {
  const steps: Step[] = [];
  let before = 0;
  for (let node: Node | undefined = end; node; node = node.parent) {
    if (node.step) steps.push(node.step);
    else if (node.parent) before = node.steps;
  }
  return { steps: steps.reverse(), before };
}

/** The fewest steps with groups of at most `groupMax`; `onlyNearer` leaves out detours. */
export function searchSteps(
  search: Search,
  groupMax: number,
  onlyNearer: boolean,
  nodesMax = NODES_MAX,
): SearchResult {
  return new Run(search, groupMax, onlyNearer, nodesMax).run();
}
