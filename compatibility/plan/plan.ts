/**
 * The order of steps to a chosen set: single steps if there is such an order (searched state by state, then by layers),
 * else (where the apparatus can) the smallest group that has to be installed together, else what blocks.
 */
import { buildInstance, type Instance, type Variable, versionAt } from '../instance.ts';
import { findSlotFaults } from '../slots.ts';
import type { Assignment } from '../solver/optimum.ts';
import type { CompiledCatalog } from '../tables.ts';
import type { ChooseOptions } from '../types.ts';
import type { World } from '../world.ts';
import { type Blocker, findBlockers } from './blockers.ts';
import { directSteps } from './direct.ts';
import { Edges } from './edges.ts';
import { independentGroups } from './independence.ts';
import { layeredSteps } from './layers.ts';
import { isFound, type Move, type Search, type Step, searchSteps } from './search.ts';
import { Invariant, type Values } from './state.ts';

export type Plan =
  | { result: 'order'; steps: Step[]; before: number }
  /** A subject that cannot get to its version by any steps. */
  | { result: 'unreachable'; moves: Move[] }
  /** Proven: the rules between these moves leave no order, whatever the other moves do. Without any of them they do. */
  | { result: 'blocked'; blockers: Blocker[]; settled: readonly number[] }
  /** Neither an order was found nor the proof that there is none. */
  | { result: 'gave-up' };

/** What to plan: where every variable is and has to go, and the search for the way. */
export interface Task {
  instance: Instance;
  start: Values;
  target: Values;
  search: Search;
}

/** The candidate in the plan instance for a candidate in the choice instance. */
function candidateIn(variable: Variable, chosen: Variable, value: number): number {
  return value < 0 ? -1 : variable.candidates.indexOf(chosen.candidates[value]!);
}

/** Sets up the way from what is installed to what was chosen. */
export function layTask(
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
    // What is not in use in the end stays unchanged.
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

/** The steps from what is installed to what was chosen. */
export function planSteps(
  catalog: CompiledCatalog,
  world: World,
  options: ChooseOptions,
  chosenFrom: Instance,
  assignment: Assignment,
  exhausted: () => boolean,
): Plan {
  if (exhausted()) return { result: 'gave-up' };
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
  let gaveUp = false;
  for (const edges of independentGroups(search)) {
    const part = planPart({ ...search, edges }, task);
    // A group that is proven to be blocked is an answer, whatever the others give.
    if (part.result === 'blocked' || part.result === 'unreachable') return part;
    if (part.result === 'gave-up') {
      gaveUp = true;
      continue;
    }
    steps.push(...part.steps);
    before += part.before;
  }
  return gaveUp ? { result: 'gave-up' } : { result: 'order', steps, before };
}

/** Up to this many moving variables the smallest group is searched; above it, only direct steps are tried. */
const SEARCHED_MOVES_MAX = 8;
/** States visited in search of detours where the direct way is known. */
const DETOUR_NODES_MAX = 2_000;

function planPart(search: Search, { start, target, instance }: Task): Plan {
  const direct = directSteps(search);
  // Every variable needs a step: with one each, no order has fewer.
  if (direct?.every((step) => step.length === 1)) return { result: 'order', steps: direct, before: 0 };
  const moving = [...search.edges.keys()].filter((index) => start[index] !== target[index]).length;
  const many = direct !== undefined && moving > SEARCHED_MOVES_MAX;
  const single = searchSteps(search, 1, false, many ? DETOUR_NODES_MAX : undefined);
  if (isFound(single)) return { result: 'order', ...single };
  if (single === 'limit') {
    const steps = layeredSteps(search);
    if (steps) return { result: 'order', steps, before: 0 };
  }
  const transactional = instance.apparatus?.transactional === true;
  if (many && transactional) return { result: 'order', steps: direct, before: 0 };
  if (!transactional) return single === 'none' ? blockedBy(search, 1) : { result: 'gave-up' };
  if (single === 'gave-up') return { result: 'gave-up' };
  return planGroups(search, moving);
}

/** The smallest groups that have to go together. */
function planGroups(search: Search, moving: number): Plan {
  let proven = true;
  for (let groupMax = 2; groupMax <= Math.max(2, moving); groupMax++) {
    for (const onlyNearer of [true, false]) {
      const grouped = searchSteps(search, groupMax, onlyNearer);
      if (grouped === 'gave-up') return { result: 'gave-up' };
      if (isFound(grouped)) return { result: 'order', ...grouped };
      if (grouped === 'limit') proven = false;
    }
  }
  return proven ? blockedBy(search, Math.max(2, moving)) : { result: 'gave-up' };
}

const blockedBy = (search: Search, groupMax: number): Plan => ({
  result: 'blocked',
  ...findBlockers(search, groupMax),
});

/** A step on the wire: subject and version, pair by pair. */
export function stepOnWire(step: Step): string[] {
  return step.flatMap(({ variable, to }) => [variable.name, versionAt(variable, to)]);
}
