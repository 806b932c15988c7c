/**
 * Finds the smallest conflict (set of rules and wishes that cannot hold together) by implicit hitting sets. Every
 * conflict hits each correction set (a set whose removal makes the rest possible). So a smallest set that hits all
 * correction sets found so far is either a smallest conflict, or shows another correction set (Ignatiev, Previti,
 * Liffiton and Marques-Silva, "Smallest MUS extraction with minimal hitting set dualization", CP 2015).
 */
import { type Literal, Solver } from '../solver/cdcl.ts';
import type { Encoding } from '../solver/encoding.ts';
import { minimizeCount } from '../solver/minimize.ts';

/** Most correction sets; each costs a search for a hitting set and some searches for the next correction set. */
const ROUNDS_MAX = 200;

/** A smallest hitting set; undefined when the budget ran out. */
function hittingSet(sets: readonly (readonly Literal[])[], exhausted: () => boolean): Literal[] | undefined {
  const solver = new Solver(exhausted);
  const chosen = new Map<Literal, Literal>();
  for (const set of sets) {
    const clause = set.map((literal) => {
      const known = chosen.get(literal) ?? solver.newLiteral(false);
      chosen.set(literal, known);
      return known;
    });
    solver.addClause(clause);
  }
  const fewest = minimizeCount(solver, [...chosen.values()]);
  if (fewest === 'unsat' || !fewest.proven) return undefined;
  return [...chosen].filter(([, literal]) => solver.isTrue(literal)).map(([literal]) => literal);
}

/** The complement of a maximal satisfiable superset of `held`; undefined when the budget ran out. */
function leftOut(encoding: Encoding, held: readonly Literal[]): Literal[] | undefined {
  const { solver } = encoding;
  let holding = [...encoding.selectors.keys()].filter((each) => held.includes(each) || solver.isTrue(each));
  for (const literal of encoding.selectors.keys()) {
    if (holding.includes(literal)) continue;
    const result = solver.solve([...holding, literal]);
    if (result === 'gave-up') return undefined;
    if (result === 'sat') holding = [...encoding.selectors.keys()].filter((each) => solver.isTrue(each));
  }
  const inside = new Set(holding);
  return [...encoding.selectors.keys()].filter((each) => !inside.has(each));
}

/**
 * The smallest conflict, as selectors of an explained encoding.
 * @param known a minimal conflict
 * @returns `known` if none is smaller; undefined when the budget ran out first
 */
export function smallestConflict(
  encoding: Encoding,
  known: readonly Literal[],
  exhausted: () => boolean,
): readonly Literal[] | undefined {
  const toHit: Literal[][] = [];
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const hit = hittingSet(toHit, exhausted);
    if (!hit) return undefined;
    if (hit.length >= known.length) return known;
    const result = encoding.solver.solve(hit);
    if (result === 'gave-up') return undefined;
    if (result === 'unsat') return hit;
    const next = leftOut(encoding, hit);
    if (!next) return undefined;
    toHit.push(next);
  }
  return undefined;
}
