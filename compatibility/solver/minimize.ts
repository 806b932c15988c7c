/**
 * Fewest true literals, exactly: unsatisfiable cores with counters (OLL). Every core raises the lower bound by one and
 * is replaced by a counter over it; the first model is optimal.
 */
import type { Literal, Solver } from './cdcl.ts';
import { Totalizer } from './totalizer.ts';

/** A counter's bound that is not to be reached, and the counter it belongs to. */
interface Soft {
  counter: Totalizer | undefined;
  bound: number;
}

/** The fewest literals that can be true; `proven` is false when time ran out and more of them may have to be. */
export interface Minimum {
  count: number;
  proven: boolean;
}

/** Makes as few of `literals` true as possible and, once that is proven, holds the solver to it. */
export function minimizeCount(solver: Solver, literals: readonly Literal[]): Minimum | 'unsat' {
  const softs = new Map<Literal, Soft>();
  for (const literal of literals) softs.set(literal ^ 1, { counter: undefined, bound: 1 });
  // A duplicate literal must not be counted twice.
  if (softs.size !== literals.length) throw new Error('literals to count must differ');
  let count = 0;
  for (;;) {
    const result = solver.solve([...softs.keys()]);
    if (result === 'gave-up') return { count, proven: false };
    if (result === 'sat') break;
    const core = shrink(solver, solver.core);
    if (core.length === 0) return 'unsat';
    count++;
    relax(solver, softs, core);
  }
  for (const soft of softs.keys()) solver.addClause([soft]);
  return { count, proven: true };
}

/** Solves again with the core alone: what the solver then needs of it is often less. */
function shrink(solver: Solver, core: readonly Literal[]): readonly Literal[] {
  if (core.length <= 1) return core;
  return solver.solve([...core].reverse()) === 'unsat' ? solver.core : core;
}

function relax(solver: Solver, softs: Map<Literal, Soft>, core: readonly Literal[]): void {
  for (const literal of core) {
    const soft = softs.get(literal)!;
    softs.delete(literal);
    if (!soft.counter || soft.bound >= soft.counter.size) continue;
    const next = soft.counter.atLeast(soft.bound + 1);
    softs.set(next ^ 1, { counter: soft.counter, bound: soft.bound + 1 });
  }
  if (core.length === 1) {
    solver.addClause([core[0]! ^ 1]);
    return;
  }
  solver.addClause(core.map((literal) => literal ^ 1));
  const counter = new Totalizer(
    solver,
    core.map((literal) => literal ^ 1),
  );
  softs.set(counter.atLeast(2) ^ 1, { counter, bound: 2 });
}
