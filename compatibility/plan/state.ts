/**
 * What may stand between two steps: every boot rule holds, and no function rule is broken that was not broken at the
 * start (by the same release or unit).
 */
import type { Instance, Link, Variable } from '../instance.ts';
import { spanHas } from '../spans.ts';

/** A candidate for every variable; -1 where there is none. */
export type Values = Int32Array;

/** Whether a link holds. `present` is by part. */
export function linkHolds(link: Link, values: Values, present: readonly boolean[]): boolean {
  if (link.part && !present[link.part.index]) return true;
  if (link.given && !present[link.given.index]) return true;
  if (link.variable) {
    const value = values[link.variable.index]!;
    if (value < link.first || value > link.last) return true;
  }
  for (const { part, variable, allowed } of link.targets) {
    if (!present[part.index]) continue;
    const holds = spanHas(allowed, variable ? values[variable.index]! : 0);
    if (holds !== (link.mode === 'each')) return holds;
  }
  return link.mode === 'each';
}

export class Invariant {
  readonly instance: Instance;
  private readonly start: Values;
  /** Function rules that were broken at the start; they may stay so while their declarer stays. */
  private readonly excused = new Set<Link>();
  private readonly brokenBoot: readonly Link[];
  private readonly ofVariable: Link[][];

  constructor(instance: Instance, start: Values, present: readonly boolean[]) {
    this.instance = instance;
    this.start = start;
    this.ofVariable = instance.variables.map(() => []);
    const brokenBoot: Link[] = [];
    for (const link of instance.links) {
      for (const variable of involvedIn(link)) this.ofVariable[variable.index]!.push(link);
      if (linkHolds(link, start, present)) continue;
      if (link.severity === 'boot') brokenBoot.push(link);
      else this.excused.add(link);
    }
    this.brokenBoot = brokenBoot;
  }

  /** Whether a boot rule is broken at the start, which binds every state in between. */
  get hasBrokenBoot(): boolean {
    return this.brokenBoot.length > 0;
  }

  /** The same with some of the links only. */
  limitedTo(links: Link[], present: readonly boolean[]): Invariant {
    return new Invariant({ ...this.instance, links }, this.start, present);
  }

  linksOf(variable: Variable): readonly Link[] {
    return this.ofVariable[variable.index]!;
  }

  /** The first link that must not be broken but is, among those the moved variables touch; undefined when all hold. */
  brokenLink(
    values: Values,
    present: readonly boolean[],
    moved: Iterable<Variable> | 'all',
  ): Link | undefined {
    if (moved === 'all') return this.firstBroken(this.instance.links, values, present);
    for (const variable of moved) {
      const broken = this.firstBroken(this.linksOf(variable), values, present);
      if (broken) return broken;
    }
    return this.firstBroken(this.brokenBoot, values, present);
  }

  private firstBroken(links: readonly Link[], values: Values, present: readonly boolean[]): Link | undefined {
    return links.find((link) => !linkHolds(link, values, present) && !this.isExcused(link, values));
  }

  /** Whether the link was broken at the start by what declares it still. */
  isExcused(link: Link, values: Values): boolean {
    if (!this.excused.has(link)) return false;
    return !link.variable || values[link.variable.index] === this.start[link.variable.index];
  }
}

/** The variables a link speaks of, its declarer first. */
export function involvedIn(link: Link): Set<Variable> {
  const variables = new Set<Variable>();
  if (link.variable) variables.add(link.variable);
  for (const { variable } of link.targets) if (variable) variables.add(variable);
  return variables;
}
