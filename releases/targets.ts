/**
 * The `custom` part of a release's signed TUF target, beside length and hash. It contains all that an agent needs to
 * judge an order itself, so that a compromised center can't make a printer install what its vendor did not intend for
 * it.
 */
import type { Constraint, Release, RunsOn, SoftwareProduct } from '../schemas/types.ts';

export interface ReleaseCustom {
  software: string;
  version: string;
  vendor?: string;
  scheme?: SoftwareProduct['scheme'];
  /** With `scheme` `listed`: the versions of the software, oldest first. */
  order?: string[];
  on?: RunsOn;
  from?: string;
  downgradeFrom?: string;
  fixes?: string[];
  requires?: Constraint[];
  conflicts?: Constraint[];
  /** Set by `platen release revoke`: agents refuse the release, whatever an order says. */
  revoked?: string;
}

/** A release in the repository. */
export interface ReleaseTarget {
  /** TUF target path, e.g. `acme.engine/2.5.0.bin`; also its address below the repository's. */
  target: string;
  /** Bytes. */
  length: number;
  sha256: string;
  custom: ReleaseCustom;
}

const SOFTWARE_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const VERSION = /^[A-Za-z0-9][A-Za-z0-9._+~-]{0,127}$/;

/** Top-level names in the repository that are not software. */
const RESERVED = new Set(['metadata']);

/** The target path of a release; undefined when its id or version can't be part of a path. */
export function targetPath(software: string, version: string): string | undefined {
  if (!SOFTWARE_ID.test(software) || !VERSION.test(version) || RESERVED.has(software)) return undefined;
  return `${software}/${version}.bin`;
}

/** A catalog's description of a release, in the form in which it is signed. */
export function customOf(product: SoftwareProduct, release: Release): ReleaseCustom {
  const custom: ReleaseCustom = { software: product.id, version: release.version };
  if (product.vendor !== undefined) custom.vendor = product.vendor;
  if (product.scheme !== undefined) custom.scheme = product.scheme;
  if (product.scheme === 'listed') custom.order = product.releases.map(({ version }) => version);
  if (product.on !== undefined) custom.on = product.on;
  for (const field of ['from', 'downgradeFrom', 'fixes', 'requires', 'conflicts'] as const) {
    if (release[field] !== undefined) Object.assign(custom, { [field]: release[field] });
  }
  return custom;
}
