/**
 * The life of a campaign as a pure function of (state, event): how many printers may be exposed, when canaries are
 * promoted to waves, and what stops it. The service decides which printers these are.
 *
 * Invariants
 * - Orders are only dispatched while the campaign is running, and never more than `allowed` in all. Orders that were given
 *   up don't count: their printers are away, and asked not to begin.
 * - Only an operator's explicit request leaves `halted` and `aborted`.
 * - The canary stage ends only with evidence that the failure rate is below the bound, or by an operator.
 * - Printers that join bring no evidence. The stage follows from the evidence over all printers, and the exposed share
 *   grows from the number of printers with an outcome.
 */

import type { Observation } from '../../statistics/code-watch.ts';
import {
  BUSY_LOOK_MS,
  CODES_WATCHED_AFTER_MS,
  REASON_CHARACTERS_MAX,
  UNRELATED_MIN,
  UNRELATED_SHARE_MAX,
} from '../limits.ts';
import {
  type CohortGuard,
  type Finding,
  findings,
  newCohortGuard,
  observe,
  printerChanged,
} from './code-guard.ts';
import {
  expose,
  type FailureGuard,
  feed,
  type GuardSettings,
  guardVerdict,
  newGuard,
  outcomesOf,
  outcomesToPromote,
  reachableBelow,
  upperBound,
} from './guard.ts';

export type CampaignState = 'proposed' | 'running' | 'paused' | 'halted' | 'finished' | 'aborted';

/** The pace of a campaign; every member has a default. */
export interface Pace {
  /** Printers that get it first. While the evidence is inconclusive, as many more are drawn again. */
  canaries: number;
  /** Largest share of the targets that may be canaries. */
  canaryShareMax: number;
  /** Canaries under way at the same time. */
  canariesAtOnce: number;
  /** Size of the first wave, and the factor by which each wave is larger than the one before. */
  wave: number;
  growth: number;
  /** Orders under way at the same time in waves; this also bounds concurrent downloads. */
  atOnce: number;
  /** Most orders dispatched per minute; 0: no limit. */
  perMinute: number;
}

export const DEFAULT_PACE: Pace = {
  canaries: 0,
  canaryShareMax: 0.25,
  canariesAtOnce: 4,
  wave: 50,
  growth: 2,
  atOnce: 500,
  perMinute: 0,
};

/** The stored state of a campaign, as JSON. Times are ms since the epoch. */
export interface CampaignRecord {
  state: CampaignState;
  /** Why it is in this state. */
  reason?: string;
  stage: 'canaries' | 'waves';
  pace: Pace;
  guard: FailureGuard;
  cohort: CohortGuard;
  /** Number of targets. */
  targets: number;
  /** Orders dispatched so far. */
  dispatched: number;
  /** Of these, orders of canaries that stayed away and gave up their place; see `tick`. */
  givenUp?: number;
  /** Orders allowed in all. */
  allowed: number;
  /** Size of the current wave. */
  wave: number;
  /** Start of the current minute of `perMinute`, and orders since. */
  minuteAt: number;
  inMinute: number;
  /** A printer that fell silent while it installed. */
  suspectedBrick?: string;
  /** The requested values, before they were fitted to the number of targets; absent in older records. */
  asked?: { canaries: number; promoteBelow: number };
  /**
   * What halted it: its own evidence, evidence from all campaigns, a stop that holds for its printers, or a withdrawn
   * release.
   */
  halt?: 'failures' | 'codes' | 'release' | 'stop' | 'withdrawn';
  /** Its releases that were withdrawn while it ran, and why. */
  withdrawn?: Record<string, string>;
  /** Printers that wait although more orders are allowed, by reason. */
  waits?: Record<string, number>;
  /** Orders that ended inconclusively, by error code or state. */
  unrelated: Record<string, number>;
  /** Inconclusive orders since the last start that deserve attention. */
  unrelatedSince: number;
  /** Findings from error codes, each once. */
  findings: Finding[];
  /** Error codes are watched until then, although it has finished. */
  watchUntil?: number;
}

