/**
 * Splits what has to move into groups that cannot get in each other's way: the order within one says nothing about the
 * order within another, so each is searched by itself.
 *
 * Only a rule that some reachable state breaks ties variables together. Software that merely shares a dependency which
 * always holds (everything needs a controller of at least 1.0.0) stays apart.
 */
import type { Link, LinkTarget, Variable } from '../instance.ts';
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
 * Variables that a link ties together, as groups: none where no state on the way breaks it. A link that every target
 * must hold ties each target to the declarer, but not the targets to each other.
 */
function tiesOf(link: Link, onTheWay: OnTheWay, present: readonly boolean[]): Variable[][] {
  if (link.part && !present[link.part.index]) return [];
  if (link.given && !present[link.given.index]) return [];
  const { variable: declarer } = link;
  if (declarer && !onTheWay(declarer).some((at) => at >= link.first && at <= link.last)) return [];
  const open: Variable[][] = [];
  const tie = ({ variable }: LinkTarget): Variable[] => [
    ...(declarer ? [declarer] : []),
    ...(variable ? [variable] : []),
  ];
  for (const target of link.targets) {
    if (!present[target.part.index]) continue;
    const ways = target.variable ? onTheWay(target.variable) : [0];
    const always = ways.every((at) => spanHas(target.allowed, at));
    if (link.mode === 'some' && always) return [];
    if (link.mode === 'each' && !always) open.push(tie(target));
    if (link.mode === 'some' && ways.some((at) => spanHas(target.allowed, at))) open.push(tie(target));
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
    for (const link of invariant.instance.links) {
      for (const tied of tiesOf(link, onTheWay, search.presentBefore)) {
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
