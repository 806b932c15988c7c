/**
 * The states allowed between two steps: every boot rule holds, and no function rule is broken unless the same release
 * or unit broke it at the start.
 */
import type { Instance, Requirement, Variable } from '../instance.ts';
import { spanHas } from '../spans.ts';

/** A candidate for every variable; -1 where there is none. */
export type Values = Int32Array;

/** Whether a requirement holds. `present` is by part. */
export function requirementHolds(
  requirement: Requirement,
  values: Values,
  present: readonly boolean[],
): boolean {
  if (requirement.part && !present[requirement.part.index]) return true;
  if (requirement.given && !present[requirement.given.index]) return true;
  if (requirement.variable) {
    const value = values[requirement.variable.index]!;
    if (value < requirement.first || value > requirement.last) return true;
  }
  for (const { part, variable, allowed } of requirement.targets) {
    if (!present[part.index]) continue;
    const holds = spanHas(allowed, variable ? values[variable.index]! : 0);
    if (holds !== (requirement.mode === 'each')) return holds;
  }
  return requirement.mode === 'each';
}

export class Invariant {
  readonly instance: Instance;
  private readonly start: Values;
  /** Function rules that were broken at the start; they may stay so while their declarer stays. */
  private readonly excused = new Set<Requirement>();
  private readonly brokenBoot: readonly Requirement[];
  private readonly ofVariable: Requirement[][];

  constructor(instance: Instance, start: Values, present: readonly boolean[]) {
    this.instance = instance;
    this.start = start;
    this.ofVariable = instance.variables.map(() => []);
    const brokenBoot: Requirement[] = [];
    for (const requirement of instance.requirements) {
      for (const variable of involvedIn(requirement)) this.ofVariable[variable.index]!.push(requirement);
      if (requirementHolds(requirement, start, present)) continue;
      if (requirement.severity === 'boot') brokenBoot.push(requirement);
      else this.excused.add(requirement);
    }
    this.brokenBoot = brokenBoot;
  }

  /** Whether a boot rule is broken at the start, which binds every state in between. */
  get hasBrokenBoot(): boolean {
    return this.brokenBoot.length > 0;
  }

  /** The same with some of the requirements only. */
  limitedTo(requirements: Requirement[], present: readonly boolean[]): Invariant {
    return new Invariant({ ...this.instance, requirements }, this.start, present);
  }

  requirementsOf(variable: Variable): readonly Requirement[] {
    return this.ofVariable[variable.index]!;
  }

  /** The first broken requirement that must hold, among those the moved variables touch; undefined when all hold. */
  brokenRequirement(
    values: Values,
    present: readonly boolean[],
    moved: Iterable<Variable> | 'all',
  ): Requirement | undefined {
    if (moved === 'all') return this.firstBroken(this.instance.requirements, values, present);
    for (const variable of moved) {
      const broken = this.firstBroken(this.requirementsOf(variable), values, present);
      if (broken) return broken;
    }
    return this.firstBroken(this.brokenBoot, values, present);
  }

  private firstBroken(
    requirements: readonly Requirement[],
    values: Values,
    present: readonly boolean[],
  ): Requirement | undefined {
    return requirements.find(
      (requirement) =>
        !requirementHolds(requirement, values, present) && !this.isExcused(requirement, values),
    );
  }

  /** Whether the same declarer broke the requirement at the start. */
  isExcused(requirement: Requirement, values: Values): boolean {
    if (!this.excused.has(requirement)) return false;
    return (
      !requirement.variable || values[requirement.variable.index] === this.start[requirement.variable.index]
    );
  }
}

/** The variables a requirement speaks of, its declarer first. */
export function involvedIn(requirement: Requirement): Set<Variable> {
  const variables = new Set<Variable>();
  if (requirement.variable) variables.add(requirement.variable);
  for (const { variable } of requirement.targets) if (variable) variables.add(variable);
  return variables;
}