export type CampaignEvent =
  /** A printer started to install. */
  | { type: 'exposed' }
  /** `failed` is null if the outcome is inconclusive. */
  | { type: 'outcome'; exposure: number; failed: boolean | null }
  /** An order ended inconclusively; `why` is its error code or state. */
  | { type: 'unrelated'; why: string }
  | { type: 'brick'; printer: string }
  | { type: 'observed'; seen: Observation }
  /** A printer has the release now; `paired` if its own past can be compared. */
  | { type: 'changed'; paired: boolean }
  | { type: 'dispatched'; at: number; count: number }
  | { type: 'targets'; count: number }
  /** Orders were withdrawn before they touched a printer: they may be dispatched again. */
  | { type: 'withdrawn'; count: number }
  /**
   * Decide what to do next. `waiting` printers have no order, `underWay` have one that has not ended. `active` of those can
   * go on now: they install, or are neither offline nor waiting for a maintenance window. `stopped`, `withdrawn` and `busy`
   * printers are left out because their release was stopped or withdrawn, or another campaign or order has them.
   * `cancelled` of those under way were asked to cancel; `givenUp` of these are away and have not begun, so that another
   * printer may have their place.
   */
  | {
      type: 'tick';
      at: number;
      waiting: number;
      underWay: number;
      active: number;
      stopped?: number;
      withdrawn?: number;
      busy?: number;
      cancelled?: number;
      givenUp?: number;
    }
  /** Some of its releases were withdrawn. */
  | { type: 'release-withdrawn'; releases: Readonly<Record<string, string>> }
  /** Printers joined a finished campaign; its evidence still holds. */
  | { type: 'reopen' }
  /** The evidence from all campaigns shows that the release is harmful. */
  | { type: 'halt'; reason: string }
  /** A person lifted the stop: start again with canaries and no evidence. */
  | { type: 'lift' }
  | { type: 'waits'; waits: Record<string, number> }
  | { type: 'start' }
  | { type: 'pause'; reason: string }
  | { type: 'resume'; at: number }
  | { type: 'abort'; reason: string };

/** What a tick allows. */
export interface Allowance {
  /** Orders that may be dispatched now. */
  dispatch: number;
  /** Look again at this time. */
  againAt?: number;
}

const ENDED: ReadonlySet<CampaignState> = new Set<CampaignState>(['finished', 'aborted']);

/** Enough canaries for a promotion if none fails, as far as there are targets. */
function canaryStage(
  targets: number,
  { canaries: wanted, promoteBelow }: { canaries: number; promoteBelow: number },
  pace: Pace,
  settings: GuardSettings,
): { canaries: number; promoteBelow: number } {
  const share = Math.max(1, Math.floor(targets * pace.canaryShareMax));
  const canaries = Math.max(1, Math.min(wanted || outcomesToPromote({ ...settings, promoteBelow }), share));
  // A small fleet can't show as much: it is promoted if none of its canaries failed.
  return { canaries, promoteBelow: Math.max(promoteBelow, reachableBelow(settings, canaries) + 1e-6) };
}

/** A new campaign with this many targets. */
export function newCampaign(
  targets: number,
  pace: Pace,
  settings: GuardSettings,
  state: 'proposed' | 'running',
): CampaignRecord {
  const asked = { canaries: pace.canaries, promoteBelow: settings.promoteBelow };
  const { canaries, promoteBelow } = canaryStage(targets, asked, pace, settings);
  return {
    state,
    stage: 'canaries',
    pace: { ...pace, canaries },
    guard: newGuard({ ...settings, promoteBelow }),
    cohort: newCohortGuard(settings.alpha),
    targets,
    dispatched: 0,
    allowed: Math.min(canaries, targets),
    wave: 0,
    minuteAt: 0,
    inMinute: 0,
    asked,
    unrelated: {},
    unrelatedSince: 0,
    findings: [],
  };
}

/** Orders that count towards `allowed`. */
export function placesTaken({ dispatched, givenUp = 0 }: CampaignRecord): number {
  return Math.max(0, dispatched - givenUp);
}

/** The stage that the evidence allows for a new number of targets. */
function retargeted(campaign: CampaignRecord, targets: number): CampaignRecord {
  const { asked, guard, pace } = campaign;
  if (targets <= campaign.targets || asked === undefined) return { ...campaign, targets };
  const { canaries, promoteBelow } = canaryStage(targets, asked, pace, guard.settings);
  const next = { ...campaign, targets, pace: { ...pace, canaries } };
  if (promoteBelow >= guard.settings.promoteBelow) {
    const allowed =
      campaign.stage === 'canaries'
        ? Math.min(Math.max(campaign.allowed, canaries), targets)
        : campaign.allowed;
    return { ...next, allowed };
  }
  // A larger fleet can show more, and must: what was enough for few is not enough now.
  const settings = { ...guard.settings, promoteBelow };
  const safe = upperBound({ ...guard, settings }) <= promoteBelow;
  const judgedAnew = { ...next, guard: { ...guard, settings, safe } };
  if (safe) return judgedAnew;
  const open = Math.max(0, canaries - outcomesOf(guard));
  return {
    ...judgedAnew,
    stage: 'canaries',
    wave: 0,
    allowed: Math.min(placesTaken(campaign) + open, targets),
  };
}

