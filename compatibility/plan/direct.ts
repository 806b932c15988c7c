/**
 * The order in which every variable goes straight to its target in one step. A rule between two variables says which
 * must not go first; variables that say so of each other must go together (strongly connected components). The time is
 * proportional to the rules, whereas the search would try every order.
 */
import type { Requirement } from '../instance.ts';
import type { Move, Search, Step } from './search.ts';
import { involvedIn, requirementHolds, type Values } from './state.ts';

/** The moves, one for every variable that is not at its target; undefined when some cannot go there in one step. */
function directMoves(search: Search): Map<number, Move> | undefined {
  const moves = new Map<number, Move>();
  for (const [index, { variable, target, distances }] of search.edges) {
    const from = search.start[index]!;
    if (from === target) continue;
    if (distances[from] !== 1) return undefined;
    moves.set(index, { variable, from, to: target });
  }
  return moves;
}

/** By variable: which must go before it or with it; undefined when the budget ran out. */
function precedence(search: Search, moves: ReadonlyMap<number, Move>): Map<number, Set<number>> | undefined {
  const before = new Map([...moves.keys()].map((index) => [index, new Set<number>()]));
  const { invariant, start, presentAfter } = search;
  const breaks = (requirement: Requirement, values: Values): boolean =>
    !requirementHolds(requirement, values, presentAfter) && !invariant.isExcused(requirement, values);
  const seen = new Set<Requirement>();
  for (const { variable } of moves.values()) {
    for (const requirement of invariant.requirementsOf(variable)) {
      if (seen.has(requirement)) continue;
      seen.add(requirement);
      if (search.exhausted()) return undefined;
      const moving = [...involvedIn(requirement)].filter(({ index }) => moves.has(index));
      // Move one alone before another: what breaks shows that the other must not stay behind.
      for (const first of moving) {
        for (const second of moving) {
          if (first === second) continue;
          const values = start.slice();
          for (const { index } of moving) values[index] = moves.get(index)!.to;
          values[second.index] = start[second.index]!;
          if (breaks(requirement, values)) before.get(first.index)!.add(second.index);
        }
      }
    }
  }
  return before;
}

/** Strongly connected components, those that must go first in front (Tarjan). */
function components(before: ReadonlyMap<number, ReadonlySet<number>>): number[][] {
  const found: number[][] = [];
  const numbers = new Map<number, number>();
  const lows = new Map<number, number>();
  const stack: number[] = [];
  const onStack = new Set<number>();
  const visit = (node: number): void => {
    const number = numbers.size;
    numbers.set(node, number);
    lows.set(node, number);
    stack.push(node);
    onStack.add(node);
    for (const next of before.get(node)!) {
      if (!numbers.has(next)) visit(next);
      if (onStack.has(next)) lows.set(node, Math.min(lows.get(node)!, lows.get(next)!));
    }
    if (lows.get(node) !== number) return;
    const members: number[] = [];
    for (let member = -1; member !== node; ) {
      member = stack.pop()!;
      onStack.delete(member);
      members.push(member);
    }
    found.push(members.sort((a, b) => a - b));
  };
  for (const node of before.keys()) if (!numbers.has(node)) visit(node);
  return found;
}

/** Steps straight to the targets, in groups where they must go together; undefined when that doesn't work. */
export function directSteps(search: Search): Step[] | undefined {
  if (search.exchanges) return undefined;
  const moves = directMoves(search);
  if (!moves) return undefined;
  const before = precedence(search, moves);
  if (!before) return undefined;
  const steps = components(before).map((members) => members.map((index) => moves.get(index)!));
  // Pairs don't show rules of three or more variables, so every state between two steps is checked.
  const values = search.start.slice();
  for (const [i, step] of steps.entries()) {
    if (search.exhausted()) return undefined;
    for (const { variable, to } of step) values[variable.index] = to;
    if (i === steps.length - 1) break;
    const moved = step.map(({ variable }) => variable);
    if (search.invariant.brokenRequirement(values, search.presentAfter, moved)) return undefined;
  }
  return steps;
}
