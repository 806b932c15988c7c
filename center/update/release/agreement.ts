/**
 * Whether the catalog, by which the center plans, says the same of each release as its signed metadata, by which the
 * agents judge. Where they disagree, the center would give orders that printers refuse. Pure.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Catalog } from '../../../schemas/types.ts';
import { customOf, type ReleaseCustom, type ReleaseTarget } from './targets.ts';

export interface Disagreement {
  software: string;
  version: string;
  /** What differs, or `missing` when the catalog offers what is not in the repository. */
  field: keyof ReleaseCustom | 'missing';
  catalog?: unknown;
  signed?: unknown;
}

const FIELDS = ['vendor', 'scheme', 'on', 'from', 'downgradeFrom', 'fixes', 'requires', 'conflicts'] as const;

/** Everything in which a catalog and the signed releases differ, in the order of the catalog. */
export function disagreements(catalog: Catalog, releases: readonly ReleaseTarget[]): Disagreement[] {
  const signed = new Map(
    releases.map((each) => [`${each.custom.software} ${each.custom.version}`, each.custom]),
  );
  const found: Disagreement[] = [];
  for (const product of catalog.software ?? []) {
    for (const release of product.releases) {
      const { version } = release;
      const custom = signed.get(`${product.id} ${version}`);
      if (!custom) {
        // What was released before the repository began can be judged, only not installed.
        if (release.status !== 'withdrawn') found.push({ software: product.id, version, field: 'missing' });
        continue;
      }
      const said = customOf(product, release);
      for (const field of FIELDS) {
        if (isDeepStrictEqual(said[field], custom[field])) continue;
        found.push({ software: product.id, version, field, catalog: said[field], signed: custom[field] });
      }
      if (custom.revoked !== undefined && release.status !== 'withdrawn') {
        found.push({
          software: product.id,
          version,
          field: 'revoked',
          catalog: release.status ?? 'released',
          signed: custom.revoked,
        });
      }
    }
  }
  return found;
}
