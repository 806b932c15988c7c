/**
 * Other solvers on the same instances, with the first two criteria only (fewest downgrades, then fewest changes), which
 * is less than `choose` optimizes. Each returns the cost it found, or undefined when it stopped early.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Instance } from './instances.ts';

export type PeerCost = [downgrades: number, changes: number] | undefined;

export interface Peer {
  name: string;
  /** Loads the solver. This is timed, because a program that uses the solver would wait for it too. */
  load(): Promise<(instance: Instance) => Promise<PeerCost>>;
}

const folder = fileURLToPath(new URL('../', import.meta.url));

/** Installs the peers from their own lock file when they are missing. */
export function installPeers(): void {
  if (existsSync(`${folder}node_modules/z3-solver`)) return;
  process.stderr.write('bench: installing peers from bench/package-lock.json (npm ci) …\n');
  const npm = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'], {
    cwd: folder,
    stdio: ['ignore', 2, 2],
  });
  if (npm.status !== 0) throw new Error('npm ci failed in bench/');
}

const require = createRequire(new URL('../package.json', import.meta.url));

/** Loads a package of bench/node_modules, which the type checker does not see. */
async function load<T>(name: string): Promise<T> {
  return (await import(pathToFileURL(require.resolve(name)).href)) as T;
}

/** One downgrade outweighs any number of changes. */
const DOWNGRADE_WEIGHT = 1_000;
const costOf = (weighted: number): PeerCost => [
  Math.floor(Math.round(weighted) / DOWNGRADE_WEIGHT),
  Math.round(weighted) % DOWNGRADE_WEIGHT,
];

interface Clingo {
  default: { run(program: string, models: number, options: string[]): Promise<ClingoResult> };
}
interface ClingoResult {
  Result: string;
  Models?: { Costs?: number[]; Optimum?: string };
}

const CLINGO_RULES = `
{ge(S,K)} :- s(S), K = 1..n-1.
:- ge(S,K), K > 1, not ge(S,K-1).
ge(S,0) :- s(S).
v(S,K) :- ge(S,K), not ge(S,K+1).
:- v(S,K), d(S,K,O,L,_), L > 0, not ge(O,L).
:- v(S,K), d(S,K,O,_,H), ge(O,H+1).
#minimize { 1@2,S : i(S,K), not ge(S,K) }.
#minimize { 1@1,S : i(S,K), not v(S,K) }.
`;

export const clingo: Peer = {
  name: 'clingo-wasm',
  async load() {
    const { default: solver } = await load<Clingo>('clingo-wasm');
    return async (instance) => {
      const facts = [`#const n=${instance.versions}.`];
      for (const [s, k] of instance.installed.entries()) facts.push(`s(${s}).i(${s},${k}).`);
      for (const { subject, at, of, low, high } of instance.demands) {
        facts.push(`d(${subject},${at},${of},${low},${high}).`);
      }
      const result = await solver.run(facts.join('\n') + CLINGO_RULES, 0, ['--opt-mode=opt']);
      const costs = result.Models?.Costs;
      if (result.Result !== 'OPTIMUM FOUND' || !costs) return undefined;
      return [costs[0]!, costs[1]!];
    };
  },
};

interface Solution {
  evaluate(formula: unknown): boolean;
}
interface LogicSolver {
  default: Logic;
}
interface Logic {
  Solver: new () => {
    require(...formulas: unknown[]): void;
    solve(): Solution | null;
    minimizeWeightedSum(solution: Solution, formulas: unknown[], weights: number[]): Solution | null;
  };
  or(...operands: unknown[]): unknown;
  implies(a: unknown, b: unknown): unknown;
}

export const minisat: Peer = {
  name: 'logic-solver (MiniSat)',
  async load() {
    const { default: logic } = await load<LogicSolver>('logic-solver');
    return async ({ installed, versions, demands }) => {
      const solver = new logic.Solver();
      const ge = (s: number, k: number): string => `g${s}_${k}`;
      const atLeast = (s: number, k: number): string[] | true =>
        k <= 0 ? true : k >= versions ? [] : [ge(s, k)];
      const below = (s: number, k: number): string[] | true =>
        k <= 0 ? [] : k >= versions ? true : [`-${ge(s, k)}`];
      const clause = (...parts: (string[] | true)[]): void => {
        if (!parts.includes(true)) solver.require(logic.or(...(parts as string[][]).flat()));
      };
      for (let s = 0; s < installed.length; s++) {
        for (let k = 2; k < versions; k++) clause(below(s, k), atLeast(s, k - 1));
      }
      for (const { subject, at, of, low, high } of demands) {
        clause(below(subject, at), atLeast(subject, at + 1), atLeast(of, low));
        clause(below(subject, at), atLeast(subject, at + 1), below(of, high + 1));
      }
      const formulas: string[] = [];
      const weights: number[] = [];
      for (const [s, k] of installed.entries()) {
        clause(atLeast(s, k), [`down${s}`]);
        clause(atLeast(s, k), [`moved${s}`]);
        clause(below(s, k + 1), [`moved${s}`]);
        formulas.push(`moved${s}`);
        weights.push(1);
        // The oldest version has no downgrade, and the solver rejects a variable that occurs in no clause.
        if (k === 0) continue;
        formulas.push(`down${s}`);
        weights.push(DOWNGRADE_WEIGHT);
      }
      const first = solver.solve();
      const best = first && solver.minimizeWeightedSum(first, formulas, weights);
      if (!best) return undefined;
      const sum = formulas.reduce((total, each, i) => total + (best.evaluate(each) ? weights[i]! : 0), 0);
      return costOf(sum);
    };
  },
};

