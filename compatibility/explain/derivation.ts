/**
 * Derives a contradiction from a core step by step: what each rule leaves of the possible versions. When nothing more
 * follows, it distinguishes cases.
 */
import type { Instance, Part, Requirement, RequirementTarget, Variable } from '../instance.ts';
import { slotsAccepting } from '../slots.ts';
import { spanHas } from '../spans.ts';
import { isSlotDemand, type Origin } from './core.ts';

/** What is still possible. */
interface Possible {
  /** By variable and candidate. */
  versions: Uint8Array[];
  /** By part: whether it can be in use, and whether it can be unused. */
  canBeIn: boolean[];
  canBeOut: boolean[];
}

/** One conclusion. */
export interface Deduction {
  origin: Origin | { ways: Part[] };
  /** What was concluded: candidates left of a variable, or that a part is in use or not. */
  about: Variable | Part;
  /** For rules with several targets, the one that mattered. */
  target: RequirementTarget | undefined;
  /** Candidates left of the variable after it. */
  left: number[];
  /** Candidates that were left of it before. */
  before: number[];
  /** Candidates left of the other variable that was read (the declarer or the target), before it. */
  read: { variable: Variable; left: number[] }[];
  /** For a part: whether it must be in use (true) or cannot be (false). */
  inUse: boolean | undefined;
}

export interface Derivation {
  deductions: Deduction[];
  /** What turned out to be impossible, when no cases are needed. */
  end: Variable | Part | undefined;
  /** The variable whose candidates are distinguished, and the derivation of each case. */
  cases: { variable: Variable; derivations: { candidate: number; derivation: Derivation }[] } | undefined;
}

const DEPTH_MAX = 4;
const CASES_MAX = 8;

const isVariable = (about: Variable | Part): about is Variable => 'candidates' in about;

class Deriver {
  private readonly instance: Instance;
  private readonly origins: readonly Origin[];
  private readonly possible: Possible;
  private readonly exhausted: () => boolean;
  private readonly deductions: Deduction[] = [];
  private end: Variable | Part | undefined;

  constructor(instance: Instance, origins: readonly Origin[], possible: Possible, exhausted: () => boolean) {
    this.instance = instance;
    this.origins = origins;
    this.possible = possible;
    this.exhausted = exhausted;
  }

  /** Deduces until something is impossible; false when nothing more follows. */
  conclude(): boolean {
    for (let before = -1; before !== this.deductions.length && !this.end; ) {
      before = this.deductions.length;
      for (const origin of this.origins) {
        if (this.end) break;
        if (this.exhausted()) return false;
        if (isSlotDemand(origin)) this.slotDemand(origin);
        else if (origin.mode === 'each') this.eachRequirement(origin);
        else this.someRequirement(origin);
      }
      if (!this.end) this.placeWays();
    }
    return this.end !== undefined;
  }

  private left(variable: Variable): number[] {
    const versions = this.possible.versions[variable.index]!;
    return [...versions.keys()].filter((candidate) => versions[candidate] === 1);
  }

  private note(
    origin: Deduction['origin'],
    about: Variable | Part,
    target: RequirementTarget | undefined,
    read: readonly Variable[],
    inUse?: boolean,
    before: number[] = [],
  ): void {
    this.deductions.push({
      before,
      origin,
      about,
      target,
      left: isVariable(about) ? this.left(about) : [],
      read: read.map((variable) => ({ variable, left: this.left(variable) })),
      inUse,
    });
  }

  private isIn(part: Part | undefined): boolean {
    return !part || !this.possible.canBeOut[part.index];
  }

  /** Whether the requirement's condition holds for certain; `but` leaves out one of its conditions. */
  private binds(requirement: Requirement, but?: 'part' | 'given' | 'variable'): boolean {
    if (but !== 'part' && !this.isIn(requirement.part)) return false;
    if (but !== 'given' && !this.isIn(requirement.given)) return false;
    if (but === 'variable' || !requirement.variable) return true;
    return this.left(requirement.variable).every(
      (candidate) => candidate >= requirement.first && candidate <= requirement.last,
    );
  }

  private canFulfil({ part, variable, allowed }: RequirementTarget): boolean {
    if (!this.possible.canBeIn[part.index]) return false;
    return variable
      ? this.left(variable).some((candidate) => spanHas(allowed, candidate))
      : spanHas(allowed, 0);
  }

