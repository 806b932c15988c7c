/**
 * Inputs and results of the compatibility engine.
 */
import type { Finding, InstalledSoftware, Remedy } from '../schemas/types.ts';

/** A fault in a catalog. */
export interface Diagnostic {
  /** JSON path of the place, like `$.software[0].releases[3].from`. */
  path: string;
  /** A catalog with an error is refused; one with warnings is accepted. */
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

/** The part of a structure document that compatibility depends on. */
export interface PrinterStructureLike {
  apparatus: { model: string; hardware?: string; software?: InstalledSoftware[] };
  units?: UnitLike[];
}

export type Status = 'compatible' | 'incompatible' | 'unknown';

/** The judgement of one structure. */
export interface Judgement {
  status: Status;
  /** The rules that are broken. */
  findings: Finding[];
  /** The subjects that could not be judged, and why. */
  unknown: Finding[];
}

export interface ChooseOptions {
  /** Subject (`symbol:software`, or a software id for all its instances, or a unit's symbol) to a range (for a unit: models, `||` between). */
  pins?: Record<string, string>;
  /** The same, as preferences rather than requirements. */
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
  /** Polled; once it returns true, choosing ends with `gave-up`. */
  exhausted(): boolean;
  /**
   * Share of the time used, 0 to 1. If given, the last part of the time is used to find a good answer without
   * proof.
   */
  spent?(): number;
  /** The time limit in milliseconds, for the reply. */
  ms?: number;
}

/** Units replaced, downgrades, software changes. */
export type Cost = [replaced: number, downgrades: number, changes: number];

/** Bound on the distance of an unproven answer from the best, in units of the first unproven criterion. */
export interface Gap {
  criterion: 'replaced' | 'switched' | 'downgrades' | 'changes' | 'newest';
  /** Missing for `newest`: all criteria before it are proven. */
  atMost?: number;
}

export interface Suggestion {
  /** The change that would make it possible, as a sentence. */
  text: string;
  /** Cost of the best remedy after that change. */
  cost: Cost;
}

export interface Choice {
  /**
   * `compatible`: nothing to do. `chosen`: `remedy` is the best set, with steps that lead to it. `blocked`: `remedy` is
   * the best set, but provably no steps lead to it (`steps` is empty, `explanation` names what blocks, `alternative` is
   * a reachable set). `impossible`: proven; `explanation` says why. `gave-up`: the budget ran out. Then `remedy`, if
   * present, is a compatible set: with `gap`, it is not proven to be the best; without steps, neither steps to it nor a
   * proof that there are none was found.
   */
  outcome: 'compatible' | 'chosen' | 'blocked' | 'impossible' | 'gave-up';
  remedy?: Remedy;
  cost?: Cost;
  /** `false` when `remedy` is not proven to be the best; `gap` bounds its distance from the best. */
  optimal?: false;
  gap?: Gap;
  explanation?: string;
  /** `impossible`: the minimal set of rules and wishes that cannot hold together. */
  conflict?: string[];
  suggestions?: Suggestion[];
  alternative?: { remedy: Remedy; cost: Cost };
}
