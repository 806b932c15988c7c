/**
 * Which steps a variable may make: from one release straight to another.
 */
import type { Variable } from '../instance.ts';
import { joinRuns, NOTHING, type Span, spanHas } from '../spans.ts';
import { inRange, type VersionKey } from '../versions.ts';

const UNREACHABLE = -1;

/** Hands out each index once, in runs: what was taken is skipped over. */
class Untaken {
  private readonly next: Int32Array;

  constructor(count: number) {
    this.next = Int32Array.from({ length: count + 1 }, (_, i) => i);
  }

  /** The first index from `index` on that was not taken; `count` when there is none. */
  from(index: number): number {
    const { next } = this;
    let at = index;
    while (next[at] !== at) {
      next[at] = next[next[at]!]!;
      at = next[at]!;
    }
    return at;
  }

  take(index: number): void {
    this.next[index] = index + 1;
  }
}

/** The edges of one variable's candidates, as the catalog's `from` and `downgradeFrom` give them. */
export class Steps {
  readonly variable: Variable;
  private readonly allowDowngrade: boolean;
  private readonly sources: (Span | undefined)[];
  /** The candidate that is installed but no release, -1 when there is none. */
  private readonly odd: number;
  private readonly oddKey: VersionKey | undefined;
  /** The candidates without it, ascending. */
  private readonly releases: readonly number[];

  constructor(variable: Variable, allowDowngrade: boolean) {
    const { candidates, product, installed } = variable;
    this.variable = variable;
    this.allowDowngrade = allowDowngrade;
    this.sources = new Array<Span | undefined>(candidates.length);
    this.odd = candidates.indexOf(-1);
    this.releases = this.odd < 0 ? candidates : candidates.filter((release) => release >= 0);
    this.oddKey = this.odd < 0 || installed === undefined ? undefined : product?.scheme.parse(installed);
  }

  /** Candidates from which one step leads to a candidate. */
  sourcesOf(to: number): Span {
    this.sources[to] ??= this.findSources(to);
    return this.sources[to];
  }

  private findSources(to: number): Span {
    const { product, candidates } = this.variable;
    if (!product || to === this.odd) return NOTHING;
    const { from, downgradeFrom } = product.releases[candidates[to]!]!;
    const runs: number[] = [];
    this.addRuns(from ?? '', from === undefined, 0, to - 1, runs);
    if (this.allowDowngrade && downgradeFrom !== undefined) {
      this.addRuns(downgradeFrom, false, to + 1, candidates.length - 1, runs);
    }
    return joinRuns(runs);
  }

  /** Adds the candidates `first`..`last` that are in a range, or all of them. */
  private addRuns(range: string, all: boolean, first: number, last: number, runs: number[]): void {
    const { product, whole } = this.variable;
    const span = all ? [0, product!.releases.length - 1] : product!.versions.span(range);
    for (let i = 0; i < span.length; i += 2) {
      const low = Math.max(first, whole ? span[i]! : this.candidateFrom(span[i]!));
      const high = Math.min(last, whole ? span[i + 1]! : this.candidateFrom(span[i + 1]! + 1) - 1);
      if (this.odd >= low && this.odd <= high) {
        if (low < this.odd) runs.push(low, this.odd - 1);
        if (high > this.odd) runs.push(this.odd + 1, high);
      } else if (low <= high) runs.push(low, high);
    }
    if (this.odd < first || this.odd > last || !this.oddKey) return;
    if (all || inRange(product!.scheme, product!.scheme.range(range), this.oddKey))
      runs.push(this.odd, this.odd);
  }

  /** The first candidate whose release is not before `release`. */
  private candidateFrom(release: number): number {
    const { releases, odd } = this;
    let low = 0;
    let high = releases.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (releases[middle]! < release) low = middle + 1;
      else high = middle;
    }
    return odd >= 0 && low >= odd ? low + 1 : low;
  }

  /** Candidates to which any number of steps lead. */
  reachableFrom(start: number): Uint8Array {
    const count = this.variable.candidates.length;
    const reached = new Uint8Array(count);
    reached[start] = 1;
    const untaken = new Untaken(count);
    untaken.take(start);
    const open = [start];
    for (let from = open.pop(); from !== undefined; from = open.pop()) {
      for (let to = untaken.from(0); to < count; to = untaken.from(to + 1)) {
        if (!spanHas(this.sourcesOf(to), from)) continue;
        untaken.take(to);
        reached[to] = 1;
        open.push(to);
      }
    }
    return reached;
  }
}

/** Steps of one variable towards one target. */
export class Edges {
  readonly variable: Variable;
  readonly target: number;
  /** Steps from each candidate to the target, -1 where there is no way. */
  readonly distances: Int32Array;
  private readonly steps: Steps;
  private readonly ahead = new Map<number, readonly number[]>();

  constructor(variable: Variable, target: number, allowDowngrade: boolean) {
    this.variable = variable;
    this.target = target;
    this.steps = new Steps(variable, allowDowngrade);
    this.distances = this.measure();
  }

  /** Breadth-first from the target, backwards. */
  private measure(): Int32Array {
    const count = this.variable.candidates.length;
    const distances = new Int32Array(count).fill(UNREACHABLE);
    const untaken = new Untaken(count);
    distances[this.target] = 0;
    untaken.take(this.target);
    const queue = [this.target];
    for (const to of queue) {
      const sources = this.steps.sourcesOf(to);
      for (let i = 0; i < sources.length; i += 2) {
        const last = sources[i + 1]!;
        for (let from = untaken.from(sources[i]!); from <= last; from = untaken.from(from + 1)) {
          distances[from] = distances[to]! + 1;
          untaken.take(from);
          queue.push(from);
        }
      }
    }
    return distances;
  }

  /** Candidates that can be passed through from `start` on, the target among them. */
  onTheWay(start: number): readonly number[] {
    const seen = new Set([start]);
    for (const at of seen) for (const to of this.from(at)) seen.add(to);
    return [...seen];
  }

  isReachable(from: number): boolean {
    return this.distances[from] !== UNREACHABLE;
  }

  /** Candidates one step ahead from which the target can be reached: the nearest to it first, then the newest. */
  from(candidate: number): readonly number[] {
    let ahead = this.ahead.get(candidate);
    if (!ahead) {
      const list: number[] = [];
      for (let to = this.distances.length - 1; to >= 0; to--) {
        if (to === candidate || !this.isReachable(to)) continue;
        if (spanHas(this.steps.sourcesOf(to), candidate)) list.push(to);
      }
      ahead = list.sort((a, b) => this.distances[a]! - this.distances[b]! || b - a);
      this.ahead.set(candidate, ahead);
    }
    return ahead;
  }
}
