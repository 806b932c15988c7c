/**
 * The order of steps to a chosen set: single steps if there is such an order, else (where the apparatus can) the
 * smallest group that has to be installed together, else what blocks.
 */
import { buildInstance, type Instance, type Link, type Variable, versionAt } from '../instance.ts';
import { findSlotFaults } from '../slots.ts';
import type { Assignment } from '../solver/optimum.ts';
import type { CompiledCatalog } from '../tables.ts';
import type { ChooseOptions } from '../types.ts';
import type { World } from '../world.ts';
import { directSteps } from './direct.ts';
import { Edges } from './edges.ts';
import { type Found, type Move, type Search, type SearchResult, type Step, searchSteps } from './search.ts';
import { Invariant, involvedIn, type Values } from './state.ts';

/** A step that cannot be made by itself, and the rule that it would break meanwhile. */
export interface Blocker {
  move: Move;
  broken: Link | undefined;
}

export type Plan =
  | { result: 'order'; steps: Step[]; before: number }
  /** A subject that cannot get to its version by any steps. */
  | { result: 'unreachable'; moves: Move[] }
  /** Steps that only hold together. `proven` is false when the search was cut short. */
  | { result: 'blocked'; blockers: Blocker[]; proven: boolean }
  | { result: 'gave-up' };

interface Task {
  instance: Instance;
  start: Values;
  target: Values;
  search: Search;
}

/** The plan instance's candidate for what the choice instance has at the same place. */
function candidateIn(variable: Variable, chosen: Variable, value: number): number {
  return value < 0 ? -1 : variable.candidates.indexOf(chosen.candidates[value]!);
}

function layTask(
  catalog: CompiledCatalog,
  world: World,
  options: ChooseOptions,
  chosenFrom: Instance,
  assignment: Assignment,
  exhausted: () => boolean,
): Task {
  const instance = buildInstance(catalog, world, options, 'plan');
  const start = new Int32Array(instance.variables.length);
  const target = new Int32Array(instance.variables.length);
  const edges = new Map<number, Edges>();
  const allowDowngrade = options.allowDowngrade !== false;
  for (const variable of instance.variables) {
    const { index } = variable;
    const value = candidateIn(variable, chosenFrom.variables[index]!, assignment.values[index]!);
    start[index] = variable.subject ? variable.current : value;
    // What is not in use in the end stays as it is.
    target[index] = value < 0 ? start[index]! : value;
  }
  const presentBefore = instance.parts.map((part) => !part.replaces && !part.host.spare);
  const presentAfter = assignment.present;
  const invariant = new Invariant(instance, start, presentBefore);
  for (const variable of instance.variables) {
    const { index, product } = variable;
    const moves = start[index] !== target[index];
    const mayReturn = allowDowngrade && product?.releases.some((each) => each.downgradeFrom !== undefined);
    if (variable.subject && (moves || mayReturn)) {
      edges.set(index, new Edges(variable, target[index]!, allowDowngrade));
    }
  }
  const exchanges = presentBefore.some((here, i) => here !== presentAfter[i]);
  const { apparatus } = instance;
  const slotsBroken = apparatus?.slots !== undefined && findSlotFaults(apparatus, world.hosts).length > 0;
  const search: Search = {
    invariant,
    edges,
    start,
    presentBefore,
    presentAfter,
    exchanges,
    slotsBroken,
    exhausted,
  };
  return { instance, start, target, search };
}

/** Splits the variables that may move into groups that no rule connects, in the order of the structure. */
function independentEdges({ search, instance, start, target }: Task): ReadonlyMap<number, Edges>[] {
  const { edges, invariant } = search;
  const root = instance.variables.map((_, i) => i);
  const find = (i: number): number => {
    let at = i;
    while (root[at] !== at) {
      root[at] = root[root[at]!]!;
      at = root[at]!;
    }
    return at;
  };
  for (const link of invariant.instance.links) {
    const movable = [...involvedIn(link)].filter(({ index }) => edges.has(index));
    for (const { index } of movable) root[find(index)] = find(movable[0]!.index);
  }
  const whole = search.exchanges || invariant.hasBrokenBoot;
  const groups = new Map<number, Map<number, Edges>>();
  for (const [index, each] of edges) {
    const key = whole ? 0 : find(index);
    const group = groups.get(key) ?? new Map<number, Edges>();
    group.set(index, each);
    groups.set(key, group);
  }
  const needed = (group: ReadonlyMap<number, Edges>): boolean =>
    [...group.keys()].some((index) => start[index] !== target[index]);
  const moving = [...groups.values()].filter(needed);
  return moving.length === 0 && search.exchanges ? [new Map()] : moving;
}

