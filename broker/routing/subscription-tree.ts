/**
 * Finds the subscriptions of a topic. Filters without wildcards are in a map, the others in a trie by level, so the cost
 * of a publish depends on what matches and not on how many there are. Shared subscriptions (`$share/<group>/<filter>`)
 * are stored at their filter.
 */
import type { QoS } from '../../mqtt/packet.ts';

/** One subscription of one subscriber. */
export interface Subscription<S> {
  readonly subscriber: S;
  /** Without the `$share/<group>/` prefix. */
  readonly filter: string;
  /** '' when it isn't shared. */
  readonly group: string;
  qos: QoS;
  /** Its index in its list, maintained by the tree. */
  index: number;
}

/** The members of a shared subscription and whose turn it is. */
export interface SharedGroup<S> {
  readonly filter: string;
  readonly name: string;
  readonly members: Subscription<S>[];
  turn: number;
}

/** The subscriptions of a filter, unless it has just one that isn't shared. */
class Leaf<S> {
  plain: Subscription<S>[] | undefined = undefined;
  shared: Map<string, SharedGroup<S>> | undefined = undefined;
}

/** Most filters have one subscriber: a fleet has seven filters for each printer. */
type Exact<S> = Subscription<S> | Leaf<S>;

interface Node<S> {
  children: Map<string, Node<S>> | undefined;
  plus: Node<S> | undefined;
  /** Filters that end at this node. */
  here: Leaf<S> | undefined;
  /** Filters that end in `#` below this node. */
  below: Leaf<S> | undefined;
}

/** Called for each match. */
export interface Visitor<S> {
  plain(subscription: Subscription<S>): void;
  shared(group: SharedGroup<S>): void;
}

const HASH = 0x23;
const PLUS = 0x2b;
const DOLLAR = 0x24;

/** Notes only whether anything matches. Matching isn't re-entrant, so one object is enough. */
const SEEN = {
  any: false,
  plain() {
    this.any = true;
  },
  shared() {
    this.any = true;
  },
};

function node<S>(): Node<S> {
  return { children: undefined, plus: undefined, here: undefined, below: undefined };
}

function isWild(filter: string): boolean {
  return filter.indexOf('+') >= 0 || filter.indexOf('#') >= 0;
}

/** Splits `$share/<group>/<filter>`; undefined when it is malformed, group '' when it isn't shared. */
export function parseShared(filter: string): { group: string; filter: string } | undefined {
  if (!filter.startsWith('$share/')) return { group: '', filter };
  const slash = filter.indexOf('/', 7);
  if (slash <= 7 || slash === filter.length - 1) return undefined;
  const group = filter.slice(7, slash);
  return isWild(group) ? undefined : { group, filter: filter.slice(slash + 1) };
}

export class SubscriptionTree<S> {
  readonly #exact = new Map<string, Exact<S>>();
  readonly #root: Node<S> = node();
  #wild = 0;
  #size = 0;
  #shared = 0;
  /** A topic that nothing matches; forgotten when a subscription is added. */
  #unmatched: string | undefined;

  /** Number of subscriptions. */
  get size(): number {
    return this.#size;
  }

  /** Number of shared subscriptions. */
  get shared(): number {
    return this.#shared;
  }

  /** Adds a subscription. The subscriber must not have one with the same filter and group. */
  add(subscription: Subscription<S>): void {
    this.#unmatched = undefined;
    this.#size++;
    const { filter } = subscription;
    const wild = isWild(filter);
    if (!wild && subscription.group === '' && !this.#exact.has(filter)) {
      subscription.index = 0;
      this.#exact.set(filter, subscription);
      return;
    }
    const leaf = wild ? this.#wildLeaf(filter) : this.#exactLeaf(filter);
    if (subscription.group === '') {
      leaf.plain ??= [];
      append(leaf.plain, subscription);
      return;
    }
    this.#shared++;
    leaf.shared ??= new Map();
    let group = leaf.shared.get(subscription.group);
    if (!group) {
      group = { filter: subscription.filter, name: subscription.group, members: [], turn: 0 };
      leaf.shared.set(subscription.group, group);
    }
    append(group.members, subscription);
  }

  /** Removes a subscription that was added. */
  remove(subscription: Subscription<S>): void {
    const leaf = this.#find(subscription.filter);
    if (leaf === subscription) {
      this.#size--;
      this.#exact.delete(subscription.filter);
      return;
    }
    if (!(leaf instanceof Leaf)) return;
    const group = leaf.shared?.get(subscription.group);
    const list = subscription.group === '' ? leaf.plain : group?.members;
    if (list?.[subscription.index] !== subscription) return;
    // The last one moves to the free place, which takes constant time.
    const last = list.pop() as Subscription<S>;
    if (last !== subscription) {
      list[subscription.index] = last;
      last.index = subscription.index;
    }
    this.#size--;
    if (group) this.#shared--;
    if (group && group.members.length === 0) leaf.shared?.delete(subscription.group);
    if (leaf.shared?.size === 0) leaf.shared = undefined;
    if (!leaf.plain?.length && !leaf.shared) this.#prune(subscription.filter);
  }