function stop(
  campaign: CampaignRecord,
  state: CampaignState,
  reason: string,
  halt?: CampaignRecord['halt'],
): CampaignRecord {
  return campaign.state === 'running' || (campaign.state === 'paused' && state === 'halted')
    ? { ...campaign, state, reason, ...(halt === undefined ? {} : { halt }) }
    : campaign;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
}

/** Failures and outcomes in words, including those out of order. */
function failuresKnown(guard: FailureGuard): string {
  const waiting = Object.values(guard.waiting).filter((failed) => failed !== null);
  const failures = guard.failures + waiting.filter((failed) => failed).length;
  return `${failures} of ${outcomesOf(guard) + waiting.length}`;
}

/**
 * Pauses when too many orders end inconclusively. Something else is wrong, and going on would use up printers without
 * learning anything.
 */
function unrelated(campaign: CampaignRecord, why: string): CampaignRecord {
  const counts = { ...campaign.unrelated, [why]: (campaign.unrelated[why] ?? 0) + 1 };
  // Printers that were never switched on need no attention.
  const since = campaign.unrelatedSince + (why === 'update/deadline' ? 0 : 1);
  const next = { ...campaign, unrelated: counts, unrelatedSince: since };
  const ended = outcomesOf(campaign.guard) + since;
  if (since < UNRELATED_MIN || since <= ended * UNRELATED_SHARE_MAX) return next;
  const list = Object.entries(counts)
    .sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
    .map(([code, n]) => `${code} ${n}`);
  return stop(
    next,
    'paused',
    `too many orders ended without saying anything of the release (${list.slice(0, 5).join(', ')}): ${since} of ${ended} since it was started`,
  );
}

/** Halts if the guard's evidence shows harm. */
function judged(campaign: CampaignRecord): CampaignRecord {
  const { guard } = campaign;
  if (guardVerdict(guard) === 'harmful') {
    return stop(
      campaign,
      'halted',
      `${failuresKnown(guard)} printers failed: more than the ${percent(guard.settings.tolerated)} that are tolerated`,
      'failures',
    );
  }
  return campaign;
}

/** Takes in one observation of a code. Each finding is kept once, in its first wording. */
function observed(campaign: CampaignRecord, seen: Observation): CampaignRecord {
  const cohort = observe(campaign.cohort, seen);
  const fresh = findings(cohort).filter(
    ({ kind, code }) => !campaign.findings.some((each) => each.kind === kind && each.code === code),
  );
  if (fresh.length === 0) return { ...campaign, cohort };
  const next = { ...campaign, cohort, findings: [...campaign.findings, ...fresh] };
  const worse = fresh.find(({ kind }) => kind === 'worse');
  return worse ? stop(next, 'halted', worse.says, 'codes') : next;
}

/** Starts the next wave. */
function nextWave(campaign: CampaignRecord): CampaignRecord {
  const { pace, guard } = campaign;
  const grown = campaign.wave === 0 ? pace.wave : Math.max(1, Math.ceil(campaign.wave * pace.growth));
  // Waves grow with the evidence, not with the age of the campaign.
  const wave = Math.min(grown, Math.max(pace.wave, Math.ceil(outcomesOf(guard) * pace.growth)));
  return {
    ...campaign,
    stage: 'waves',
    wave,
    allowed: Math.min(placesTaken(campaign) + wave, campaign.targets),
  };
}

