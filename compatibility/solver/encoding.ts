/**
 * An instance as clauses: order encoding (one literal "candidate >= k" per variable and candidate), so that a range
 * costs two literals and a rule between two ranges one clause.
 */
import type { Instance, Part, Requirement, RequirementTarget, Variable } from '../instance.ts';
import { slotsAccepting } from '../slots.ts';
import type { CompiledSlot } from '../tables.ts';
import { type Literal, Solver } from './cdcl.ts';
import { Totalizer } from './totalizer.ts';

export const TRUE: Literal = 0;
export const FALSE: Literal = 1;

/** A demand of the slots, which counts parts in use and is therefore no requirement. */
export interface SlotDemand {
  slot: CompiledSlot | undefined;
  part: Part | undefined;
  demand: 'max' | 'min' | 'accepts';
  /** Units of the printer that stand in the slot, or might. */
  places: readonly Part[];
}

export interface Switch {
  active: Part;
  spare: Part;
  literal: Literal;
}

export class Encoding {
  readonly solver: Solver;
  readonly instance: Instance;
  /** By part: it is in use. */
  readonly present: Literal[] = [];
  readonly switches: Switch[] = [];
  /** With `explained`: what each selector stands for; a selector assumed true switches its clauses on. */
  readonly selectors = new Map<Literal, Requirement | SlotDemand>();
  private readonly explained: boolean;
  private readonly newestFirst: boolean;
  private readonly bases: Literal[] = [];
  private readonly fulfilled = new Map<RequirementTarget, Literal>();

  constructor(
    instance: Instance,
    options: { exhausted: () => boolean; explained?: boolean; newestFirst?: boolean },
  ) {
    this.instance = instance;
    this.explained = options.explained === true;
    this.newestFirst = options.newestFirst === true;
    this.solver = new Solver(options.exhausted);
    this.solver.addClause([this.solver.newLiteral(true)]);
    this.addParts();
    for (const variable of instance.variables) this.addVariable(variable);
    this.addSlots();
    for (const requirement of instance.requirements) this.addRequirement(requirement);
  }

  /** The variable is at candidate k or above. */
  atLeast(variable: Variable, k: number): Literal {
    if (k <= 0) return TRUE;
    if (k >= variable.candidates.length) return FALSE;
    return this.bases[variable.index]! + 2 * (k - 1);
  }

  /** Tries what is installed first from now on, whatever earlier searches tried. */
  preferInstalled(): void {
    for (const part of this.instance.parts) {
      const here = this.present[part.index]!;
      if (here !== TRUE) this.solver.setPhase(part.replaces || part.host.spare ? here ^ 1 : here);
    }
    for (const variable of this.instance.variables) {
      const kept = keptCandidate(variable);
      for (let k = 1; k < variable.candidates.length; k++) {
        this.solver.setPhase(k <= kept ? this.atLeast(variable, k) : this.atLeast(variable, k) ^ 1);
      }
    }
  }

  /** Forbids one assignment: another part must be in use, or some variable elsewhere. */
  exclude(present: readonly boolean[], values: readonly number[]): void {
    const clause: Literal[] = this.present.map((literal, i) => (present[i] ? literal ^ 1 : literal));
    for (const variable of this.instance.variables) {
      const value = values[variable.index]!;
      if (value < 0) continue;
      clause.push(this.atLeast(variable, value) ^ 1, this.atLeast(variable, value + 1));
    }
    this.solver.addClause(clause);
  }

  /** Forbids that these variables, all in use, have the values of an assignment together. */
  excludeSome(values: readonly number[], variables: readonly number[]): void {
    const clause: Literal[] = [];
    for (const index of variables) {
      const variable = this.instance.variables[index]!;
      const value = values[index]!;
      if (value < 0) continue;
      clause.push(this.present[variable.part.index]! ^ 1);
      clause.push(this.atLeast(variable, value) ^ 1, this.atLeast(variable, value + 1));
    }
    this.solver.addClause(clause);
  }

  /** The candidate of a variable in the last model. */
  valueOf(variable: Variable): number {
    let low = 0;
    let high = variable.candidates.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.solver.isTrue(this.atLeast(variable, middle))) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** A literal that lets clauses be switched off, false for good when nothing is explained. */
  private guard(origin: Requirement | SlotDemand): Literal {
    if (!this.explained) return FALSE;
    const selector = this.solver.newLiteral(true);
    this.selectors.set(selector, origin);
    return selector ^ 1;
  }

  private addParts(): void {
    const { solver, present } = this;
    for (const part of this.instance.parts) {
      present.push(part.always ? TRUE : solver.newLiteral(!part.replaces && !part.host.spare));
    }
    const leftTo = new Map<Part, Literal[]>();
    for (const part of this.instance.parts) {
      if (part.always || part.replaces || part.host.spare) continue;
      const ways: Literal[] = [present[part.index]!];
      for (const replacement of part.replacements) ways.push(present[replacement.index]!);
      for (const spare of part.spares) {
        const literal = solver.newLiteral(false);
        this.switches.push({ active: part, spare, literal });
        ways.push(literal);
        const taken = leftTo.get(spare) ?? [];
        leftTo.set(spare, [...taken, literal]);
      }
      solver.addClause(ways);
      this.addAtMostOne(ways);
    }
    for (const part of this.instance.parts) {
      if (!part.host.spare) continue;
      const taken = leftTo.get(part) ?? [];
      const literal = present[part.index]!;
      solver.addClause([literal ^ 1, ...taken]);
      for (const one of taken) solver.addClause([one ^ 1, literal]);
      this.addAtMostOne(taken);
    }
  }

