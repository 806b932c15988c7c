/**
 * Which of the printers that a campaign may give orders to get one now. Whatever campaigns, rules and corrections want
 * together, the fleet's bounds hold. Pure.
 *
 * - So many orders a minute over the whole fleet.
 * - So much of a site, or of the printers that share a label `pool`, under way at once, and never its last working
 *   printer as long as it has more than one.
 * - A configuration, and a release, that has not proved itself goes to a few at a time; the number grows with what it
 *   has proved.
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

/** Orders that are out, and what came of those that ended. */
export interface Load {
  /** Out, of printers that can be expected to go on now. */
  active: number;
  /** Out in all. */
  out: number;
  /** Ended well. */
  good: number;
}

/** A site, or the printers of a pool. */
export interface Place {
  printers: number;
  /** Have an order. */
  underWay: number;
  /** Online and without an order. */
  working: number;
}

/** The fleet as it is at this moment. */
export interface FleetLoad {
  /** Orders of the last minute. */
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
  /** Orders that may be out for what has proved nothing yet. */
  unproven: number;
  /** By how much the number that is out may exceed what has ended well. */
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

/** Orders to printers that are away may be so many times those to printers that are there. */
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
  // One that is off is not what keeps the place working.
  return limits.keepLast && online && place.working <= 1 ? 'last' : undefined;
}

/** Takes up to `wanted` of the applicants, in their order. */
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
