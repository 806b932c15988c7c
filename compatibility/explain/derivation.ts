/**
 * How a core leads to a contradiction, step by step: what each rule leaves of the versions that are possible. Where
 * that comes to a halt, the cases are told apart.
 */
import type { Instance, Link, LinkTarget, Part, Variable } from '../instance.ts';
import { slotsAccepting } from '../slots.ts';
import { spanHas } from '../spans.ts';
import { isSlotDemand, type Origin } from './core.ts';

/** What is still possible. */
interface Possible {
  /** By variable and candidate. */
  versions: Uint8Array[];
  /** By part: whether it can be in use, and whether it can be not. */
  canBeIn: boolean[];
  canBeOut: boolean[];
}

/** One conclusion. */
export interface Deduction {
  origin: Origin | { ways: Part[] };
  /** What was concluded: candidates left of a variable, or that a part is in use or not. */
  about: Variable | Part;
  /** The target that played the role, for rules of several. */
  target: LinkTarget | undefined;
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
  /** What remains impossible, when no cases are needed. */
  end: Variable | Part | undefined;
  /** The variable by whose candidates the cases differ, and the derivation of each. */
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

  /** Concludes until something is impossible; false when nothing more follows. */
  conclude(): boolean {
    for (let before = -1; before !== this.deductions.length && !this.end; ) {
      before = this.deductions.length;
      for (const origin of this.origins) {
        if (this.end) break;
        if (this.exhausted()) return false;
        if (isSlotDemand(origin)) this.slotDemand(origin);
        else if (origin.mode === 'each') this.eachLink(origin);
        else this.someLink(origin);
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
    target: LinkTarget | undefined,
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

  /** Whether the link's condition holds for certain; `but` leaves out one of its conditions. */
  private binds(link: Link, but?: 'part' | 'given' | 'variable'): boolean {
    if (but !== 'part' && !this.isIn(link.part)) return false;
    if (but !== 'given' && !this.isIn(link.given)) return false;
    if (but === 'variable' || !link.variable) return true;
    return this.left(link.variable).every((candidate) => candidate >= link.first && candidate <= link.last);
  }

  private canFulfil({ part, variable, allowed }: LinkTarget): boolean {
    if (!this.possible.canBeIn[part.index]) return false;
    return variable
      ? this.left(variable).some((candidate) => spanHas(allowed, candidate))
      : spanHas(allowed, 0);
  }

  private eachLink(link: Link): void {
    for (const target of link.targets) {
      if (this.binds(link)) this.require(link, target);
      // Read the other way round: a target that cannot follow rules the declarer out.
      if (!this.end && this.isIn(target.part) && !this.canFulfil(target)) this.refuse(link, target);
    }
  }

  private someLink(link: Link): void {
    const able = link.targets.filter((target) => this.canFulfil(target));
    if (able.length === 0) this.refuse(link, link.targets.length === 1 ? link.targets[0] : undefined);
    else if (able.length === 1 && this.binds(link)) {
      const [target] = able;
      if (this.possible.canBeOut[target!.part.index]) this.setPart(link, target!.part, true, target);
      if (!this.end) this.require(link, target!);
    }
  }

  /** The target must be allowed if it is in use. */
  private require(link: Link, target: LinkTarget): void {
    const { part, variable, allowed } = target;
    const able = variable ? this.left(variable).some((each) => spanHas(allowed, each)) : spanHas(allowed, 0);
    if (!able && this.possible.canBeIn[part.index] && this.possible.canBeOut[part.index]) {
      this.setPart(link, part, false, target);
    } else if (variable && this.isIn(part)) {
      this.keep(link, variable, (candidate) => spanHas(allowed, candidate), target, link.variable);
    } else if (!variable && !able && this.isIn(part)) this.refuse(link, target);
  }

  /** The link cannot hold: one of its conditions must be false, if only one is in doubt. */
  private refuse(link: Link, target: LinkTarget | undefined): void {
    const { variable, part, given } = link;
    if (variable && this.binds(link, 'variable')) {
      const outside = (candidate: number): boolean => candidate < link.first || candidate > link.last;
      this.keep(link, variable, outside, target, target?.variable);
    } else if (part && this.possible.canBeOut[part.index] && this.binds(link, 'part')) {
      if (this.possible.canBeIn[part.index]) this.setPart(link, part, false, target);
    } else if (given && this.possible.canBeOut[given.index] && this.binds(link, 'given')) {
      if (this.possible.canBeIn[given.index]) this.setPart(link, given, false, target);
    } else if (this.binds(link))
      this.contradict(link, part ?? target?.part ?? this.instance.parts[0]!, target);
  }

  private contradict(origin: Deduction['origin'], about: Variable | Part, target?: LinkTarget): void {
    this.note(origin, about, target, target?.variable ? [target.variable] : [], false);
    this.end = about;
  }

  private keep(
    link: Link,
    variable: Variable,
    test: (candidate: number) => boolean,
    target: LinkTarget | undefined,
    other: Variable | undefined,
  ): void {
    const versions = this.possible.versions[variable.index]!;
    const read = other && other !== variable ? [other] : [];
    const before = this.left(variable);
    for (const candidate of before) if (!test(candidate)) versions[candidate] = 0;
    const after = this.left(variable);
    if (after.length === before.length && before.length > 0) return;
    this.note(link, variable, target, read, undefined, before);
    if (after.length > 0) return;
    if (!this.isIn(variable.part)) this.setPart(link, variable.part, false, target);
    else this.end = variable;
  }

  private setPart(origin: Deduction['origin'], part: Part, inUse: boolean, target?: LinkTarget): void {
    const { canBeIn, canBeOut } = this.possible;
    if (inUse) canBeOut[part.index] = false;
    else canBeIn[part.index] = false;
    this.note(origin, part, target, target?.variable ? [target.variable] : [], inUse);
    if (!canBeIn[part.index] && !canBeOut[part.index]) this.end = part;
  }

  /** Where a unit stands, one of the ways to fill its place must be taken. */
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
    // Whatever stands at a place: how many are surely in the slot, how many might be.
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

  /** The cases of the variable with the fewest candidates left. */
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

  /** Only what the end rests on. */
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

/** Tells how the origins come to contradict each other; a derivation without end when the budget ran out. */
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
