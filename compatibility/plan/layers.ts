/**
 * Planning as satisfiability, for orders that a state search doesn't find in time: a number of layers, each moving any
 * variables whose steps can be made one after the other in any order (Kautz and Selman, "Pushing the envelope", AAAI
 * 1996; the parallel steps are the "forall steps" of Rintanen, Heljanko and Niemelä, 2006). It finds orders; it never
 * proves that there is none.
 */
import type { Requirement, RequirementTarget } from '../instance.ts';
import { type Literal, Solver } from '../solver/cdcl.ts';
import { minimizeCount } from '../solver/minimize.ts';
import { type Span, spanHas, spanWhere } from '../spans.ts';
import type { Edges } from './edges.ts';
import type { Search, Step } from './search.ts';

/** With more layers an order takes too long to be useful. */
const LAYERS_MAX = 64;
/** Requirements times layers: about 1 KiB each. */
const REQUIREMENT_LAYERS_MAX = 400_000;

const TRUE: Literal = 0;
const FALSE: Literal = 1;

/** A requirement between two steps, and at which candidates of its declarer it binds. */
interface Binding {
  requirement: Requirement;
  /** Undefined: at all of them. */
  when: Span | undefined;
  targets: readonly RequirementTarget[];
}

/** The states of all layers as clauses: one literal "candidate >= k" for each variable that may move, layer and k. */
class LayeredPlan {
  private readonly solver: Solver;
  private readonly search: Search;
  private readonly layers: number;
  private readonly bases = new Map<number, number[]>();
  private readonly fulfilled = new Map<RequirementTarget, Map<number, Literal>>();

  constructor(search: Search, bindings: readonly Binding[], layers: number) {
    this.search = search;
    this.layers = layers;
    this.solver = new Solver(search.exhausted);
    this.solver.addClause([this.solver.newLiteral(true)]);
    for (const [index, edges] of search.edges) this.addVariable(index, edges);
    for (const binding of bindings) {
      if (search.exhausted()) break;
      this.addBinding(binding);
    }
  }

  /** The steps of each layer, as few as were found in time; undefined when there are none. */
  solve(): Step[] | undefined {
    const { solver } = this;
    if (this.search.exhausted() || solver.solve() !== 'sat') return undefined;
    const found = this.steps();
    const moves = [...this.search.edges].flatMap(([index, edges]) => this.moveLiterals(index, edges));
    const fewest = minimizeCount(solver, moves);
    return fewest !== 'unsat' && fewest.proven ? this.steps() : found;
  }

  /** The variable is at candidate k or above in a layer. */
  private atLeast(index: number, layer: number, k: number): Literal {
    const edges = this.search.edges.get(index);
    const count = edges ? edges.variable.candidates.length : 0;
    if (k <= 0) return TRUE;
    if (!edges || layer === 0) return (this.search.start[index] ?? 0) >= k ? TRUE : FALSE;
    if (k >= count) return FALSE;
    if (layer === this.layers) return edges.target >= k ? TRUE : FALSE;
    return this.bases.get(index)![layer - 1]! + 2 * (k - 1);
  }

  /** Literals of which one holds when the variable is outside of `first`..`last` in a layer. */
  private outside(index: number, layer: number, first: number, last: number): Literal[] {
    return [this.atLeast(index, layer, first) ^ 1, this.atLeast(index, layer, last + 1)];
  }

  private addVariable(index: number, edges: Edges): void {
    const { solver, layers } = this;
    const count = edges.variable.candidates.length;
    const start = this.search.start[index]!;
    const bases: number[] = [];
    for (let layer = 1; layer < layers; layer++) {
      const base = solver.variableCount * 2;
      bases.push(base);
      const tried = layer * 2 < layers ? start : edges.target;
      for (let k = 1; k < count; k++) solver.newLiteral(k <= tried);
      for (let k = 2; k < count; k++) solver.addClause([(base + 2 * (k - 1)) ^ 1, base + 2 * (k - 2)]);
    }
    this.bases.set(index, bases);
    for (let layer = 0; layer < layers; layer++) {
      for (const from of layer === 0 ? [start] : edges.onTheWay(start)) {
        const next = new Set([from, ...edges.from(from)]);
        const barred = spanWhere(count, (to) => !next.has(to));
        for (let i = 0; i < barred.length; i += 2) {
          solver.addClause([
            ...this.outside(index, layer, from, from),
            ...this.outside(index, layer + 1, barred[i]!, barred[i + 1]!),
          ]);
        }
      }
    }
  }

  /** A requirement holds in both layers of a transition, and in every state that its variables pass between them. */
  private addBinding({ requirement, when, targets }: Binding): void {
    const declarer = requirement.variable?.index;
    for (let layer = 0; layer < this.layers; layer++) {
      for (const at of [layer, layer + 1]) {
        // A rule of software about itself: its declarer and target are one variable, with one version at a time.
        const layersOf = ({ variable }: RequirementTarget): number[] =>
          variable && variable.index === declarer ? [at] : [layer, layer + 1];
        for (let i = 0; i < (when?.length ?? 2); i += 2) {
          const open = when ? this.outside(declarer!, at, when[i]!, when[i + 1]!) : [];
          if (requirement.mode === 'some') {
            const ways = targets.map((target) => this.fulfils(target, layersOf(target)));
            this.solver.addClause([...open, ...ways]);
          } else {
            for (const target of targets) {
              for (const each of layersOf(target)) this.forbidGaps(open, target, each);
            }
          }
        }
      }
    }
  }

