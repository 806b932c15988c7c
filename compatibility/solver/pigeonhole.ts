/**
 * Finds pigeonhole conflicts, which clause learning cannot prove in reasonable time (Haken, "The intractability of
 * resolution", 1985): more pieces of software than cliques of the conflict graph that cover their versions. Cliques are
 * found greedily. Each piece needs a clique of its own, so a failed matching is the proof (Hall's theorem).
 */
import type { Instance, Requirement, Variable } from '../instance.ts';
import { complement, spanHas } from '../spans.ts';

/** Most conflicting pairs of versions considered; about 100 bytes each. */
const PAIRS_MAX = 200_000;

/** Pieces of software, one of which is always left without a version. */
export interface Crowd {
  variables: Variable[];
  /** Number of cliques between them, one fewer than the pieces. */
  places: number;
  /** The rules between versions of one clique. */
  requirements: Requirement[];
  /** Whether every piece has a version in every clique; then the conflict is minimal. */
  even: boolean;
}

/** The conflict graph of versions. A node is a candidate of a variable. */
class ConflictGraph {
  /** First node of each variable, by index. */
  readonly first: number[] = [];
  readonly neighbours: Map<number, Requirement>[] = [];
  pairs = 0;

  constructor(instance: Instance) {
    for (const variable of instance.variables) {
      this.first.push(this.neighbours.length);
      for (let i = 0; i < variable.candidates.length; i++) this.neighbours.push(new Map());
    }
    for (const requirement of instance.requirements) {
      if (this.pairs > PAIRS_MAX) return;
      this.addRequirement(requirement);
    }
  }

  private addRequirement(requirement: Requirement): void {
    const { variable, mode, targets, given } = requirement;
    if (!variable?.part.always || given) return;
    if (mode === 'some' && targets.length !== 1) return;
    for (const { variable: other, part, allowed } of targets) {
      if (!other || other === variable || !part.always) continue;
      const barred = complement(allowed, other.candidates.length);
      for (let at = requirement.first; at <= requirement.last; at++) {
        for (let to = 0; to < other.candidates.length; to++) {
          if (!spanHas(barred, to)) continue;
          const [a, b] = [this.first[variable.index]! + at, this.first[other.index]! + to];
          this.neighbours[a]!.set(b, requirement);
          this.neighbours[b]!.set(a, requirement);
          if (++this.pairs > PAIRS_MAX) return;
        }
      }
    }
  }

  /** The clique of each node. */
  cliques(): Int32Array {
    const cliqueOf = new Int32Array(this.neighbours.length).fill(-1);
    for (const [node, neighbours] of this.neighbours.entries()) {
      if (cliqueOf[node]! >= 0) continue;
      cliqueOf[node] = node;
      const members = [node];
      for (const other of [...neighbours.keys()].sort((a, b) => a - b)) {
        if (cliqueOf[other]! >= 0) continue;
        if (!members.every((member) => this.neighbours[member]!.has(other))) continue;
        members.push(other);
        cliqueOf[other] = node;
      }
    }
    return cliqueOf;
  }
}

/** Matches variables to cliques by augmenting paths. */
class Matching {
  readonly holder = new Map<number, number>();
  private readonly choices: readonly (readonly number[])[];

  constructor(choices: readonly (readonly number[])[]) {
    this.choices = choices;
  }

  /** Matches a variable. @returns undefined on success, else the variables that were tried to move, itself included */
  place(variable: number): Set<number> | undefined {
    const asked = new Set([variable]);
    const cameFrom = new Map<number, number>();
    for (const at of asked) {
      for (const clique of this.choices[at]!) {
        if (cameFrom.has(clique)) continue;
        cameFrom.set(clique, at);
        const holder = this.holder.get(clique);
        if (holder !== undefined) {
          asked.add(holder);
          continue;
        }
        this.move(clique, variable, cameFrom);
        return undefined;
      }
    }
    return asked;
  }

  /** Shifts every variable on the path by one clique. */
  private move(free: number, variable: number, cameFrom: ReadonlyMap<number, number>): void {
    const held = new Map([...this.holder].map(([clique, holder]) => [holder, clique]));
    let clique = free;
    for (;;) {
      const mover = cameFrom.get(clique)!;
      this.holder.set(clique, mover);
      if (mover === variable) return;
      clique = held.get(mover)!;
    }
  }
}

/** A pigeonhole conflict; undefined if none was found, which proves nothing. */
export function findCrowd(instance: Instance): Crowd | undefined {
  const graph = new ConflictGraph(instance);
  if (graph.pairs === 0 || graph.pairs > PAIRS_MAX) return undefined;
  const cliqueOf = graph.cliques();
  const choices = instance.variables.map(({ index, candidates }) => [
    ...new Set(candidates.map((_, i) => cliqueOf[graph.first[index]! + i]!)),
  ]);
  const matching = new Matching(choices);
  for (const variable of instance.variables) {
    if (!variable.part.always || variable.candidates.length === 0) continue;
    const crowd = matching.place(variable.index);
    if (!crowd) continue;
    const variables = [...crowd].sort((a, b) => a - b).map((index) => instance.variables[index]!);
    const places = new Set(variables.flatMap(({ index }) => choices[index]!));
    return {
      variables,
      places: places.size,
      requirements: requirementsBetween(graph, cliqueOf, variables),
      even: variables.every(({ index }) => choices[index]!.length === places.size),
    };
  }
  return undefined;
}

function requirementsBetween(
  graph: ConflictGraph,
  cliqueOf: Int32Array,
  variables: readonly Variable[],
): Requirement[] {
  const requirements = new Set<Requirement>();
  const nodes = variables.flatMap(({ index, candidates }) =>
    candidates.map((_, i) => graph.first[index]! + i),
  );
  const inside = new Set(nodes);
  for (const node of nodes) {
    for (const [other, requirement] of graph.neighbours[node]!) {
      if (other > node && inside.has(other) && cliqueOf[other] === cliqueOf[node])
        requirements.add(requirement);
    }
  }
  return [...requirements];
}
