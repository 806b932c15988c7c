/**
 * Chooses the best set that fits, and the order to get there.
 */
import type { Remedy } from '../schemas/types.ts';
import { blockedText } from './explain/blocked.ts';
import { findCore } from './explain/core.ts';
import { conflictTexts, explanationText } from './explain/sentences.ts';
import { suggest } from './explain/suggest.ts';
import { buildInstance, type Instance, type Variable, versionAt } from './instance.ts';
import { judgeWorld } from './judge.ts';
import { bestReachable } from './plan/alternative.ts';
import { type Plan, planSteps, stepOnWire } from './plan/plan.ts';
import { type Assignment, findOptimum } from './solver/optimum.ts';
import type { CompiledCatalog } from './tables.ts';
import type { Budget, Choice, ChooseOptions, Cost, Gap, PrinterStructureLike } from './types.ts';
import { resolveWorld, type World } from './world.ts';

const NO_LIMIT: Budget = { exhausted: () => false };

/**
 * The best remedy of a structure, or the proof that there is none.
 * @throws Error when an option has an invalid range
 */
export function choose(
  catalog: CompiledCatalog,
  structure: PrinterStructureLike,
  options: ChooseOptions = {},
  budget: Budget = NO_LIMIT,
): Choice {
  const world = resolveWorld(catalog, structure);
  const instance = buildInstance(catalog, world, options);
  const optimum = findOptimum(
    instance,
    options.objective ?? 'fewest-changes',
    () => budget.exhausted(),
    [],
    solvingLimits(budget),
  );
  if (optimum === 'gave-up') return gaveUp(budget);
  if (optimum === 'unsat') return impossible(catalog, world, instance, options, budget);
  const remedy = remedyOf(instance, optimum);
  const { cost } = optimum;
  if (optimum.gap) return unproven(catalog, world, instance, options, budget, optimum, optimum.gap);
  if (remedy.software.length === 0 && remedy.structure.length === 0) {
    return {
      outcome: judgeWorld(catalog, world).status === 'compatible' ? 'compatible' : 'chosen',
      remedy,
      cost,
    };
  }
  const exhausted = (): boolean => budget.exhausted();
  const plan = planSteps(catalog, world, options, instance, optimum, exhausted);
  if (plan.result === 'gave-up') {
    const explanation = `Gave up: this is the best set, but neither an order of steps to it was found within ${effortText(budget)}, nor that there is none.`;
    return { outcome: 'gave-up', remedy, cost, explanation };
  }
  if (plan.result === 'order') return { outcome: 'chosen', remedy: withSteps(remedy, plan), cost };
  const reachable = bestReachable(catalog, world, options, exhausted, { assignment: optimum, plan });
  return {
    outcome: 'blocked',
    remedy,
    cost,
    explanation: blockedText(instance, plan),
    ...(reachable && {
      alternative: {
        remedy: withSteps(remedyOf(reachable.instance, reachable.assignment), reachable.plan),
        cost: reachable.assignment.cost,
      },
    }),
  };
}

/** Share of the time for improving a set that is not proven to be the best. */
const IMPROVING_SHARE = 0.2;
/** Share reserved for the order of steps, or twice the time for building the instance: the steps need another one. */
const PLANNING_SHARE_MIN = 0.2;

/** Deadlines of the proof that a set is the best, and of improving one, so that there is time for its steps. */
function solvingLimits(budget: Budget): { proving: () => boolean; improving: () => boolean } {
  const planning = Math.max(PLANNING_SHARE_MIN, 2 * (budget.spent?.() ?? 0));
  const upTo = (share: number) => (): boolean => budget.exhausted() || (budget.spent?.() ?? 0) >= share;
  return { proving: upTo(1 - planning - IMPROVING_SHARE), improving: upTo(1 - planning) };
}

