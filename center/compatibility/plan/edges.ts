/**
 * Which steps a variable may make: from one release straight to another.
 */
import { releaseAt, type Variable } from '../instance.ts';
import { spanHas } from '../spans.ts';
import { inRange, type VersionKey } from '../versions.ts';

const UNREACHABLE = -1;

/** Steps of one variable towards one target. */
export class Edges {
  readonly variable: Variable;
  readonly target: number;
  /** Steps from each candidate to the target, -1 where there is no way. */
  readonly distances: Int32Array;
  private readonly allowDowngrade: boolean;
  private readonly ahead = new Map<number, readonly number[]>();

  constructor(variable: Variable, target: number, allowDowngrade: boolean) {
    this.variable = variable;
    this.target = target;
    this.allowDowngrade = allowDowngrade;
    this.distances = new Int32Array(variable.candidates.length).fill(UNREACHABLE);
    this.distances[target] = 0;
    for (let frontier = [target]; frontier.length > 0; ) {
      const next: number[] = [];
      for (const to of frontier) {
        for (let from = 0; from < this.distances.length; from++) {
          if (this.distances[from] !== UNREACHABLE || !this.mayStep(from, to)) continue;
          this.distances[from] = this.distances[to]! + 1;
          next.push(from);
        }
      }
      frontier = next;
    }
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
        if (to !== candidate && this.isReachable(to) && this.mayStep(candidate, to)) list.push(to);
      }
      ahead = list.sort((a, b) => this.distances[a]! - this.distances[b]! || b - a);
      this.ahead.set(candidate, ahead);
    }
    return ahead;
  }

  private mayStep(from: number, to: number): boolean {
    return mayStep(this.variable, from, to, this.allowDowngrade);
  }
}

const installedKeys = new WeakMap<Variable, { key: VersionKey | undefined }>();

/** The parsed version of what is installed. */
function installedKey(variable: Variable): VersionKey | undefined {
  let known = installedKeys.get(variable);
  if (!known) {
    const { installed, product } = variable;
    known = { key: installed === undefined ? undefined : product?.scheme.parse(installed) };
    installedKeys.set(variable, known);
  }
  return known.key;
}

/** Whether one step leads from one candidate to another. */
export function mayStep(variable: Variable, from: number, to: number, allowDowngrade: boolean): boolean {
  const { product } = variable;
  const target = releaseAt(variable, to);
  if (!product || target < 0 || from === to) return false;
  const release = product.releases[target]!;
  if (to < from && !allowDowngrade) return false;
  const range = to > from ? release.from : release.downgradeFrom;
  if (range === undefined) return to > from && installedKey(variable) !== undefined;
  const source = releaseAt(variable, from);
  if (source >= 0) return spanHas(product.versions.span(range), source);
  const key = installedKey(variable);
  return key !== undefined && inRange(product.scheme, product.scheme.range(range), key);
}
