/**
 * Counts literals: `atLeast(k)` is implied by any k of the inputs. Built lazily, up to the largest k asked for.
 */
import type { Literal, Solver } from './cdcl.ts';

export class Totalizer {
  readonly size: number;
  private readonly solver: Solver;
  private readonly left: Totalizer | undefined;
  private readonly right: Totalizer | undefined;
  /** `outputs[k - 1]`: at least k inputs hold. */
  private readonly outputs: Literal[] = [];

  constructor(solver: Solver, inputs: readonly Literal[]) {
    this.solver = solver;
    this.size = inputs.length;
    if (inputs.length === 1) {
      this.outputs.push(inputs[0]!);
      return;
    }
    const half = inputs.length >> 1;
    this.left = new Totalizer(solver, inputs.slice(0, half));
    this.right = new Totalizer(solver, inputs.slice(half));
  }

  /** A literal that is true when at least k inputs are; 1 <= k <= size. */
  atLeast(k: number): Literal {
    while (this.outputs.length < k) this.extend(this.outputs.length + 1);
    return this.outputs[k - 1]!;
  }

  private extend(k: number): void {
    const left = this.left!;
    const right = this.right!;
    const output = this.solver.newLiteral(false);
    for (let i = Math.max(0, k - right.size); i <= Math.min(k, left.size); i++) {
      const clause = [output];
      if (i > 0) clause.push(left.atLeast(i) ^ 1);
      if (k - i > 0) clause.push(right.atLeast(k - i) ^ 1);
      this.solver.addClause(clause);
    }
    // At least k + 1 implies at least k.
    const before = this.outputs.at(-1);
    if (before !== undefined) this.solver.addClause([output ^ 1, before]);
    this.outputs.push(output);
  }
}