/** A set that fits, when time ran out before the proof that it is the best. */
function unproven(
  catalog: CompiledCatalog,
  world: World,
  instance: Instance,
  options: ChooseOptions,
  budget: Budget,
  assignment: Assignment,
  gap: Gap,
): Choice {
  const plan = planSteps(catalog, world, options, instance, assignment, () => budget.exhausted());
  const remedy = remedyOf(instance, assignment);
  const order = plan.result === 'order' ? '' : ' No order of steps to it was found either.';
  return {
    outcome: 'gave-up',
    remedy: plan.result === 'order' ? withSteps(remedy, plan) : remedy,
    cost: assignment.cost,
    optimal: false,
    gap,
    explanation: `Gave up proving which set is the best within ${timeText(budget)}. This one fits; ${gapText(gap)}.${order}`,
  };
}

/** How much better the best set could be. */
function gapText({ criterion, atMost }: Gap): string {
  const fewer = (one: string, many: string): string =>
    `the best one has at most ${atMost} ${atMost === 1 ? one : many} fewer`;
  switch (criterion) {
    case 'replaced':
      return fewer('replaced unit', 'replaced units');
    case 'switched':
      return fewer('switched unit', 'switched units');
    case 'downgrades':
      return fewer('downgrade', 'downgrades');
    case 'changes':
      return fewer('software change', 'software changes');
    case 'newest':
      return 'the best one has the same cost, and may have newer versions';
  }
}

/** The remedy if there is an order of steps to it, otherwise the best one that can be reached. */
export function attainable(choice: Choice): { remedy: Remedy; cost: Cost } | undefined {
  if (choice.outcome === 'blocked' || choice.outcome === 'gave-up') return choice.alternative;
  return choice.remedy && choice.cost && { remedy: choice.remedy, cost: choice.cost };
}

function withSteps(remedy: Remedy, plan: Extract<Plan, { result: 'order' }>): Remedy {
  const structure = remedy.structure.map((entry) =>
    plan.before > 0 ? { ...entry, afterSteps: plan.before } : entry,
  );
  return { ...remedy, structure, steps: plan.steps.map(stepOnWire) };
}

function impossible(
  catalog: CompiledCatalog,
  world: World,
  instance: Instance,
  options: ChooseOptions,
  budget: Budget,
): Choice {
  const exhausted = (): boolean => budget.exhausted();
  const core = findCore(instance, exhausted);
  if (!core)
    return { outcome: 'impossible', explanation: 'Nothing fits; there was no time to find out why.' };
  return {
    outcome: 'impossible',
    explanation: explanationText(instance, core, exhausted),
    conflict: conflictTexts(core),
    suggestions: suggest(catalog, world, instance, options, core, exhausted),
  };
}

const timeText = (budget: Budget): string =>
  budget.ms === undefined ? 'the time it was given' : `${budget.ms} ms`;

/** The search for an order also has a limit of states. */
const effortText = (budget: Budget): string =>
  budget.exhausted() ? timeText(budget) : 'the states that are looked at';

function gaveUp(budget: Budget): Choice {
  return { outcome: 'gave-up', explanation: `Gave up: no proven answer within ${timeText(budget)}.` };
}

/** Variables that the assignment moves from what is installed. */
export function movedVariables(instance: Instance, assignment: Assignment): Variable[] {
  return instance.variables.filter(
    (variable) =>
      variable.subject !== undefined &&
      assignment.values[variable.index]! >= 0 &&
      assignment.values[variable.index] !== variable.current,
  );
}

/** The assignment as a remedy without steps. */
function remedyOf(instance: Instance, assignment: Assignment): Remedy {
  const structure: Remedy['structure'] = [];
  for (const part of instance.parts) {
    if (part.replaces && assignment.present[part.index]) {
      const software = instance.variables
        .filter((variable) => variable.part === part)
        .map((variable) => ({
          id: variable.id,
          version: versionAt(variable, assignment.values[variable.index]!),
        }));
      structure.push({
        symbol: part.host.symbol,
        replace: part.replaces.host.model,
        with: part.host.model,
        ...(software.length > 0 ? { software } : {}),
      });
    }
  }
  for (const { active, spare } of assignment.switches) {
    structure.push({ symbol: active.host.symbol, switchTo: spare.host.symbol });
  }
  return {
    software: movedVariables(instance, assignment).map((variable) => ({
      subject: variable.name,
      from: variable.installed,
      to: versionAt(variable, assignment.values[variable.index]!),
    })),
    structure,
    steps: [],
  };
}
