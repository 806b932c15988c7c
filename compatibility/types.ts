/**
 * What the compatibility engine takes and gives.
 */
import type { Finding, InstalledSoftware, Remedy } from '../schemas/types.ts';

/** One thing found wrong with a catalog. */
export interface Diagnostic {
  /** JSON path of the place, like `$.software[0].releases[3].from`. */
  path: string;
  /** An error refuses the catalog, a warning doesn't. */
  severity: 'error' | 'warning';
  message: string;
}

export interface UnitLike {
  symbol: string;
  kind: string;
  model: string;
  hardware?: string;
  state?: 'active' | 'spare';
  software?: InstalledSoftware[];
}

/** As much of a structure document as compatibility depends on. */
export interface PrinterStructureLike {
  apparatus: { model: string; hardware?: string; software?: InstalledSoftware[] };
  units?: UnitLike[];
}

export type Status = 'compatible' | 'incompatible' | 'unknown';

/** What was judged of one structure. */
export interface Judgement {
  status: Status;
  /** The rules that are broken. */
  findings: Finding[];
  /** What could not be judged, and why. */
  unknown: Finding[];
}

export interface ChooseOptions {
  /** Subject (`symbol:software`, or a software id for all its instances, or a unit's symbol) to a range (for a unit: models, `||` between). */
  pins?: Record<string, string>;
  /** The same, for what is wanted rather than held. */
  require?: Record<string, string>;
  /** Default true. */
  allowUnitReplacement?: boolean;
  /** Default true. */
  allowDowngrade?: boolean;
  /** `upgrade`: newest versions count before fewest changes. */
  objective?: 'fewest-changes' | 'upgrade';
  /** Staged releases that may be chosen: software ids, or `id@version`. */
  staged?: string[];
}

/** How long choosing may take. */
export interface Budget {
  /** Called now and then; once it returns true, choosing ends in `gave-up`. */
  exhausted(): boolean;
  /** Share of the time that is gone, 0 to 1. Where it is known, the last part of the time goes into a good answer without proof. */
  spent?(): number;
  /** The time it was given, for the reply, in milliseconds. */
  ms?: number;
}

/** Units replaced, downgrades, software changes. */
export type Cost = [replaced: number, downgrades: number, changes: number];

/** How far an answer without proof can be from the best: by at most so many of the first criterion that is not proven. */
export interface Gap {
  criterion: 'replaced' | 'switched' | 'downgrades' | 'changes' | 'newest';
  /** Not there for `newest`: everything that counts more is proven. */
  atMost?: number;
}

export interface Suggestion {
  /** What single change would make it possible, as a sentence. */
  text: string;
  /** Cost of the best remedy after that change. */
  cost: Cost;
}

export interface Choice {
  /**
   * `compatible`: nothing needs doing. `chosen`: `remedy` is the best there is, with an order to get there.
   * `blocked`: `remedy` is the best there is, but it is proven that no order leads there (`steps` is empty,
   * `explanation` says what blocks, `alternative` is a set that can be reached). `impossible`: proven, `explanation`
   * says why. `gave-up`: the budget ran out. Where `remedy` is there, it is a set that fits: with `gap`, not proven to
   * be the best; without steps, neither an order to it was found nor the proof that there is none.
   */
  outcome: 'compatible' | 'chosen' | 'blocked' | 'impossible' | 'gave-up';
  remedy?: Remedy;
  cost?: Cost;
  /** `false` when `remedy` is not proven to be the best; `gap` tells how far it can be from it. */
  optimal?: false;
  gap?: Gap;
  explanation?: string;
  /** `impossible`: the minimal set of rules and wishes that cannot hold together. */
  conflict?: string[];
  suggestions?: Suggestion[];
  alternative?: { remedy: Remedy; cost: Cost };
}
