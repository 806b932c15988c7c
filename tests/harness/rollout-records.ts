/** The simulated rollout's records of printers, orders and campaigns, and the load computed from them. */
import type { CampaignRecord } from '../../center/update/campaigns/campaign-state.ts';
import type { Load, Place } from '../../center/update/campaigns/dispatch-bounds.ts';
import { goodOf, type ReleaseEvidence } from '../../center/update/campaigns/release-ledger.ts';
import type { Cause } from '../../center/update/cause.ts';
import type { PastOrder } from '../../center/update/orders/budget.ts';

/** How a release behaves on printers. */
export interface Behaviour {
  /** Share of installations that are rolled back. */
  fails: number;
  /** Share of successful installations that are proven but gone at the next start. */
  flaps: number;
  /** Share of installations after which the printer is silent. */
  silent: number;
}

export interface Printer {
  id: string;
  online: boolean;
  revoked: boolean;
  stratum: string;
  site: string;
  installed: string;
  past: PastOrder[];
  order?: Order;
  /** Releases that failed on it. */
  barred: Set<string>;
}

export interface Order {
  campaign: SimCampaign;
  printer: Printer;
  release: string;
  state: 'offered' | 'installing' | 'ended';
  outcome?: 'good' | 'bad' | 'none';
  beginsAt: number;
  endsAt: number;
  exposure?: number;
  number?: number;
  silent: boolean;
}

export interface Target {
  printer: Printer;
  place: number;
  state: 'waiting' | 'dispatched' | 'ended' | 'excluded';
  reason?: string;
  outcome?: 'good' | 'bad' | 'none';
}

export interface SimCampaign {
  id: number;
  question: string | undefined;
  release: string;
  cause: Cause;
  record: CampaignRecord;
  targets: Map<string, Target>;
  waiting: Target[];
  out: Set<Order>;
  /** Orders with changes that the campaign has not handled yet. */
  news: Set<Order>;
  stopped: number;
  excluded: number;
  strata: Map<string, { good: number }>;
}

export interface WorldOptions {
  printers: number;
  strata: number;
  sites: number;
  seed: number;
  behaviour: Record<string, Behaviour>;
}

/** Orders of a campaign, by configuration. */
export function strataLoad(campaign: Pick<SimCampaign, 'strata' | 'out'>): Map<string, Load> {
  const loads = new Map<string, Load>();
  for (const [stratum, { good }] of campaign.strata) loads.set(stratum, { active: 0, out: 0, good });
  for (const { printer, state } of campaign.out) {
    const load = loads.get(printer.stratum) ?? { active: 0, out: 0, good: 0 };
    load.out++;
    if (state === 'installing' || printer.online) load.active++;
    loads.set(printer.stratum, load);
  }
  return loads;
}

/** Orders of a release over all campaigns. */
export function releaseLoad(
  release: string,
  evidence: ReleaseEvidence | undefined,
  orders: Iterable<Order>,
): Load {
  const load: Load = { active: 0, out: 0, good: evidence ? goodOf(evidence) : 0 };
  for (const order of orders) {
    if (order.release !== release) continue;
    load.out++;
    if (order.state === 'installing' || order.printer.online) load.active++;
  }
  return load;
}

/** These sites with their printers. */
export function sitesOf(printers: Iterable<Printer>, names: ReadonlySet<string>): Map<string, Place> {
  const sites = new Map<string, Place>();
  for (const { site, online, order, revoked } of printers) {
    if (revoked || !names.has(site)) continue;
    const place = sites.get(site) ?? { printers: 0, underWay: 0, working: 0 };
    place.printers++;
    if (order) place.underWay++;
    else if (online) place.working++;
    sites.set(site, place);
  }
  return sites;
}