  private forbidGaps(open: readonly Literal[], { variable, gaps }: RequirementTarget, layer: number): void {
    for (let g = 0; g < gaps.length; g += 2) {
      const outside = variable ? this.outside(variable.index, layer, gaps[g]!, gaps[g + 1]!) : [];
      this.solver.addClause([...open, ...outside]);
    }
  }

  /** A literal that implies that the target is allowed in some layers: one, or one and the next. */
  private fulfils(target: RequirementTarget, layers: readonly number[]): Literal {
    if (target.gaps.length === 0) return TRUE;
    if (!target.variable || target.allowed.length === 0) return FALSE;
    let literals = this.fulfilled.get(target);
    if (!literals) {
      literals = new Map();
      this.fulfilled.set(target, literals);
    }
    const key = 2 * layers[0]! + layers.length - 1;
    let literal = literals.get(key);
    if (literal === undefined) {
      literal = this.solver.newLiteral(false);
      literals.set(key, literal);
      for (const layer of layers) this.forbidGaps([literal ^ 1], target, layer);
    }
    return literal;
  }

  /** Literals of which each is implied by a move of the variable, one for every layer. */
  private moveLiterals(index: number, edges: Edges): Literal[] {
    const { solver } = this;
    return Array.from({ length: this.layers }, (_, layer) => {
      const moved = solver.newLiteral(false);
      for (let k = 1; k < edges.variable.candidates.length; k++) {
        const before = this.atLeast(index, layer, k);
        const after = this.atLeast(index, layer + 1, k);
        solver.addClause([before ^ 1, after, moved]);
        solver.addClause([before, after ^ 1, moved]);
      }
      return moved;
    });
  }

  private valueIn(index: number, edges: Edges, layer: number): number {
    if (layer === 0) return this.search.start[index]!;
    if (layer === this.layers) return edges.target;
    let value = 0;
    while (
      value + 1 < edges.variable.candidates.length &&
      this.solver.isTrue(this.atLeast(index, layer, value + 1))
    ) {
      value++;
    }
    return value;
  }

  /** The moves of the last model, single steps in the order of the layers. */
  private steps(): Step[] {
    const steps: Step[] = [];
    for (let layer = 0; layer < this.layers; layer++) {
      for (const [index, edges] of this.search.edges) {
        const from = this.valueIn(index, edges, layer);
        const to = this.valueIn(index, edges, layer + 1);
        if (from !== to) steps.push([{ variable: edges.variable, from, to }]);
      }
    }
    return steps;
  }
}

/**
 * The requirements as they bind. One that was broken at the start binds its declarer only at other candidates, and
 * does not bind at all without a declarer.
 */
function bindingsOf({ invariant, presentBefore, start }: Search): Binding[] {
  const bindings: Binding[] = [];
  for (const requirement of invariant.instance.requirements) {
    if (requirement.part && !presentBefore[requirement.part.index]) continue;
    if (requirement.given && !presentBefore[requirement.given.index]) continue;
    const targets = requirement.targets.filter(({ part }) => presentBefore[part.index]);
    const { variable } = requirement;
    if (!variable) {
      if (!invariant.isExcused(requirement, start)) bindings.push({ requirement, when: undefined, targets });
      continue;
    }
    const excusedAt = invariant.isExcused(requirement, start) ? start[variable.index]! : -1;
    const when = spanWhere(
      variable.candidates.length,
      (at) => at >= requirement.first && at <= requirement.last && at !== excusedAt,
    );
    if (when.length > 0) bindings.push({ requirement, when, targets });
  }
  return bindings;
}

/** Whether the moves can break a requirement: the others hold as they did at the start. */
function concerns(search: Search, { requirement, when, targets }: Binding): boolean {
  const { edges, start } = search;
  const { variable } = requirement;
  if (variable && when && !edges.has(variable.index) && !spanHas(when, start[variable.index]!)) return false;
  return (
    (variable !== undefined && edges.has(variable.index)) ||
    targets.some((target) => target.variable && edges.has(target.variable.index))
  );
}

/** Whether every state between two steps is allowed. */
function isAllowed({ invariant, presentBefore, start }: Search, steps: readonly Step[]): boolean {
  const values = start.slice();
  return steps.every((step, i) => {
    for (const { variable, to } of step) values[variable.index] = to;
    const moved = step.map(({ variable }) => variable);
    return i === steps.length - 1 || !invariant.brokenRequirement(values, presentBefore, moved);
  });
}

/** An order of single steps; undefined when none was found within the limits. */
export function layeredSteps(search: Search): Step[] | undefined {
  // An exchange of units has a place of its own in the order, and a boot rule broken at the start binds all steps.
  if (search.exchanges || search.slotsBroken || search.invariant.hasBrokenBoot) return undefined;
  const bindings = bindingsOf(search).filter((binding) => concerns(search, binding));
  let layers = 1;
  for (const [index, { distances }] of search.edges)
    layers = Math.max(layers, distances[search.start[index]!]!);
  for (; layers <= LAYERS_MAX; layers += Math.max(1, layers >> 1)) {
    if (search.exhausted() || bindings.length * layers > REQUIREMENT_LAYERS_MAX) return undefined;
    const steps = new LayeredPlan(search, bindings, layers).solve();
    if (steps && isAllowed(search, steps)) return steps;
  }
  return undefined;
}
