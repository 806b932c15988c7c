/** The part of logic-solver (MiniSat) that the oracle uses: the package has no types. */
declare module 'logic-solver' {
  export type Formula = string | object;
  export interface Solution {
    evaluate(formula: Formula): boolean;
  }
  export class Solver {
    require(...formulas: Formula[]): void;
    solve(): Solution | null;
    solveAssuming(formula: Formula): Solution | null;
    minimizeWeightedSum(solution: Solution, formulas: Formula[], weights: number | number[]): Solution | null;
  }
  interface Logic {
    Solver: typeof Solver;
    TRUE: string;
    FALSE: string;
    or(...operands: (Formula | Formula[])[]): Formula;
    and(...operands: (Formula | Formula[])[]): Formula;
    not(operand: Formula): Formula;
    implies(a: Formula, b: Formula): Formula;
    exactlyOne(...operands: (Formula | Formula[])[]): Formula;
    atMostOne(...operands: (Formula | Formula[])[]): Formula;
    sum(...operands: (Formula | Formula[])[]): object;
    constantBits(wholeNumber: number): object;
    lessThanOrEqual(a: object, b: object): Formula;
  }
  const logic: Logic;
  export default logic;
}
