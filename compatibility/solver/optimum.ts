/**
 * The lexicographic optimum: fewest units replaced, fewest switched, fewest downgrades, fewest changes, newest versions.
 */
import type { Instance, Part, Variable } from '../instance.ts';
import type { Cost } from '../types.ts';
import type { Literal } from './cdcl.ts';
import { Encoding, FALSE, TRUE } from './encoding.ts';
import { minimizeCount } from './minimize.ts';

/** What was chosen: the parts in use, and a candidate for every variable on them. */
export interface Assignment {
  present: boolean[];
  /** By variable; -1 where its part is not in use. */
  values: number[];
  switches: { active: Part; spare: Part }[];
  cost: Cost;
}

/** What shall not be the answer: a whole assignment, or what some variables are in it. */
export interface Exclusion {
  assignment: Assignment;
  /** By index; undefined: all, and the parts in use. */
  variables?: readonly number[];
}

export type Optimum = Assignment | 'unsat' | 'gave-up';

/** Literals of which each says that a variable is moved down, or moved at all. */
function changeLiterals(encoding: Encoding, downOnly: boolean): Literal[] {
  const { solver, instance, present } = encoding;
  const literals: Literal[] = [];
  for (const variable of instance.variables) {
    if (!variable.subject || variable.candidates.length === 0) continue;
    const here = present[variable.part.index]!;
    const down = encoding.atLeast(variable, variable.level) ^ 1;
    if (downOnly) {
      if (variable.level > 0) literals.push(whenHere(encoding, here, [down]));
    } else if (variable.current < 0) {
      literals.push(whenHere(encoding, here, [TRUE]));
    } else if (variable.candidates.length > 1) {
      const away = encoding.atLeast(variable, variable.current + 1);
      literals.push(whenHere(encoding, here, [encoding.atLeast(variable, variable.current) ^ 1, away]));
    }
  }
  return literals.filter((literal) => !solver.isFixedFalse(literal));
}

/** A literal that is implied where the part is in use and one of `causes` holds. */
function whenHere(encoding: Encoding, here: Literal, causes: readonly Literal[]): Literal {
  const open = causes.filter((cause) => cause !== FALSE);
  if (here === TRUE && open.length === 1 && open[0] !== TRUE) return open[0]!;
  const literal = encoding.solver.newLiteral(false);
  for (const cause of open) encoding.solver.addClause([here ^ 1, cause ^ 1, literal]);
  return literal;
}

/** Tries to hold a literal; what comes of it is held from now on. */
function prefer(encoding: Encoding, literal: Literal): boolean | 'gave-up' {
  const { solver } = encoding;
  const result = solver.solve([literal]);
  if (result === 'gave-up') return result;
  solver.addClause([result === 'sat' ? literal : literal ^ 1]);
  return result === 'sat';
}

/** Raises a variable as far as it goes and holds it there. */
function raise(encoding: Encoding, variable: Variable): 'done' | 'gave-up' {
  const { solver } = encoding;
  const newest = variable.candidates.length - 1;
  for (let k = 1; k <= newest; k++) solver.setPhase(encoding.atLeast(variable, k));
  let value = encoding.valueOf(variable);
  while (value < newest) {
    const higher = encoding.atLeast(variable, value + 1);
    if (solver.isFixedFalse(higher)) break;
    const result = solver.solve([higher]);
    if (result === 'gave-up') return result;
    if (result === 'unsat') {
      solver.addClause([higher ^ 1]);
      break;
    }
    value = encoding.valueOf(variable);
  }
  solver.addClause([encoding.atLeast(variable, value)]);
  return 'done';
}

/** Settles part by part in the order of the structure: what stands there, then its software, newest first. */
function settleNewest(encoding: Encoding): 'done' | 'gave-up' {
  const { instance, present } = encoding;
  const onPart = new Map<Part, Variable[]>();
  for (const variable of instance.variables) {
    onPart.set(variable.part, [...(onPart.get(variable.part) ?? []), variable]);
  }
  for (const part of instance.parts) {
    if (part.replaces) continue;
    let inPlace: Part | undefined = part;
    if (!part.always && !part.host.spare) {
      inPlace = undefined;
      for (const way of [part, ...part.replacements]) {
        const held = prefer(encoding, present[way.index]!);
        if (held === 'gave-up') return held;
        if (!held) continue;
        inPlace = way;
        break;
      }
      for (const { active, literal } of inPlace ? [] : encoding.switches) {
        if (active !== part) continue;
        const held = prefer(encoding, literal);
        if (held === 'gave-up') return held;
        if (held) break;
      }
    } else if (part.host.spare) {
      const held = prefer(encoding, present[part.index]!);
      if (held === 'gave-up') return held;
      if (!held) inPlace = undefined;
    }
    for (const variable of (inPlace && onPart.get(inPlace)) ?? []) {
      if (raise(encoding, variable) === 'gave-up') return 'gave-up';
    }
  }
  return 'done';
}

/** Settles what counts, one criterion after the other. `excluded` shall not be the answer. */
export function findOptimum(
  instance: Instance,
  objective: 'fewest-changes' | 'upgrade',
  exhausted: () => boolean,
  excluded: readonly Exclusion[] = [],
): Optimum {
  const encoding = new Encoding(instance, { exhausted, newestFirst: objective === 'upgrade' });
  for (const { assignment, variables } of excluded) {
    if (variables) encoding.excludeSome(assignment.values, variables);
    else encoding.exclude(assignment.present, assignment.values);
  }
  const { solver, present, switches } = encoding;
  const replacing = instance.parts.filter((part) => part.replaces).map((part) => present[part.index]!);
  const replaced = minimizeCount(solver, replacing);
  if (typeof replaced !== 'number') return replaced;
  const switched = minimizeCount(
    solver,
    switches.map(({ literal }) => literal),
  );
  if (typeof switched !== 'number') return switched;
  const downgrades = minimizeCount(solver, changeLiterals(encoding, true));
  if (typeof downgrades !== 'number') return downgrades;
  if (objective === 'upgrade' && settleNewest(encoding) === 'gave-up') return 'gave-up';
  const changes = minimizeCount(solver, changeLiterals(encoding, false));
  if (typeof changes !== 'number') return changes;
  if (objective !== 'upgrade' && settleNewest(encoding) === 'gave-up') return 'gave-up';
  return {
    present: instance.parts.map((part) => solver.isTrue(present[part.index]!)),
    values: instance.variables.map((variable) =>
      solver.isTrue(present[variable.part.index]!) ? encoding.valueOf(variable) : -1,
    ),
    switches: switches.filter(({ literal }) => solver.isTrue(literal)),
    cost: [replaced, downgrades, changes],
  };
}
