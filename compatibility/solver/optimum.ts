/**
 * The lexicographic optimum: fewest units replaced, fewest switched, fewest downgrades, fewest changes, newest versions.
 */
import type { Instance, Part, Variable } from '../instance.ts';
import type { ChooseOptions, Cost, Gap } from '../types.ts';
import type { Literal } from './cdcl.ts';
import { Encoding, FALSE, TRUE } from './encoding.ts';
import { minimizeCount } from './minimize.ts';
import { findCrowd } from './pigeonhole.ts';

/** What was chosen: the parts in use, and a candidate for every variable on them. */
export interface Assignment {
  present: boolean[];
  /** By variable; -1 where its part is not in use. */
  values: number[];
  switches: { active: Part; spare: Part }[];
  cost: Cost;
  /** Set when time ran out before the proof: how much better the best assignment can be at most. */
  gap?: Gap;
}

/** An answer to be excluded: a whole assignment, or the values of some variables in it. */
export interface Exclusion {
  assignment: Assignment;
  /** By index; undefined: all, and the parts in use. */
  variables?: readonly number[];
}

export type Optimum = Assignment | 'unsat' | 'gave-up';
export type Objective = NonNullable<ChooseOptions['objective']>;

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

/** Tries to make a literal true, and fixes the result. */
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

/** Settles part by part in order of the structure: the part, then its software, newest first. */
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

/** Conflicts after which a search counts as hard. */
export const PATIENCE_CONFLICTS = 1_000;

type Count = 'replaced' | 'switched' | 'downgrades' | 'changes';

/** The criteria, in order. */
const CRITERIA: Record<Objective, readonly (Count | 'newest')[]> = {
  'fewest-changes': ['replaced', 'switched', 'downgrades', 'changes', 'newest'],
  upgrade: ['replaced', 'switched', 'downgrades', 'newest', 'changes'],
};

/** Literals of which as few as possible should be true. */
function literalsOf(encoding: Encoding, criterion: Count): Literal[] {
  const { instance, present, switches } = encoding;
  switch (criterion) {
    case 'replaced':
      return instance.parts.filter((part) => part.replaces).map((part) => present[part.index]!);
    case 'switched':
      return switches.map(({ literal }) => literal);
    default:
      return changeLiterals(encoding, criterion === 'downgrades');
  }
}

/** The last model as an assignment. */
function assignmentOf(encoding: Encoding): Assignment {
  const { instance, solver, present, switches } = encoding;
  const inUse = instance.parts.map((part) => solver.isTrue(present[part.index]!));
  const values = instance.variables.map((variable) =>
    inUse[variable.part.index] ? encoding.valueOf(variable) : -1,
  );
  let downgrades = 0;
  let changes = 0;
  for (const { subject, index, level, current } of instance.variables) {
    const value = values[index]!;
    if (!subject || value < 0) continue;
    if (value < level) downgrades++;
    if (value !== current) changes++;
  }
  return {
    present: inUse,
    values,
    switches: switches.filter(({ literal }) => solver.isTrue(literal)),
    cost: [instance.parts.filter((part) => part.replaces && inUse[part.index]).length, downgrades, changes],
  };
}

/** How much of a criterion an assignment has. */
function amountOf({ cost, switches }: Assignment, criterion: Count): number {
  switch (criterion) {
    case 'replaced':
      return cost[0];
    case 'switched':
      return switches.length;
    case 'downgrades':
      return cost[1];
    case 'changes':
      return cost[2];
  }
}

/** Makes true literals of the last model false, one by one, while nothing that is false becomes true. */
function reduce(
  encoding: Encoding,
  literals: readonly Literal[],
  held: readonly Literal[],
): 'done' | 'gave-up' {
  const { solver } = encoding;
  for (const literal of literals) {
    if (!solver.isTrue(literal)) continue;
    const kept = literals.filter((each) => !solver.isTrue(each)).map((each) => each ^ 1);
    if (solver.solve([...held, ...kept, literal ^ 1]) === 'gave-up') return 'gave-up';
  }
  return 'done';
}

/**
 * A good assignment when time for the proof ran out: the last model, improved.
 * @param open criteria that are not proven, the first of them with its proven lower bound
 */
function goodAssignment(encoding: Encoding, open: readonly (Count | 'newest')[], needed: number): Assignment {
  const { solver } = encoding;
  const held: Literal[] = [];
  for (const criterion of open) {
    if (criterion === 'newest') continue;
    const literals = literalsOf(encoding, criterion);
    // A counting literal that is new is in no model yet.
    if (solver.solve(held) !== 'sat' || reduce(encoding, literals, held) === 'gave-up') break;
    held.push(...literals.filter((literal) => !solver.isTrue(literal)).map((literal) => literal ^ 1));
  }
  const assignment = assignmentOf(encoding);
  for (const [i, criterion] of open.entries()) {
    if (criterion === 'newest') return { ...assignment, gap: { criterion } };
    const atMost = amountOf(assignment, criterion) - (i === 0 ? needed : 0);
    if (atMost > 0) return { ...assignment, gap: { criterion, atMost } };
  }
  return assignment;
}

/**
 * Settles the criteria one after the other. When the proof takes longer than `proving` allows, it returns an assignment
 * with its maximum distance from the best, improved for as long as `improving` allows.
 * @param excluded answers to be excluded
 */
export function findOptimum(
  instance: Instance,
  objective: Objective,
  exhausted: () => boolean,
  excluded: readonly Exclusion[] = [],
  { proving = exhausted, improving = exhausted }: { proving?: () => boolean; improving?: () => boolean } = {},
): Optimum {
  let limit = proving;
  let patience = PATIENCE_CONFLICTS;
  const encoding = new Encoding(instance, {
    exhausted: () => limit() || encoding.solver.conflicts > patience,
    newestFirst: objective === 'upgrade',
  });
  for (const { assignment, variables } of excluded) {
    if (variables) encoding.excludeSome(assignment.values, variables);
    else encoding.exclude(assignment.present, assignment.values);
  }
  const criteria = CRITERIA[objective];
  for (const [i, criterion] of criteria.entries()) {
    let needed = 0;
    if (criterion === 'newest') {
      if (settleNewest(encoding) === 'done') continue;
    } else {
      const literals = literalsOf(encoding, criterion);
      let minimum = minimizeCount(encoding.solver, literals);
      if (minimum !== 'unsat' && !minimum.proven && patience !== Number.POSITIVE_INFINITY) {
        // Hard: look for conflicts that clause learning cannot see, then continue.
        if (findCrowd(instance)) return 'unsat';
        patience = Number.POSITIVE_INFINITY;
        minimum = minimizeCount(encoding.solver, literals);
      }
      if (minimum === 'unsat') return 'unsat';
      if (minimum.proven) continue;
      needed = minimum.count;
    }
    limit = exhausted;
    if (exhausted()) return 'gave-up';
    encoding.preferInstalled();
    const result = encoding.solver.solve();
    if (result !== 'sat') return result;
    limit = improving;
    return goodAssignment(encoding, criteria.slice(i), needed);
  }
  return assignmentOf(encoding);
}