/** Extends, ends or pauses the stage; called when all allowed orders were dispatched and have ended. */
function stageEnded(campaign: CampaignRecord, underWay: number): CampaignRecord {
  const verdict = guardVerdict(campaign.guard);
  if (verdict === 'safe') return nextWave(campaign);
  const { guard, pace, targets } = campaign;
  const bound = upperBound(guard);
  const most = Math.max(pace.canaries, Math.floor(targets * pace.canaryShareMax));
  if (campaign.stage === 'canaries' && placesTaken(campaign) < most) {
    return { ...campaign, allowed: Math.min(placesTaken(campaign) + pace.canaries, most, targets) };
  }
  // Printers that are away with an order may still report: wait for their deadline.
  if (underWay > 0) return campaign;
  return stop(
    campaign,
    'paused',
    `inconclusive: ${guard.failures} of ${outcomesOf(guard)} failed, so up to ${percent(bound)} may; ${percent(guard.settings.promoteBelow)} are the bound`,
  );
}

/**
 * Applies an event.
 * @returns the same object when nothing changes
 */
export function campaignTransition(
  campaign: CampaignRecord,
  event: CampaignEvent,
): { campaign: CampaignRecord; allowance: Allowance } {
  const none: Allowance = { dispatch: 0 };
  switch (event.type) {
    case 'exposed':
      return { campaign: { ...campaign, guard: expose(campaign.guard) }, allowance: none };
    case 'outcome': {
      const guard = feed(campaign.guard, event.exposure, event.failed);
      return {
        campaign: guard === campaign.guard ? campaign : judged({ ...campaign, guard }),
        allowance: none,
      };
    }
    case 'unrelated':
      return { campaign: unrelated(campaign, event.why), allowance: none };
    case 'brick':
      return {
        campaign: {
          ...stop(
            campaign,
            'paused',
            `${event.printer} fell silent while it installed: it may not start any more`,
          ),
          suspectedBrick: event.printer,
        },
        allowance: none,
      };
    case 'observed':
      return { campaign: observed(campaign, event.seen), allowance: none };
    case 'changed':
      return {
        campaign: { ...campaign, cohort: printerChanged(campaign.cohort, event.paired) },
        allowance: none,
      };
    case 'targets':
      return { campaign: retargeted(campaign, event.count), allowance: none };
    case 'reopen':
      return {
        campaign:
          campaign.state === 'finished' ? { ...campaign, state: 'running', reason: undefined } : campaign,
        allowance: none,
      };
    case 'halt':
      return { campaign: stop(campaign, 'halted', event.reason, 'release'), allowance: none };
    case 'lift':
      return { campaign: lifted(campaign), allowance: none };
    case 'release-withdrawn':
      return {
        campaign: { ...campaign, withdrawn: { ...campaign.withdrawn, ...event.releases } },
        allowance: none,
      };
    case 'waits': {
      const same = JSON.stringify(event.waits) === JSON.stringify(campaign.waits ?? {});
      return { campaign: same ? campaign : { ...campaign, waits: event.waits }, allowance: none };
    }
    case 'dispatched': {
      const fresh = event.at - campaign.minuteAt >= 60_000;
      return {
        campaign: {
          ...campaign,
          dispatched: campaign.dispatched + event.count,
          minuteAt: fresh ? event.at : campaign.minuteAt,
          inMinute: (fresh ? 0 : campaign.inMinute) + event.count,
        },
        allowance: none,
      };
    }
    case 'withdrawn':
      return {
        campaign: { ...campaign, dispatched: Math.max(0, campaign.dispatched - event.count) },
        allowance: none,
      };
    case 'start':
      return {
        campaign:
          campaign.state === 'proposed' ? { ...campaign, state: 'running', reason: undefined } : campaign,
        allowance: none,
      };
    case 'pause':
      return { campaign: stop(campaign, 'paused', event.reason), allowance: none };
    case 'resume': {
      if (ENDED.has(campaign.state) || campaign.state === 'running' || campaign.state === 'halted') {
        return { campaign, allowance: none };
      }
      const resumed: CampaignRecord = {
        ...campaign,
        state: 'running',
        reason: undefined,
        suspectedBrick: undefined,
        unrelatedSince: 0,
      };
      // By resuming an inconclusive campaign the operator decides to go on.
      const stuck =
        campaign.reason?.startsWith('inconclusive') === true && placesTaken(campaign) >= campaign.allowed;
      return { campaign: stuck ? nextWave(resumed) : resumed, allowance: none };
    }
    case 'abort':
      return {
        campaign: ENDED.has(campaign.state)
          ? campaign
          : { ...campaign, state: 'aborted', reason: event.reason },
        allowance: none,
      };
    case 'tick':
      return tick(campaign, event);
  }
}