  private addAtMostOne(literals: readonly Literal[]): void {
    for (let i = 0; i < literals.length; i++) {
      for (let j = i + 1; j < literals.length; j++)
        this.solver.addClause([literals[i]! ^ 1, literals[j]! ^ 1]);
    }
  }

  private addVariable(variable: Variable): void {
    const count = variable.candidates.length;
    const kept = keptCandidate(variable);
    const base = this.solver.variableCount * 2;
    this.bases.push(base);
    for (let k = 1; k < count; k++) this.solver.newLiteral(this.newestFirst || k <= kept);
    for (let k = 2; k < count; k++) this.solver.addClause([(base + 2 * (k - 1)) ^ 1, base + 2 * (k - 2)]);
  }

  private addSlots(): void {
    const slots = this.instance.apparatus?.slots;
    if (!slots) return;
    const inputs: Literal[][] = slots.map(() => []);
    for (const part of this.instance.parts) {
      if (part.host.index === 0) continue;
      const here = this.present[part.index]!;
      const accepting = slotsAccepting(slots, part.host.kind, part.host.model);
      if (accepting.length === 0) {
        this.solver.addClause([
          here ^ 1,
          this.guard({ slot: undefined, part, demand: 'accepts', places: [] }),
        ]);
      } else if (accepting.length === 1) inputs[accepting[0]!]!.push(here);
      else {
        const places = accepting.map(() => this.solver.newLiteral(false));
        this.solver.addClause([here ^ 1, ...places]);
        for (const place of places) this.solver.addClause([place ^ 1, here]);
        this.addAtMostOne(places);
        for (const [i, slot] of accepting.entries()) inputs[slot]!.push(places[i]!);
      }
    }
    for (const [i, slot] of slots.entries()) this.addSlot(slot, inputs[i]!, this.placesOf(slots, i));
  }

  private placesOf(slots: readonly CompiledSlot[], slot: number): Part[] {
    const fits = ({ host }: Part): boolean => slotsAccepting(slots, host.kind, host.model).includes(slot);
    return this.instance.parts.filter(
      (part) =>
        part.host.index > 0 && !part.replaces && !part.host.spare && [part, ...part.replacements].some(fits),
    );
  }

  private addSlot(slot: CompiledSlot, inputs: readonly Literal[], places: readonly Part[]): void {
    if (inputs.length > slot.max) {
      const over = slot.max === 0 ? inputs : [new Totalizer(this.solver, inputs).atLeast(slot.max + 1)];
      const guard = this.guard({ slot, part: undefined, demand: 'max', places });
      for (const literal of over) this.solver.addClause([literal ^ 1, guard]);
    }
    if (slot.min === 0) return;
    const guard = this.guard({ slot, part: undefined, demand: 'min', places });
    if (inputs.length < slot.min) {
      this.solver.addClause([guard]);
      return;
    }
    const missing = new Totalizer(
      this.solver,
      inputs.map((literal) => literal ^ 1),
    );
    this.solver.addClause([missing.atLeast(inputs.length - slot.min + 1) ^ 1, guard]);
  }

  private addRequirement(requirement: Requirement): void {
    const when: Literal[] = [this.guard(requirement)];
    if (requirement.part) when.push(this.present[requirement.part.index]! ^ 1);
    if (requirement.given) when.push(this.present[requirement.given.index]! ^ 1);
    if (requirement.variable) {
      when.push(
        this.atLeast(requirement.variable, requirement.first) ^ 1,
        this.atLeast(requirement.variable, requirement.last + 1),
      );
    }
    if (requirement.mode === 'some') {
      this.solver.addClause([...when, ...requirement.targets.map((target) => this.fulfils(target))]);
      return;
    }
    for (const target of requirement.targets)
      this.forbidGaps([...when, this.present[target.part.index]! ^ 1], target);
  }

  /** Under the negated conditions `when`, the target must not be in one of its gaps. */
  private forbidGaps(when: readonly Literal[], { variable, gaps }: RequirementTarget): void {
    for (let g = 0; g < gaps.length; g += 2) {
      if (!variable) this.solver.addClause(when);
      else {
        const above = this.atLeast(variable, gaps[g + 1]! + 1);
        this.solver.addClause([...when, this.atLeast(variable, gaps[g]!) ^ 1, above]);
      }
    }
  }

  /** A literal that implies that the target is in use and allowed. */
  private fulfils(target: RequirementTarget): Literal {
    const here = this.present[target.part.index]!;
    if (target.gaps.length === 0) return here;
    if (!target.variable || target.allowed.length === 0) return FALSE;
    let literal = this.fulfilled.get(target);
    if (literal === undefined) {
      literal = this.solver.newLiteral(false);
      this.solver.addClause([literal ^ 1, here]);
      this.forbidGaps([literal ^ 1], target);
      this.fulfilled.set(target, literal);
    }
    return literal;
  }
}

/** The candidate that is installed, or the nearest that is no downgrade. */
function keptCandidate({ current, level, candidates }: Variable): number {
  return current >= 0 ? current : Math.min(level, candidates.length - 1);
}