interface Highs {
  default(): Promise<{
    solve(lp: string, options: object): { Status: string; ObjectiveValue: number };
  }>;
}

export const highs: Peer = {
  name: 'HiGHS',
  async load() {
    const solver = await (await load<Highs>('highs')).default();
    return async ({ installed, versions, demands }) => {
      // g(s, k) means "version k or later"; the constants g(s, 0) = 1 and g(s, versions) = 0 are left out.
      const term = (sign: string, s: number, k: number): [string, number] =>
        k <= 0 ? ['', sign === '+' ? 1 : -1] : k >= versions ? ['', 0] : [` ${sign} g${s}_${k}`, 0];
      const rows: string[] = [];
      const atLeast = (terms: [string, number][], bound: number): void => {
        const text = terms.map(([each]) => each).join('');
        const constant = terms.reduce((sum, [, each]) => sum + each, 0);
        if (text !== '') rows.push(`${text} >= ${bound - constant}`);
      };
      for (let s = 0; s < installed.length; s++) {
        for (let k = 2; k < versions; k++) atLeast([term('+', s, k - 1), term('-', s, k)], 0);
      }
      for (const { subject, at, of, low, high } of demands) {
        const value = [term('-', subject, at), term('+', subject, at + 1)] as const;
        atLeast([...value, term('+', of, low)], 0);
        atLeast([...value, term('-', of, high + 1)], -1);
      }
      const names: string[] = [];
      for (const [s, k] of installed.entries()) {
        atLeast([[` + d${s}`, 0], term('+', s, k)], 1);
        atLeast([[` + m${s}`, 0], term('+', s, k), term('-', s, k + 1)], 1);
        names.push(`d${s}`, `m${s}`);
        for (let each = 1; each < versions; each++) names.push(`g${s}_${each}`);
      }
      const goal = installed.map((_, s) => ` + ${DOWNGRADE_WEIGHT} d${s} + m${s}`).join('');
      const lp = `Minimize\n obj:${goal}\nSubject To\n${rows.map((row, i) => ` c${i}:${row}`).join('\n')}\nBinary\n ${names.join('\n ')}\nEnd`;
      const { Status, ObjectiveValue } = solver.solve(lp, {
        output_flag: false,
        mip_rel_gap: 0,
        mip_abs_gap: 0.5,
      });
      return Status === 'Optimal' ? costOf(ObjectiveValue) : undefined;
    };
  },
};

interface Z3Expression {
  toString(): string;
}
interface Z3Context {
  Optimize: new () => {
    fromString(text: string): void;
    check(): Promise<string>;
    model(): { eval(expression: Z3Expression, complete: boolean): Z3Expression };
  };
  Bool: { const(name: string): Z3Expression };
}
interface Z3Package {
  init(): Promise<{ Context: new (name: string) => Z3Context }>;
}

/** Z3's optimizer with the order encoding in SMT-LIB: its integers are slower and exhaust WebAssembly's memory. */
export const z3: Peer = {
  name: 'Z3',
  async load() {
    const { Context } = await (await load<Z3Package>('z3-solver')).init();
    return async ({ seed, installed, versions, demands }) => {
      const context = new Context(`seed-${seed}`);
      const lines: string[] = [];
      const atLeast = (s: number, k: number): string =>
        k <= 0 ? 'true' : k >= versions ? 'false' : `g${s}_${k}`;
      const isAt = (s: number, k: number): string => `(and ${atLeast(s, k)} (not ${atLeast(s, k + 1)}))`;
      for (let s = 0; s < installed.length; s++) {
        for (let k = 1; k < versions; k++) {
          lines.push(`(declare-const ${atLeast(s, k)} Bool)`);
          if (k > 1) lines.push(`(assert (=> ${atLeast(s, k)} ${atLeast(s, k - 1)}))`);
        }
      }
      for (const { subject, at, of, low, high } of demands) {
        const between = `(and ${atLeast(of, low)} (not ${atLeast(of, high + 1)}))`;
        lines.push(`(assert (=> ${isAt(subject, at)} ${between}))`);
      }
      for (const [s, k] of installed.entries()) {
        lines.push(`(assert-soft ${atLeast(s, k)} :weight ${DOWNGRADE_WEIGHT} :id cost)`);
        lines.push(`(assert-soft ${isAt(s, k)} :weight 1 :id cost)`);
      }
      const optimize = new context.Optimize();
      optimize.fromString(lines.join('\n'));
      if ((await optimize.check()) !== 'sat') return undefined;
      const model = optimize.model();
      const holds = (s: number, k: number): boolean =>
        k <= 0 || (k < versions && model.eval(context.Bool.const(atLeast(s, k)), true).toString() === 'true');
      const downgrades = installed.filter((k, s) => !holds(s, k)).length;
      const changes = installed.filter((k, s) => !holds(s, k) || holds(s, k + 1)).length;
      return [downgrades, changes];
    };
  },
};
