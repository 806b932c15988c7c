/** Why nothing happens to a printer of a campaign, in words that say what would change it. Pure. */
import type { Execution } from '../orders/order-state.ts';
import { type CampaignRecord, placesTaken } from './campaign-state.ts';
import { outcomesOf } from './guard.ts';

/** A printer of a campaign as it stands now. */
export interface TargetNow {
  state: 'waiting' | 'dispatched' | 'ended' | 'excluded';
  online: boolean;
  /** Excluded: why. */
  reason?: string;
  /** How its order ended. */
  ended?: string;
  /** Its order, as long as it is kept. */
  order?: Execution;
  notBefore?: number;
  window?: { from: string; to: string };
  /** An order that it has beside the campaign. */
  otherOrder?: string;
}

/** What is said of each reason to leave a printer out. */
const EXCLUDED_WHY: Readonly<Record<string, string>> = {
  'no-plan': 'no steps lead from its parts to what is wanted',
  pinned: 'its label "update" says "pinned"',
  busy: 'another order or campaign has it',
  'no-report': 'nothing was heard of it for too long',
  quarantined: 'the release failed on it before; campaigns.retry lets it have it once more',
  withdrawn: 'a release that it needs was withdrawn',
  unavailable: 'a release that it needs is not in the signed repository',
  stopped: 'the release was stopped; releases.release lifts that',
  'no-structure': 'it has never sent its structure',
  revoked: 'its credentials were revoked',
  retired: 'it was retired',
  unreachable: 'its agent cannot reach the device',
  'set-aside': 'it has spent its budget for this release; printers.readmit lets it have orders again',
  removed: 'it was removed',
};

/** Why a printer is left out, in words. */
export function excludedWhy(reason: string): string {
  return EXCLUDED_WHY[reason] ?? reason;
}

const WAITS_WHY: Readonly<Record<string, string>> = {
  'fleet-per-minute': 'the fleet has had its orders of this minute',
  'site-share': 'as many printers of its site have an order as may have one at a time',
  'last-of-site': 'it is the last working printer of its site',
  'pool-share': 'as many printers of its pool have an order as may have one at a time',
  'last-of-pool': 'it is the last working printer of its pool',
  'configuration-unproven': 'its configuration has to prove itself on a few printers first',
  'release-unproven': 'the release has to prove itself on a few printers first',
};

const time = (ms: number): string => new Date(ms).toISOString();

/** Why the campaign as a whole gives no further orders; undefined when it does. */
export function campaignWhy(campaign: CampaignRecord): string | undefined {
  const { state, reason, stage, allowed, guard } = campaign;
  const taken = placesTaken(campaign);
  const because = reason === undefined ? '' : `: ${reason}`;
  switch (state) {
    case 'proposed':
      return 'the campaign waits for somebody to start it (campaigns.resume)';
    case 'paused':
      return `the campaign is paused${because} (campaigns.resume)`;
    case 'halted':
      return `the campaign is halted${because} (campaigns.resume with a reason lifts that)`;
    case 'finished':
    case 'aborted':
      return `the campaign is ${state}${because}`;
    case 'running':
      break;
  }
  if (taken >= allowed) {
    return stage === 'canaries'
      ? `the canaries come first: ${outcomesOf(guard)} of ${allowed} have an outcome`
      : `its wave has not begun: ${taken} of the ${allowed} printers of the waves so far have their order`;
  }
  const waits = Object.keys(campaign.waits ?? {}).map((each) => WAITS_WHY[each] ?? each);
  return waits.length > 0 ? `orders wait because ${waits.join('; or because ')}` : undefined;
}

function waitingWhy({ online, otherOrder }: TargetNow, campaign: CampaignRecord): string {
  const whole = campaignWhy(campaign);
  if (campaign.state !== 'running' && whole !== undefined) return whole;
  if (otherOrder !== undefined) return `it has another order (${otherOrder}), which must end first`;
  if (campaign.stage === 'canaries' && !online) {
    return 'it is offline, and canaries are drawn from printers that are online';
  }
  return whole ?? 'its turn comes with the next orders';
}

function dispatchedWhy({ online, order, notBefore, window }: TargetNow, now: number): string {
  if (!order) return 'its order is being made';
  const away = online ? '' : '; it is offline, and goes on when it comes back';
  if (order.cancel !== undefined) return `its order is being withdrawn: ${order.cancel}${away}`;
  const error = order.error === undefined ? '' : ` (the last try: ${order.error.message})`;
  switch (order.state) {
    case 'planned':
      return order.offerAt > now
        ? `its order is offered at ${time(order.offerAt)}${error}`
        : `its order is about to be offered${error}`;
    case 'offered':
      return online
        ? 'its order is there; it has not answered yet'
        : 'it is offline; it finds its order when it comes back';
    case 'accepted':
    case 'deferred': {
      const until = [
        ...(window ? [`its window from ${window.from} to ${window.to}`] : []),
        ...(notBefore !== undefined && notBefore > now ? [time(notBefore)] : []),
      ];
      const waits = until.length > 0 ? ` and waits for ${until.join(' and ')}` : '';
      return `it has ${order.state === 'accepted' ? 'accepted its order' : 'put its order off'}${waits}${away}`;
    }
    case 'claimed':
      return `it says that it is done; its next structure has to show it${away}`;
    default: {
      const share = order.progress > 0 ? `, ${Math.round(order.progress * 100)} % of it` : '';
      return `it is ${order.state}${share}${away}`;
    }
  }
}

/** Why nothing more happens to a printer of a campaign, or what happens to it now. */
export function targetWhy(target: TargetNow, campaign: CampaignRecord, now: number): string {
  switch (target.state) {
    case 'waiting':
      return waitingWhy(target, campaign);
    case 'dispatched':
      return dispatchedWhy(target, now);
    case 'excluded':
      return excludedWhy(target.reason ?? 'excluded');
    case 'ended': {
      if (target.ended === 'proven') return 'it runs what was wanted, as its structure shows';
      if (target.ended === 'already') return 'it ran what was wanted before its turn came';
      const error = target.order?.error;
      const why = error === undefined ? '' : `: ${error.message}`;
      return `its order ended as ${target.ended ?? 'ended'}${why}`;
    }
  }
}