  private eachRequirement(requirement: Requirement): void {
    for (const target of requirement.targets) {
      if (this.binds(requirement)) this.require(requirement, target);
      // The converse: a target that cannot comply rules the declarer out.
      if (!this.end && this.isIn(target.part) && !this.canFulfil(target)) this.refuse(requirement, target);
    }
  }

  private someRequirement(requirement: Requirement): void {
    const able = requirement.targets.filter((target) => this.canFulfil(target));
    if (able.length === 0)
      this.refuse(requirement, requirement.targets.length === 1 ? requirement.targets[0] : undefined);
    else if (able.length === 1 && this.binds(requirement)) {
      const [target] = able;
      if (this.possible.canBeOut[target!.part.index]) this.setPart(requirement, target!.part, true, target);
      if (!this.end) this.require(requirement, target!);
    }
  }

  /** The target must be allowed if it is in use. */
  private require(requirement: Requirement, target: RequirementTarget): void {
    const { part, variable, allowed } = target;
    const able = variable ? this.left(variable).some((each) => spanHas(allowed, each)) : spanHas(allowed, 0);
    if (!able && this.possible.canBeIn[part.index] && this.possible.canBeOut[part.index]) {
      this.setPart(requirement, part, false, target);
    } else if (variable && this.isIn(part)) {
      this.keep(
        requirement,
        variable,
        (candidate) => spanHas(allowed, candidate),
        target,
        requirement.variable,
      );
    } else if (!variable && !able && this.isIn(part)) this.refuse(requirement, target);
  }

  /** The requirement cannot hold: one of its conditions must be false, if only one is in doubt. */
  private refuse(requirement: Requirement, target: RequirementTarget | undefined): void {
    const { variable, part, given } = requirement;
    if (variable && this.binds(requirement, 'variable')) {
      const outside = (candidate: number): boolean =>
        candidate < requirement.first || candidate > requirement.last;
      this.keep(requirement, variable, outside, target, target?.variable);
    } else if (part && this.possible.canBeOut[part.index] && this.binds(requirement, 'part')) {
      if (this.possible.canBeIn[part.index]) this.setPart(requirement, part, false, target);
    } else if (given && this.possible.canBeOut[given.index] && this.binds(requirement, 'given')) {
      if (this.possible.canBeIn[given.index]) this.setPart(requirement, given, false, target);
    } else if (this.binds(requirement))
      this.contradict(requirement, part ?? target?.part ?? this.instance.parts[0]!, target);
  }

  private contradict(origin: Deduction['origin'], about: Variable | Part, target?: RequirementTarget): void {
    this.note(origin, about, target, target?.variable ? [target.variable] : [], false);
    this.end = about;
  }

  private keep(
    requirement: Requirement,
    variable: Variable,
    test: (candidate: number) => boolean,
    target: RequirementTarget | undefined,
    other: Variable | undefined,
  ): void {
    const versions = this.possible.versions[variable.index]!;
    const read = other && other !== variable ? [other] : [];
    const before = this.left(variable);
    for (const candidate of before) if (!test(candidate)) versions[candidate] = 0;
    const after = this.left(variable);
    if (after.length === before.length && before.length > 0) return;
    this.note(requirement, variable, target, read, undefined, before);
    if (after.length > 0) return;
    if (!this.isIn(variable.part)) this.setPart(requirement, variable.part, false, target);
    else this.end = variable;
  }

  private setPart(origin: Deduction['origin'], part: Part, inUse: boolean, target?: RequirementTarget): void {
    const { canBeIn, canBeOut } = this.possible;
    if (inUse) canBeOut[part.index] = false;
    else canBeIn[part.index] = false;
    this.note(origin, part, target, target?.variable ? [target.variable] : [], inUse);
    if (!canBeIn[part.index] && !canBeOut[part.index]) this.end = part;
  }

  /** One of the ways to fill the place of a unit must be taken. */
  private placeWays(): void {
    const { canBeIn, canBeOut } = this.possible;
    for (const part of this.instance.parts) {
      if (this.end || part.always || part.replaces || part.host.spare) continue;
      const ways = [part, ...part.replacements, ...part.spares];
      const able = ways.filter((way) => canBeIn[way.index]);
      if (able.length === 0) this.contradict({ ways }, part);
      else if (able.length === 1 && canBeOut[able[0]!.index]) this.setPart({ ways }, able[0]!, true);
    }
  }

