/**
 * Selects which printers get an order now. These bounds hold over all campaigns, rules and corrections together. Pure.
 *
 * - Orders per minute over the whole fleet.
 * - The share of a site, or of the printers with the same label `pool`, that is under way at once, and never the last
 *   working printer of a place with more than one.
 * - An unproven configuration or release goes to a few printers at a time; the number grows with successful outcomes.
 */

/** A printer whose turn it is. */
export interface Applicant {
  printer: string;
  online: boolean;
  stratum: string;
  releases: readonly string[];
  site?: string;
  pool?: string;
}

/** Orders under way, and successful outcomes. */
export interface Load {
  /** Under way on printers that can go on now. */
  active: number;
  /** Under way in all. */
  out: number;
  /** Successful outcomes. */
  good: number;
}

/** A site or a pool. */
export interface Place {
  printers: number;
  /** Have an order. */
  underWay: number;
  /** Online and without an order. */
  working: number;
}

/** The load on the fleet now. */
export interface FleetLoad {
  /** Orders created in the last minute. */
  inMinute: number;
  strata: ReadonlyMap<string, Load>;
  releases: ReadonlyMap<string, Load>;
  sites: ReadonlyMap<string, Place>;
  pools: ReadonlyMap<string, Place>;
}

export interface DispatchLimits {
  perMinute: number;
  siteShare: number;
  keepLast: boolean;
  /** Most orders under way for an unproven configuration or release. */
  unproven: number;
  /** Orders under way per successful outcome. */
  growth: number;
}

/** Why a printer waits. */
export type Waits =
  | 'fleet-per-minute'
  | 'site-share'
  | 'last-of-site'
  | 'pool-share'
  | 'last-of-pool'
  | 'configuration-unproven'
  | 'release-unproven';

/** Limit of all orders under way, as a multiple of the limit of active ones. */
const AWAY_FACTOR = 4;

/** Whether one more order fits. */
function fits(load: Load, { unproven, growth }: DispatchLimits): boolean {
  const most = Math.max(unproven, Math.ceil(load.good * growth));
  return load.active < most && load.out < most * AWAY_FACTOR;
}

function placeWaits(
  place: Place | undefined,
  online: boolean,
  limits: DispatchLimits,
): 'share' | 'last' | undefined {
  if (place === undefined || place.printers <= 1) return undefined;
  if (place.underWay >= Math.max(1, Math.floor(place.printers * limits.siteShare))) return 'share';
  // A printer that is offline is not the one that keeps the place working.
  return limits.keepLast && online && place.working <= 1 ? 'last' : undefined;
}

/** Admits up to `wanted` applicants, in order. */
export function withinBounds(
  applicants: readonly Applicant[],
  wanted: number,
  fleet: FleetLoad,
  limits: DispatchLimits,
): { admitted: Applicant[]; waits: Partial<Record<Waits, number>> } {
  const admitted: Applicant[] = [];
  const waits: Partial<Record<Waits, number>> = {};
  const strata = copied(fleet.strata);
  const releases = copied(fleet.releases);
  const sites = copied(fleet.sites);
  const pools = copied(fleet.pools);
  let left = Math.max(0, limits.perMinute - fleet.inMinute);
  for (const applicant of applicants) {
    if (admitted.length >= wanted) break;
    const { online, stratum, site = '', pool = '' } = applicant;
    const ofStratum = strata.get(stratum) ?? { active: 0, out: 0, good: 0 };
    const ofReleases = applicant.releases.map((release) => {
      const load = releases.get(release) ?? { active: 0, out: 0, good: 0 };
      releases.set(release, load);
      return load;
    });
    strata.set(stratum, ofStratum);
    const inSite = sites.get(site);
    const inPool = pools.get(pool);
    const why = ((): Waits | undefined => {
      if (left === 0) return 'fleet-per-minute';
      if (!fits(ofStratum, limits)) return 'configuration-unproven';
      if (!ofReleases.every((load) => fits(load, limits))) return 'release-unproven';
      const atSite = placeWaits(inSite, online, limits);
      if (atSite !== undefined) return atSite === 'share' ? 'site-share' : 'last-of-site';
      const atPool = placeWaits(inPool, online, limits);
      if (atPool !== undefined) return atPool === 'share' ? 'pool-share' : 'last-of-pool';
      return undefined;
    })();
    if (why !== undefined) {
      waits[why] = (waits[why] ?? 0) + 1;
      continue;
    }
    admitted.push(applicant);
    left--;
    for (const load of [ofStratum, ...ofReleases]) {
      load.out++;
      if (online) load.active++;
    }
    for (const place of [inSite, inPool]) {
      if (!place) continue;
      place.underWay++;
      if (online) place.working--;
    }
  }
  return { admitted, waits };
}

function copied<T extends object>(map: ReadonlyMap<string, T>): Map<string, T> {
  return new Map([...map].map(([name, value]) => [name, { ...value }]));
}