  /** The group that a shared subscription belongs to. */
  group(filter: string, name: string): SharedGroup<S> | undefined {
    const leaf = this.#find(filter);
    return leaf instanceof Leaf ? leaf.shared?.get(name) : undefined;
  }

  /**
   * Visits every subscription that matches `topic`; a subscriber with overlapping filters is visited for each. A topic
   * without any is remembered, because printers publish to the same topic several times in a row, mostly for the center
   * alone.
   */
  match(topic: string, visitor: Visitor<S>): void {
    if (topic === this.#unmatched) return;
    const exact = this.#exact.get(topic);
    let found = false;
    if (exact) found = visit(exact, visitor);
    // [MQTT-4.7.2-1]: a wildcard in the first level doesn't match topics that begin with $.
    if (this.#wild > 0)
      found = descend(this.#root, topic, 0, topic.charCodeAt(0) !== DOLLAR, visitor) || found;
    if (!found) this.#unmatched = topic;
  }

  /** Whether any subscription matches `topic`. */
  matches(topic: string): boolean {
    SEEN.any = false;
    this.match(topic, SEEN);
    return SEEN.any;
  }

  #find(filter: string): Exact<S> | undefined {
    if (!isWild(filter)) return this.#exact.get(filter);
    let at: Node<S> | undefined = this.#root;
    for (const level of filter.split('/')) {
      if (level === '#') return at.below;
      at = level === '+' ? at.plus : at.children?.get(level);
      if (!at) return undefined;
    }
    return at.here;
  }

  #exactLeaf(filter: string): Leaf<S> {
    const known = this.#exact.get(filter);
    if (known instanceof Leaf) return known;
    const leaf = new Leaf<S>();
    if (known) leaf.plain = [known];
    this.#exact.set(filter, leaf);
    return leaf;
  }

  #wildLeaf(filter: string): Leaf<S> {
    let at = this.#root;
    for (const level of filter.split('/')) {
      const code = level.length === 1 ? level.charCodeAt(0) : 0;
      if (code === HASH) {
        if (!at.below) this.#wild++;
        at.below ??= new Leaf();
        return at.below;
      }
      if (code === PLUS) {
        at.plus ??= node();
        at = at.plus;
      } else {
        at.children ??= new Map();
        let child = at.children.get(level);
        if (!child) {
          child = node();
          at.children.set(level, child);
        }
        at = child;
      }
    }
    if (!at.here) this.#wild++;
    at.here ??= new Leaf();
    return at.here;
  }

  /** Removes an empty leaf and the nodes that only led to it. */
  #prune(filter: string): void {
    if (!isWild(filter)) {
      this.#exact.delete(filter);
      return;
    }
    const levels = filter.split('/');
    const path: Node<S>[] = [this.#root];
    for (const level of levels) {
      if (level === '#') break;
      const at = path[path.length - 1] as Node<S>;
      const next = level === '+' ? at.plus : at.children?.get(level);
      if (!next) return;
      path.push(next);
    }
    this.#wild--;
    const end = path[path.length - 1] as Node<S>;
    if (levels[levels.length - 1] === '#') end.below = undefined;
    else end.here = undefined;
    for (let depth = path.length - 1; depth > 0; depth--) {
      const at = path[depth] as Node<S>;
      if (at.here || at.below || at.plus || at.children) return;
      const parent = path[depth - 1] as Node<S>;
      const level = levels[depth - 1] as string;
      if (level === '+') parent.plus = undefined;
      else parent.children?.delete(level);
      if (parent.children?.size === 0) parent.children = undefined;
    }
  }
}

function append<S>(list: Subscription<S>[], subscription: Subscription<S>): void {
  subscription.index = list.length;
  list.push(subscription);
}

/** Returns whether there is any. */
function visit<S>(leaf: Exact<S>, visitor: Visitor<S>): boolean {
  if (!(leaf instanceof Leaf)) {
    visitor.plain(leaf);
    return true;
  }
  if (leaf.plain) for (const subscription of leaf.plain) visitor.plain(subscription);
  if (leaf.shared) for (const group of leaf.shared.values()) visitor.shared(group);
  return leaf.plain !== undefined || leaf.shared !== undefined;
}

/**
 * `start` is where the next level begins; past the end of the topic when there is none.
 * @returns whether anything matches
 */
function descend<S>(
  at: Node<S>,
  topic: string,
  start: number,
  wildAllowed: boolean,
  visitor: Visitor<S>,
): boolean {
  // `a/#` matches `a` too (4.7.1.2), so it is visited before the check for the end of the topic.
  let found = false;
  if (at.below && wildAllowed) found = visit(at.below, visitor);
  if (start > topic.length) return (at.here !== undefined && visit(at.here, visitor)) || found;
  if (!at.children && !at.plus) return found;
  const slash = topic.indexOf('/', start);
  const end = slash < 0 ? topic.length : slash;
  const child = at.children?.get(topic.slice(start, end));
  if (child) found = descend(child, topic, end + 1, true, visitor) || found;
  if (at.plus && wildAllowed) found = descend(at.plus, topic, end + 1, true, visitor) || found;
  return found;
}
