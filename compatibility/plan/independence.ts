/**
 * Splits the moves into groups that don't affect each other: the order within one is independent of the order within
 * another, so each is searched on its own.
 *
 * Only a rule that some reachable state breaks ties variables together. Software that only shares a dependency that
 * always holds (everything needs a controller of at least 1.0.0) stays apart.
 */
import type { Requirement, RequirementTarget, Variable } from '../instance.ts';
import { spanHas } from '../spans.ts';
import type { Edges } from './edges.ts';
import type { Search } from './search.ts';

/** Candidates that a variable may be at between start and target. */
type OnTheWay = (variable: Variable) => readonly number[];

/** Candidates on the way of every variable that moves; the others stay where they are. */
function waysOf({ edges, start }: Search): OnTheWay {
  const ways = new Map<number, readonly number[]>();
  return (variable) => {
    const { index } = variable;
    let way = ways.get(index);
    if (!way) {
      way = edges.get(index)?.onTheWay(start[index]!) ?? [start[index]!];
      ways.set(index, way);
    }
    return way;
  };
}

/**
 * Groups of variables that a requirement ties together; none if no state on the way breaks it. A requirement on each of
 * its targets ties every target to the declarer, but not the targets to each other.
 */
function tiesOf(requirement: Requirement, onTheWay: OnTheWay, present: readonly boolean[]): Variable[][] {
  if (requirement.part && !present[requirement.part.index]) return [];
  if (requirement.given && !present[requirement.given.index]) return [];
  const { variable: declarer } = requirement;
  if (declarer && !onTheWay(declarer).some((at) => at >= requirement.first && at <= requirement.last))
    return [];
  const open: Variable[][] = [];
  const tie = ({ variable }: RequirementTarget): Variable[] => [
    ...(declarer ? [declarer] : []),
    ...(variable ? [variable] : []),
  ];
  for (const target of requirement.targets) {
    if (!present[target.part.index]) continue;
    const ways = target.variable ? onTheWay(target.variable) : [0];
    const always = ways.every((at) => spanHas(target.allowed, at));
    if (requirement.mode === 'some' && always) return [];
    if (requirement.mode === 'each' && !always) open.push(tie(target));
    if (requirement.mode === 'some' && ways.some((at) => spanHas(target.allowed, at))) open.push(tie(target));
  }
  return open;
}

/** Groups of the variables that may move, in the order of the structure; only those in which something has to. */
export function independentGroups(search: Search): ReadonlyMap<number, Edges>[] {
  const { edges, invariant, start } = search;
  // An exchange of units or a rule broken at the start concerns every step.
  const whole = search.exchanges || invariant.hasBrokenBoot;
  const root = start.map((_, index) => index);
  const find = (index: number): number => {
    let at = index;
    while (root[at] !== at) {
      root[at] = root[root[at]!]!;
      at = root[at]!;
    }
    return at;
  };
  if (!whole) {
    const onTheWay = waysOf(search);
    for (const requirement of invariant.instance.requirements) {
      for (const tied of tiesOf(requirement, onTheWay, search.presentBefore)) {
        const movable = tied.filter(({ index }) => edges.has(index));
        for (const { index } of movable) root[find(index)] = find(movable[0]!.index);
      }
    }
  }
  const groups = new Map<number, Map<number, Edges>>();
  for (const [index, each] of edges) {
    const key = whole ? 0 : find(index);
    const group = groups.get(key) ?? new Map<number, Edges>();
    group.set(index, each);
    groups.set(key, group);
  }
  const moves = ([index, { target }]: [number, Edges]): boolean => start[index] !== target;
  const moving = [...groups.values()].filter((group) => [...group].some(moves));
  return moving.length === 0 && search.exchanges ? [new Map()] : moving;
}