  private slotDemand(origin: Extract<Origin, { demand: string }>): void {
    const { parts, apparatus } = this.instance;
    const { canBeIn, canBeOut } = this.possible;
    if (origin.part) {
      if (!canBeOut[origin.part.index]) this.contradict(origin, origin.part);
      else if (canBeIn[origin.part.index]) this.setPart(origin, origin.part, false);
      return;
    }
    const slots = apparatus!.slots!;
    const slot = slots.indexOf(origin.slot!);
    const { min, max } = origin.slot!;
    const acceptingOf = ({ host }: Part): number[] => slotsAccepting(slots, host.kind, host.model);
    // Per place: how many parts are surely in the slot, and how many might be.
    let surely = 0;
    let maybe = 0;
    for (const place of parts) {
      if (place.index === 0 || place.replaces || place.host.spare) continue;
      const ways = [place, ...place.replacements, ...place.spares].filter(({ index }) => canBeIn[index]);
      if (
        ways.length > 0 &&
        ways.every((way) => acceptingOf(way).length === 1 && acceptingOf(way)[0] === slot)
      ) {
        surely++;
      }
      if (ways.some((way) => acceptingOf(way).includes(slot))) maybe++;
    }
    const count = origin.demand === 'min' ? maybe < min : surely > max;
    if (count) this.contradict(origin, parts[0]!);
  }

  derive(depth: number): Derivation {
    if (this.conclude()) return { deductions: this.needed(), end: this.end, cases: undefined };
    return {
      deductions: this.deductions,
      end: undefined,
      cases: depth < DEPTH_MAX && !this.exhausted() ? this.split(depth) : undefined,
    };
  }

  /** Distinguishes the candidates of the variable that has the fewest left. */
  private split(depth: number): Derivation['cases'] {
    const inCore = new Set<Variable>();
    for (const origin of this.origins) {
      if (isSlotDemand(origin)) continue;
      if (origin.variable) inCore.add(origin.variable);
      for (const { variable } of origin.targets) if (variable) inCore.add(variable);
    }
    const open = [...inCore].filter((variable) => this.left(variable).length > 1 && this.isIn(variable.part));
    open.sort((a, b) => this.left(a).length - this.left(b).length || a.index - b.index);
    const variable = open[0];
    if (!variable || this.left(variable).length > CASES_MAX) return undefined;
    const derivations = this.left(variable).map((candidate) => {
      const { versions, canBeIn, canBeOut } = this.possible;
      const possible: Possible = {
        versions: versions.map((each) => each.slice()),
        canBeIn: [...canBeIn],
        canBeOut: [...canBeOut],
      };
      possible.versions[variable.index]!.fill(0)[candidate] = 1;
      return { candidate, derivation: this.deriver(possible).derive(depth + 1) };
    });
    return { variable, derivations };
  }

  private deriver(possible: Possible): Deriver {
    return new Deriver(this.instance, this.origins, possible, this.exhausted);
  }

  /** Only the deductions that the end depends on. */
  private needed(): Deduction[] {
    const wanted = new Set<Variable | Part>(this.end ? [this.end] : []);
    const kept: Deduction[] = [];
    for (const deduction of [...this.deductions].reverse()) {
      const { about, origin, read, target } = deduction;
      if (!wanted.has(about) && kept.length > 0) continue;
      kept.push(deduction);
      wanted.add(about);
      for (const { variable } of read) wanted.add(variable);
      if ('ways' in origin) for (const way of origin.ways) wanted.add(way);
      else if (!isSlotDemand(origin)) {
        for (const each of [origin.part, origin.given, origin.variable]) if (each) wanted.add(each);
        const involved = target ? [target] : origin.targets;
        for (const { part, variable } of involved) {
          wanted.add(part);
          if (variable) wanted.add(variable);
        }
      } else for (const part of this.instance.parts) wanted.add(part);
    }
    return kept.reverse();
  }
}

/** Derives how the origins contradict each other; without an end when the budget ran out. */
export function deriveContradiction(
  instance: Instance,
  origins: readonly Origin[],
  exhausted: () => boolean = () => false,
): Derivation {
  const possible: Possible = {
    versions: instance.variables.map(({ candidates }) => new Uint8Array(candidates.length).fill(1)),
    canBeIn: instance.parts.map(() => true),
    canBeOut: instance.parts.map((part) => !part.always),
  };
  return new Deriver(instance, origins, possible, exhausted).derive(0);
}
