/**
 * The compiled form of a catalog, which judge, choose and plan use.
 */
import type { Scheme, VersionKey, VersionRange, VersionTable } from './versions.ts';

export interface CompiledRelease {
  version: string;
  key: VersionKey;
  status: 'released' | 'staged' | 'withdrawn';
  /** Versions that may be upgraded to it; undefined: any older version. */
  from: string | undefined;
  /** Versions that may be downgraded to it; undefined: none. */
  downgradeFrom: string | undefined;
  fixes: readonly string[];
  rules: readonly Rule[];
}

/** A software product of one vendor. */
export interface Product {
  index: number;
  id: string;
  vendor: string | undefined;
  scheme: Scheme;
  on: Placement | undefined;
  /** Ascending in the order of the scheme. */
  releases: readonly CompiledRelease[];
  /** The versions of `releases`, and ranges over them. */
  versions: VersionTable;
}

/** The hosts that software runs on. */
export interface Placement {
  kind: string | undefined;
  models: ReadonlySet<string> | undefined;
  hardware: VersionRange | undefined;
  text: string;
}

export type Target =
  | { type: 'software'; id: string; vendor: string | undefined; range: string | undefined }
  | {
      type: 'unit';
      kind: string | undefined;
      model: string | undefined;
      hardware: VersionRange | undefined;
    }
  | { type: 'apparatus'; models: ReadonlySet<string> };

/** One `requires` or `conflicts`. */
export interface Rule {
  kind: 'requires' | 'conflicts';
  target: Target;
  every: boolean;
  optional: boolean;
  severity: 'boot' | 'function';
  because: string | undefined;
  /** The rule as a sentence that names it: `acme.controller@3.1.0 requires acme.engine >=2.5.0`. */
  readonly text: string;
  /** Equal for equivalent rules, regardless of the product that declares them. */
  sameness: number;
}

export interface CompiledSlot {
  kind: string;
  models: ReadonlySet<string>;
  /** In the catalog's order. */
  modelList: readonly string[];
  min: number;
  max: number;
  text: string;
}

export interface CompiledApparatus {
  model: string;
  transactional: boolean;
  /** Undefined: the catalog doesn't say what its slots accept. */
  slots: readonly CompiledSlot[] | undefined;
  rules: readonly Rule[];
}

export interface CompiledCatalog {
  /** The name of the revision. */
  name: string;
  products: readonly Product[];
  /** Products of a software id, one per vendor. */
  productsOf: ReadonlyMap<string, readonly Product[]>;
  /** Empty: the catalog describes no apparatus. */
  apparatus: ReadonlyMap<string, CompiledApparatus>;
  /** Rules of unit models. */
  units: ReadonlyMap<string, readonly Rule[]>;
}
