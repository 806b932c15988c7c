/**
 * Searches the order of steps: A* over versions, with the steps that every variable needs by itself as the lower bound.
 * A step moves one variable, or, in a transaction, a group of at most `groupMax` that only holds together.
 */
import type { Link, Variable } from '../instance.ts';
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
  values: Values;
  exchanged: boolean;
  steps: number;
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

export const NODES_MAX = 40_000;
const GROUP_TRIES_MAX = 4_000;
const BUDGET_CHECK_NODES = 64;

class Run {
  private readonly search: Search;
  private readonly groupMax: number;
  private readonly onlyNearer: boolean;
  private readonly nodesMax: number;
  private readonly open: Node[][] = [];
  private readonly closed = new Set<string>();
  private cut = false;

  constructor(search: Search, groupMax: number, onlyNearer: boolean, nodesMax: number) {
    this.nodesMax = nodesMax;
    this.search = search;
    this.groupMax = groupMax;
    this.onlyNearer = onlyNearer;
  }

  run(): SearchResult {
    const { search } = this;
    this.push({
      values: search.start,
      exchanged: !search.exchanges,
      steps: 0,
      parent: undefined,
      step: undefined,
    });
    for (let count = 0; ; count++) {
      const node = this.pop();
      if (!node) return this.cut ? 'limit' : 'none';
      if (count % BUDGET_CHECK_NODES === 0 && search.exhausted()) return 'gave-up';
      if (count > this.nodesMax) return 'limit';
      const key = `${node.exchanged ? 1 : 0} ${node.values.join()}`;
      if (this.closed.has(key)) continue;
      this.closed.add(key);
      const left = this.distance(node);
      if (left === 0 && node.exchanged) return unwind(node);
      // A single step is looked at only here: most that are pushed are never reached.
      const between = node.steps > 0 && left > 0;
      if (between && !this.isValid(node)) continue;
      if (left > 0) this.expand(node);
      if (!node.exchanged) this.push({ ...node, exchanged: true, parent: node, step: undefined });
    }
  }

  private push(node: Node): void {
    const bound = node.steps + Math.ceil(this.distance(node) / this.groupMax);
    while (this.open.length <= bound) this.open.push([]);
    this.open[bound]!.push(node);
  }

  /** Of the nodes with the lowest bound the last pushed. */
  private pop(): Node | undefined {
    for (const nodes of this.open) {
      const node = nodes.pop();
      if (node) return node;
    }
    return undefined;
  }

  private distance({ values }: Node): number {
    let sum = 0;
    for (const [index, edges] of this.search.edges) sum += edges.distances[values[index]!]!;
    return sum;
  }

  private present(node: { exchanged: boolean }): readonly boolean[] {
    return node.exchanged ? this.search.presentAfter : this.search.presentBefore;
  }

  private isValid(node: Node): boolean {
    if (this.search.slotsBroken && !node.exchanged) return false;
    return this.broken(node, node.values, node.step) === undefined;
  }

  /** The first link broken after a step. An exchange of units may have broken any, long before. */
  private broken(node: Node, values: Values, step: Step | undefined): Link | undefined {
    const moved = this.search.exchanges || !step ? 'all' : step.map(({ variable }) => variable);
    return this.search.invariant.brokenLink(values, this.present(node), moved);
  }

  private expand(node: Node): void {
    const steps: Step[] = [];
    for (const [index, edges] of this.search.edges) {
      if (!this.present(node)[edges.variable.part.index]) continue;
      for (const move of this.movesOf(index, edges, node.values)) {
        if (this.groupMax === 1) steps.push([move]);
        else this.growGroup(node, [move], steps, { tries: 0 });
      }
    }
    // The last pushed is taken first: what comes first in the structure shall be tried first.
    for (const step of steps.reverse()) {
      const values = node.values.slice();
      for (const { variable, to } of step) values[variable.index] = to;
      this.push({ values, exchanged: node.exchanged, steps: node.steps + 1, parent: node, step });
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
  private growGroup(node: Node, group: Move[], found: Step[], effort: { tries: number }): void {
    if (effort.tries++ > GROUP_TRIES_MAX) {
      this.cut = true;
      return;
    }
    const values = node.values.slice();
    for (const { variable, to } of group) values[variable.index] = to;
    const moved = group.map(({ variable }) => variable);
    const present = this.present(node);
    const broken = this.broken(node, values, group);
    if (!broken || this.distance({ ...node, values }) === 0) {
      found.push(group);
      return;
    }
    if (group.length >= this.groupMax) return;
    for (const variable of involvedIn(broken)) {
      const edges = this.search.edges.get(variable.index);
      if (!edges || moved.includes(variable) || !present[variable.part.index]) continue;
      for (const move of this.movesOf(variable.index, edges, node.values)) {
        this.growGroup(node, [...group, move], found, effort);
      }
    }
  }
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
