/**
 * Compares the catalog, by which the center plans, with the signed metadata of each release, by which agents judge.
 * Where they disagree, the center would give orders that printers refuse. Pure.
 */
import { isDeepStrictEqual } from 'node:util';
import { AGREEMENT_WARNINGS_MAX } from '../center/update/limits.ts';
import type { Diagnostic } from '../compatibility/types.ts';
import type { Catalog } from '../schemas/types.ts';
import { customOf, type ReleaseCustom, type ReleaseTarget } from './targets.ts';

export interface Disagreement {
  software: string;
  version: string;
  /** JSON path of what the catalog says, like `$.software[0].releases[3].from`. */
  path: string;
  /** What differs, or `missing` when the catalog offers what is not in the repository. */
  field: keyof ReleaseCustom | 'missing';
  catalog?: unknown;
  signed?: unknown;
}

/** Fields that the catalog has per software; the others are per release. */
const OF_SOFTWARE = ['vendor', 'scheme', 'on'] as const;
const OF_RELEASE = ['from', 'downgradeFrom', 'fixes', 'requires', 'conflicts'] as const;

/** All differences between a catalog and the signed releases, in order of the catalog. */
export function disagreements(catalog: Catalog, releases: readonly ReleaseTarget[]): Disagreement[] {
  const signed = new Map(
    releases.map((each) => [`${each.custom.software} ${each.custom.version}`, each.custom]),
  );
  const found: Disagreement[] = [];
  for (const [at, product] of (catalog.software ?? []).entries()) {
    for (const [nth, release] of product.releases.entries()) {
      const { version } = release;
      const ofSoftware = `$.software[${at}]`;
      const ofRelease = `${ofSoftware}.releases[${nth}]`;
      const custom = signed.get(`${product.id} ${version}`);
      if (!custom) {
        // Releases from before the repository can be judged but not installed.
        if (release.status !== 'withdrawn') {
          found.push({ software: product.id, version, path: ofRelease, field: 'missing' });
        }
        continue;
      }
      const said = customOf(product, release);
      const compare = (field: keyof ReleaseCustom, owner: string) => {
        if (isDeepStrictEqual(said[field], custom[field])) return;
        const path = `${owner}.${field}`;
        found.push({
          software: product.id,
          version,
          path,
          field,
          catalog: said[field],
          signed: custom[field],
        });
      };
      for (const field of OF_SOFTWARE) compare(field, ofSoftware);
      for (const field of OF_RELEASE) compare(field, ofRelease);
      if (custom.revoked !== undefined && release.status !== 'withdrawn') {
        found.push({
          software: product.id,
          version,
          path: `${ofRelease}.status`,
          field: 'revoked',
          catalog: release.status ?? 'released',
          signed: custom.revoked,
        });
      }
    }
  }
  return found;
}

/** A disagreement in words. */
export function disagreementText({ software, version, field, catalog, signed }: Disagreement): string {
  if (field === 'missing') return `${software} ${version} is not in the repository`;
  const said = (value: unknown) => (value === undefined ? 'nothing' : JSON.stringify(value));
  return `${software} ${version}: ${field} is ${said(catalog)} in the catalog, ${said(signed)} is signed`;
}

/**
 * The disagreements as warnings on the catalog, at most `AGREEMENT_WARNINGS_MAX` and a count of the others. A release
 * missing from the repository is no disagreement: a catalog also lists what printers were delivered with.
 */
export function agreementWarnings(catalog: Catalog, releases: readonly ReleaseTarget[]): Diagnostic[] {
  const found = disagreements(catalog, releases).filter(({ field }) => field !== 'missing');
  const warnings = found.slice(0, AGREEMENT_WARNINGS_MAX).map(
    (each): Diagnostic => ({
      path: each.path,
      severity: 'warning',
      message: `${disagreementText(each)}; printers go by what is signed`,
    }),
  );
  const more = found.length - warnings.length;
  if (more > 0) {
    warnings.push({
      path: '$.software',
      severity: 'warning',
      message: `${more} more disagreements with what is signed; platen release check tells all`,
    });
  }
  return warnings;
}
