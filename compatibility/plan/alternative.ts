/**
 * Finds the best set that can be reached, when no order of steps leads to the best one.
 */
import { buildInstance, confineVariable, type Instance, type Variable } from '../instance.ts';
import { type Assignment, type Exclusion, findOptimum } from '../solver/optimum.ts';
import { spanWhere } from '../spans.ts';
import type { CompiledCatalog } from '../tables.ts';
import type { ChooseOptions } from '../types.ts';
import type { World } from '../world.ts';
import { Steps } from './edges.ts';
import { type Plan, planSteps } from './plan.ts';

/** Sets tried: what blocks a set is excluded before the next best is searched. */
const TARGETS_MAX = 16;

export interface Alternative {
  instance: Instance;
  assignment: Assignment;
  plan: Extract<Plan, { result: 'order' }>;
}

/** Releases (by index; -1 is what is installed, where it is no release) to which steps lead from what is installed. */
function reachableReleases(variable: Variable, allowDowngrade: boolean): Set<number> {
  const reached = new Steps(variable, allowDowngrade).reachableFrom(variable.current);
  return new Set(variable.candidates.filter((_, candidate) => reached[candidate] === 1));
}

/** Restricts variables to where their own steps lead. */
function confine(instance: Instance, planning: Instance, allowDowngrade: boolean): void {
  for (const variable of instance.variables) {
    const installed = planning.variables[variable.index]!;
    if (!variable.subject || !variable.product || installed.candidates.length < 2) continue;
    const reachable = reachableReleases(installed, allowDowngrade);
    if (reachable.size >= variable.candidates.length) continue;
    const { candidates } = variable;
    const allowed = spanWhere(candidates.length, (i) => reachable.has(candidates[i]!));
    confineVariable(instance, variable, allowed);
  }
}

/** The versions that have no order whatever the others are, or else the whole set. */
function excludedBy(assignment: Assignment, plan: Exclude<Plan, { result: 'order' }>): Exclusion {
  return plan.result === 'blocked' && plan.settled.length > 0
    ? { assignment, variables: plan.settled }
    : { assignment };
}

/**
 * A good set with an order of steps to it; undefined when none was found.
 * @param blocked the best set, which has none
 */
export function bestReachable(
  catalog: CompiledCatalog,
  world: World,
  options: ChooseOptions,
  exhausted: () => boolean,
  blocked: { assignment: Assignment; plan: Exclude<Plan, { result: 'order' }> },
): Alternative | undefined {
  const instance = buildInstance(catalog, world, options);
  confine(instance, buildInstance(catalog, world, options, 'plan'), options.allowDowngrade !== false);
  const excluded = [excludedBy(blocked.assignment, blocked.plan)];
  while (excluded.length <= TARGETS_MAX && !exhausted()) {
    const assignment = findOptimum(instance, options.objective ?? 'fewest-changes', exhausted, excluded);
    if (typeof assignment === 'string') return undefined;
    const plan = planSteps(catalog, world, options, instance, assignment, exhausted);
    if (plan.result === 'order') return { instance, assignment, plan };
    excluded.push(excludedBy(assignment, plan));
  }
  return undefined;
}