/** The steps from what is installed to what was chosen. */
export function planSteps(
  catalog: CompiledCatalog,
  world: World,
  options: ChooseOptions,
  chosenFrom: Instance,
  assignment: Assignment,
  exhausted: () => boolean,
): Plan {
  const task = layTask(catalog, world, options, chosenFrom, assignment, exhausted);
  const { start, target, search } = task;
  const unreachable: Move[] = [];
  for (const [index, edges] of search.edges) {
    if (edges.isReachable(start[index]!)) continue;
    unreachable.push({ variable: edges.variable, from: start[index]!, to: target[index]! });
  }
  if (unreachable.length > 0) return { result: 'unreachable', moves: unreachable };
  const steps: Step[] = [];
  let before = 0;
  for (const edges of independentEdges(task)) {
    const part = planPart({ ...search, edges }, task);
    if (part.result !== 'order') return part;
    steps.push(...part.steps);
    before += part.before;
  }
  return { result: 'order', steps, before };
}

const isFound = (result: SearchResult): result is Found => typeof result === 'object';

/** Up to so many moving variables, the smallest group is searched for; beyond, what goes straight has to do. */
const SEARCHED_MOVES_MAX = 8;
/** States looked at for detours where the straight way is known. */
const DETOUR_NODES_MAX = 2_000;

function planPart(search: Search, { start, target, instance }: Task): Plan {
  const direct = directSteps(search);
  // Every variable needs a step: with one each, no order has fewer.
  if (direct?.every((step) => step.length === 1)) return { result: 'order', steps: direct, before: 0 };
  const moving = [...search.edges.keys()].filter((index) => start[index] !== target[index]).length;
  const many = direct !== undefined && moving > SEARCHED_MOVES_MAX;
  const single = searchSteps(search, 1, false, many ? DETOUR_NODES_MAX : undefined);
  if (isFound(single)) return { result: 'order', ...single };
  const transactional = instance.apparatus?.transactional === true;
  const proven = single === 'none';
  if (many) {
    const steps = direct;
    if (transactional) return { result: 'order', steps, before: 0 };
    return { result: 'blocked', blockers: blockersIn(search, { steps, before: 0 }), proven };
  }
  if (single === 'gave-up') return { result: 'gave-up' };
  return planGroups(search, transactional, moving, proven);
}

/** The smallest groups that have to go together. */
function planGroups(search: Search, transactional: boolean, moving: number, proven: boolean): Plan {
  let sure = proven;
  for (let groupMax = 2; groupMax <= Math.max(2, moving); groupMax++) {
    for (const onlyNearer of [true, false]) {
      const grouped = searchSteps(search, groupMax, onlyNearer);
      if (grouped === 'gave-up') return { result: 'gave-up' };
      if (!isFound(grouped)) {
        if (grouped === 'limit') sure = false;
        continue;
      }
      if (transactional) return { result: 'order', ...grouped };
      return { result: 'blocked', blockers: blockersIn(search, grouped), proven };
    }
  }
  return { result: 'blocked', blockers: blockersIn(search, undefined), proven: sure };
}

/** The moves of the first group that only holds together (or of all that is left to do), and what each would break. */
function blockersIn(search: Search, found: Found | undefined): Blocker[] {
  const values = search.start.slice();
  let group: Step | undefined;
  for (const step of found?.steps ?? []) {
    if (step.length > 1) {
      group = step;
      break;
    }
    for (const { variable, to } of step) values[variable.index] = to;
  }
  group ??= [...search.edges.values()]
    .filter((edges) => edges.target !== values[edges.variable.index])
    .map((edges) => ({
      variable: edges.variable,
      from: values[edges.variable.index]!,
      to: edges.from(values[edges.variable.index]!)[0] ?? edges.target,
    }));
  return group.map((move) => {
    const alone = values.slice();
    alone[move.variable.index] = move.to;
    return { move, broken: search.invariant.brokenLink(alone, search.presentBefore, [move.variable]) };
  });
}

/** A step on the wire: subject and version, pair by pair. */
export function stepOnWire(step: Step): string[] {
  return step.flatMap(({ variable, to }) => [variable.name, versionAt(variable, to)]);
}
