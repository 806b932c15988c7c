/** How old an installed version is by the catalog, and how far it may go up. Pure. */
import type { CompiledCatalog } from '../../compatibility/index.ts';
import type { Product } from '../../compatibility/tables.ts';
import { inRange } from '../../compatibility/versions.ts';
import type { FirmwareAge } from '../queries.ts';

const UNLISTED: FirmwareAge = { status: 'unlisted' };

/** The number of releases not newer than the version; undefined when it has no place in the order. */
function placeOf({ scheme, releases, versions }: Product, version: string): number | undefined {
  const index = versions.find(version);
  if (index >= 0) return index + 1;
  const key = scheme.parse(version);
  if (key === undefined) return undefined;
  return releases.filter((release) => scheme.compare(release.key, key) <= 0).length;
}

/** The newest release that steps through released versions lead to; undefined for none. */
function newestReachable({ releases, versions, scheme }: Product, version: string, place: number) {
  // Steps up go from older to newer, so one pass in ascending order finds all: reached[i] counts those before i.
  const installed = versions.find(version);
  const key = scheme.parse(version);
  const reached = new Int32Array(releases.length + 1);
  let newest: string | undefined;
  for (let index = 0; index < releases.length; index += 1) {
    const release = releases[index];
    let steps = index === installed;
    if (release && index >= place && release.status === 'released') {
      const { from } = release;
      if (from === undefined) steps = true;
      else {
        steps = installed < 0 && key !== undefined && inRange(scheme, scheme.range(from), key);
        const span = versions.span(from);
        for (let run = 0; run < span.length && !steps; run += 2) {
          const last = Math.min(span[run + 1] ?? -1, index - 1);
          steps = last >= (span[run] ?? 0) && (reached[last + 1] ?? 0) > (reached[span[run] ?? 0] ?? 0);
        }
      }
      if (steps) newest = release.version;
    }
    reached[index + 1] = (reached[index] ?? 0) + (steps ? 1 : 0);
  }
  return newest;
}

/**
 * The age of an installed version by the catalog. `allowed` follows from the steps (`from`) only; whether a release fits
 * a printer's other parts is answered by `campaigns.preview`.
 */
export function firmwareAge(
  catalog: CompiledCatalog | undefined,
  software: string,
  version: string,
): FirmwareAge {
  const products = catalog?.productsOf.get(software) ?? [];
  const product = products.find(({ versions }) => versions.find(version) >= 0) ?? products[0];
  if (!product) return UNLISTED;
  const { releases, versions } = product;
  const newest = releases.findLast(({ status }) => status === 'released')?.version;
  const place = placeOf(product, version);
  const allowed = place === undefined ? undefined : newestReachable(product, version, place);
  return {
    status: releases[versions.find(version)]?.status ?? 'unlisted',
    ...(place === undefined
      ? {}
      : { behind: releases.slice(place).filter(({ status }) => status === 'released').length }),
    ...(newest === undefined ? {} : { newest }),
    ...(allowed === undefined ? {} : { allowed }),
  };
}