/** Starts again in the stage of a campaign without evidence. */
function lifted(campaign: CampaignRecord): CampaignRecord {
  const { state, guard, asked = { canaries: 0, promoteBelow: guard.settings.promoteBelow } } = campaign;
  if (state !== 'halted' && state !== 'aborted') return campaign;
  const { halt: _halt, reason: _reason, suspectedBrick: _brick, waits: _waits, ...rest } = campaign;
  const { canaries, promoteBelow } = canaryStage(campaign.targets, asked, campaign.pace, guard.settings);
  return {
    ...rest,
    state: 'running',
    stage: 'canaries',
    pace: { ...campaign.pace, canaries },
    guard: newGuard({ ...guard.settings, promoteBelow }),
    cohort: {
      ...newCohortGuard(guard.settings.alpha),
      changed: campaign.cohort.changed,
      paired: campaign.cohort.paired,
    },
    findings: [],
    allowed: Math.min(placesTaken(campaign) + canaries, campaign.targets),
    wave: 0,
  };
}

/** The reason for a halt because of withdrawn releases, in words. */
function withdrawnReason(releases: Readonly<Record<string, string>>, printers: number): string {
  const said = Object.entries(releases).map(([release, why]) => `${release} was withdrawn (${why})`);
  const whom = printers === 1 ? 'printer is' : 'printers are';
  return `${said.join(', ')}: ${printers} ${whom} left out`.slice(0, REASON_CHARACTERS_MAX);
}

function tick(
  campaign: CampaignRecord,
  {
    at,
    waiting,
    underWay,
    active,
    stopped = 0,
    withdrawn = 0,
    busy = 0,
    cancelled = 0,
    givenUp = 0,
  }: Extract<CampaignEvent, { type: 'tick' }>,
): { campaign: CampaignRecord; allowance: Allowance } {
  if (campaign.state !== 'running') return { campaign, allowance: { dispatch: 0 } };
  // Don't wait for printers that are away with a cancelled order.
  const lost = campaign.withdrawn === undefined ? 0 : withdrawn;
  if (waiting === 0 && busy === 0 && lost > 0 && underWay <= cancelled) {
    const reason = withdrawnReason(campaign.withdrawn ?? {}, lost + underWay);
    return { campaign: stop(campaign, 'halted', reason, 'withdrawn'), allowance: { dispatch: 0 } };
  }
  if (waiting === 0 && underWay === 0) {
    // Busy printers get their turn when they are free.
    if (busy > 0) return { campaign, allowance: { dispatch: 0, againAt: at + BUSY_LOOK_MS } };
    if (stopped > 0) {
      const reason = `${stopped} printers wait for what was stopped: releases.release lifts it`;
      return { campaign: stop(campaign, 'halted', reason, 'stop'), allowance: { dispatch: 0 } };
    }
    const watchUntil = at + CODES_WATCHED_AFTER_MS;
    return {
      campaign: { ...campaign, state: 'finished', reason: undefined, watchUntil },
      allowance: { dispatch: 0 },
    };
  }
  let next = givenUp === (campaign.givenUp ?? 0) ? campaign : { ...campaign, givenUp };
  if (waiting > 0 && placesTaken(next) >= next.allowed) {
    // Once the release is known to be harmless, don't wait for the last stragglers of a wave.
    const known = campaign.stage === 'waves' && guardVerdict(campaign.guard) === 'safe';
    // Exposed printers without an outcome are part of the evidence.
    const open = next.guard.exposed - next.guard.fed;
    if ((active === 0 && open === 0) || (known && active <= Math.max(1, campaign.wave * 0.1))) {
      next = stageEnded(next, underWay);
    }
  }
  if (next.state !== 'running') return { campaign: next, allowance: { dispatch: 0 } };
  const { pace } = next;
  const atOnce = next.stage === 'canaries' ? Math.min(pace.canariesAtOnce, pace.atOnce) : pace.atOnce;
  const room = Math.max(0, Math.min(next.allowed - placesTaken(next), atOnce - active, waiting));
  if (pace.perMinute === 0 || at - next.minuteAt >= 60_000) {
    return {
      campaign: next,
      allowance: { dispatch: pace.perMinute === 0 ? room : Math.min(room, pace.perMinute) },
    };
  }
  const dispatch = Math.min(room, Math.max(0, pace.perMinute - next.inMinute));
  return {
    campaign: next,
    allowance: { dispatch, ...(dispatch < room ? { againAt: next.minuteAt + 60_000 } : {}) },
  };
}
