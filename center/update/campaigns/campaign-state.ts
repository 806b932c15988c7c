/**
 * The life of a campaign as a pure function of (state, event): how many printers may be exposed, when it is promoted
 * from canaries to waves, and what stops it. Which printers these are, and what is sent to them, is the service's.
 *
 * Invariants
 * - Nothing is dispatched unless it is running; never more than `allowed` in all.
 * - `halted`, `finished` and `aborted` are left only by an operator's explicit request.
 * - The canaries end only with the evidence that their failure rate is below the bound, or by an operator.
 * - Printers that join are worth no evidence: the stage is the one that the evidence allows for all of them, and the
 *   share that is exposed grows from the number that has outcomes.
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

/** How a campaign goes forward; all of it has defaults. */
export interface Pace {
  /** Printers that get it first; more are drawn, as many at a time, while the evidence is inconclusive. */
  canaries: number;
  /** At most this share of the targets may be canaries. */
  canaryShareMax: number;
  /** Canaries that are under way at the same time. */
  canariesAtOnce: number;
  /** Size of the first wave after the canaries, and by how much each one is larger than the one before. */
  wave: number;
  growth: number;
  /** Orders that may be under way at the same time in waves; also bounds concurrent downloads. */
  atOnce: number;
  /** Orders given out a minute at most; 0 is no bound. */
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

/** What is kept of a campaign; JSON. Times are milliseconds since the epoch. */
export interface CampaignRecord {
  state: CampaignState;
  /** Why it is in this state. */
  reason?: string;
  stage: 'canaries' | 'waves';
  pace: Pace;
  guard: FailureGuard;
  cohort: CohortGuard;
  /** Printers it was begun with. */
  targets: number;
  /** Given an order so far. */
  dispatched: number;
  /** May be given an order, in all. */
  allowed: number;
  /** Size of the present wave. */
  wave: number;
  /** When `perMinute` began to count, and how many since. */
  minuteAt: number;
  inMinute: number;
  /** A printer that fell silent while it installed. */
  suspectedBrick?: string;
  /** What was asked for, before it was fitted to the number of targets; absent in records of an older version. */
  asked?: { canaries: number; promoteBelow: number };
  /**
   * What halted it: its own evidence, what is known of the release elsewhere, a stop that holds for its printers, or the
   * withdrawal of what they were to get.
   */
  halt?: 'failures' | 'codes' | 'release' | 'stop' | 'withdrawn';
  /** Releases of it that were withdrawn meanwhile, and why. */
  withdrawn?: Record<string, string>;
  /** Why printers wait although more are allowed: reason to number. */
  waits?: Record<string, number>;
  /** Orders that ended without saying anything of the release: how many, by error code or state. */
  unrelated: Record<string, number>;
  /** Those of them since the campaign was last started that somebody should look into. */
  unrelatedSince: number;
  /** What the codes have shown, once each. */
  findings: Finding[];
  /** Codes are watched until then although it has finished. */
  watchUntil?: number;
}

export type CampaignEvent =
  /** Printers began to install. */
  | { type: 'exposed' }
  /** `failed` is null when the outcome says nothing of the release. */
  | { type: 'outcome'; exposure: number; failed: boolean | null }
  /** An order ended without saying anything of the release; `why` is its error code or its state. */
  | { type: 'unrelated'; why: string }
  | { type: 'brick'; printer: string }
  | { type: 'observed'; seen: Observation }
  /** A printer has the release; `paired` when it has a past to be compared with. */
  | { type: 'changed'; paired: boolean }
  | { type: 'dispatched'; at: number; count: number }
  | { type: 'targets'; count: number }
  /** Orders were withdrawn before they touched a printer: these are to be given out once more. */
  | { type: 'withdrawn'; count: number }
  /**
   * Look what is to be done: `waiting` have no order, `underWay` have one that has not ended; `active` are those of
   * them that can be expected to go on now (installing, or neither offline nor waiting for their maintenance window).
   * `stopped` are left out because what they would get was stopped, `withdrawn` because it was withdrawn, and `busy`
   * because another campaign or order has them. `cancelled` of those under way were asked to stop.
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
    }
  /** Releases that it brings were withdrawn. */
  | { type: 'release-withdrawn'; releases: Readonly<Record<string, string>> }
  /** Printers came to a campaign that was finished: its evidence holds. */
  | { type: 'reopen' }
  /** The release was found harmful over all campaigns that have it. */
  | { type: 'halt'; reason: string }
  /** A person lifted the stop: everything begins again with canaries and without evidence. */
  | { type: 'lift' }
  | { type: 'waits'; waits: Record<string, number> }
  | { type: 'start' }
  | { type: 'pause'; reason: string }
  | { type: 'resume'; at: number }
  | { type: 'abort'; reason: string };

/** What a tick says may be done. */
export interface Allowance {
  /** So many more printers may be given an order now. */
  dispatch: number;
  /** Look again at that time, whatever happens. */
  againAt?: number;
}

const ENDED: ReadonlySet<CampaignState> = new Set<CampaignState>(['finished', 'aborted']);

/** Enough canaries to be promoted if none fails, unless there are too few targets for that. */
function canaryStage(
  targets: number,
  { canaries: wanted, promoteBelow }: { canaries: number; promoteBelow: number },
  pace: Pace,
  settings: GuardSettings,
): { canaries: number; promoteBelow: number } {
  const share = Math.max(1, Math.floor(targets * pace.canaryShareMax));
  const canaries = Math.max(1, Math.min(wanted || outcomesToPromote({ ...settings, promoteBelow }), share));
  // A small fleet can't show as much: it is promoted when it showed what it can, that no canary failed.
  return { canaries, promoteBelow: Math.max(promoteBelow, reachableBelow(settings, canaries) + 1e-6) };
}

/** A new campaign over so many printers. */
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

/** The stage that the evidence allows when the number of targets is another. */
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
  // More printers can show more, and must: what was enough for few is not enough for them.
  const settings = { ...guard.settings, promoteBelow };
  const safe = upperBound({ ...guard, settings }) <= promoteBelow;
  const judgedAnew = { ...next, guard: { ...guard, settings, safe } };
  if (safe) return judgedAnew;
  const open = Math.max(0, canaries - outcomesOf(guard));
  return {
    ...judgedAnew,
    stage: 'canaries',
    wave: 0,
    allowed: Math.min(campaign.dispatched + open, targets),
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

/** Failures and outcomes as words, with those that came out of order. */
function failuresKnown(guard: FailureGuard): string {
  const waiting = Object.values(guard.waiting).filter((failed) => failed !== null);
  const failures = guard.failures + waiting.filter((failed) => failed).length;
  return `${failures} of ${outcomesOf(guard) + waiting.length}`;
}

/**
 * Pauses when too many orders end without saying anything of the release: something else is wrong, and going on would
 * use up the fleet without learning anything.
 */
function unrelated(campaign: CampaignRecord, why: string): CampaignRecord {
  const counts = { ...campaign.unrelated, [why]: (campaign.unrelated[why] ?? 0) + 1 };
  // Nobody can do anything about printers that were never switched on.
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

/** What the guard makes of its evidence. */
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

/** What the codes show after one more observation. Each finding is kept once, in the words that it had first. */
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

/** Opens the next wave. */
function nextWave(campaign: CampaignRecord): CampaignRecord {
  const { pace, guard } = campaign;
  const grown = campaign.wave === 0 ? pace.wave : Math.max(1, Math.ceil(campaign.wave * pace.growth));
  // A campaign that lives long must not grow by its age, but by what it has shown.
  const wave = Math.min(grown, Math.max(pace.wave, Math.ceil(outcomesOf(guard) * pace.growth)));
  return {
    ...campaign,
    stage: 'waves',
    wave,
    allowed: Math.min(campaign.dispatched + wave, campaign.targets),
  };
}

/** Whether this stage goes on, ends or gets stuck; called when everything that was allowed has been given out and ended. */
function stageEnded(campaign: CampaignRecord, underWay: number): CampaignRecord {
  const verdict = guardVerdict(campaign.guard);
  if (verdict === 'safe') return nextWave(campaign);
  const { guard, pace, targets } = campaign;
  const bound = upperBound(guard);
  const most = Math.max(pace.canaries, Math.floor(targets * pace.canaryShareMax));
  if (campaign.stage === 'canaries' && campaign.dispatched < most) {
    return { ...campaign, allowed: Math.min(campaign.dispatched + pace.canaries, most, targets) };
  }
  // Those that are away with an order in hand may still tell: their deadline ends the wait, not their absence.
  if (underWay > 0) return campaign;
  return stop(
    campaign,
    'paused',
    `inconclusive: ${guard.failures} of ${outcomesOf(guard)} failed, so up to ${percent(bound)} may; ${percent(guard.settings.promoteBelow)} are the bound`,
  );
}

/**
 * What becomes of a campaign.
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
      // An operator who resumes what was inconclusive takes the decision that the evidence could not.
      const stuck =
        campaign.reason?.startsWith('inconclusive') === true && campaign.dispatched >= campaign.allowed;
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

/** Begins once more, with the stage that a campaign without evidence has. */
function lifted(campaign: CampaignRecord): CampaignRecord {
  const { state, guard, asked = { canaries: 0, promoteBelow: guard.settings.promoteBelow } } = campaign;
  if (state !== 'halted' && state !== 'aborted') return campaign;
  const {
    halt: _halt,
    reason: _reason,
    suspectedBrick: _brick,
    waits: _waits,
    withdrawn: _gone,
    ...rest
  } = campaign;
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
    allowed: Math.min(campaign.dispatched + canaries, campaign.targets),
    wave: 0,
  };
}

/** Why a campaign ends whose release was withdrawn, for people. */
function withdrawnReason(releases: Readonly<Record<string, string>> = {}, printers: number): string {
  const said = Object.entries(releases).map(([release, why]) => `${release} was withdrawn (${why})`);
  const what = said.length > 0 ? said.join(', ') : 'what they were to get was withdrawn';
  return `${what}: ${printers} ${printers === 1 ? 'printer is' : 'printers are'} left out`.slice(
    0,
    REASON_CHARACTERS_MAX,
  );
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
  }: Extract<CampaignEvent, { type: 'tick' }>,
): { campaign: CampaignRecord; allowance: Allowance } {
  if (campaign.state !== 'running') return { campaign, allowance: { dispatch: 0 } };
  // Whoever is away with an order that was taken back holds up nobody.
  if (waiting === 0 && busy === 0 && withdrawn > 0 && underWay <= cancelled) {
    const reason = withdrawnReason(campaign.withdrawn, withdrawn);
    return { campaign: stop(campaign, 'halted', reason, 'withdrawn'), allowance: { dispatch: 0 } };
  }
  if (waiting === 0 && underWay === 0) {
    // Those whom others have get their turn.
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
  let next = campaign;
  if (waiting > 0 && campaign.dispatched >= campaign.allowed) {
    // A wave need not be waited for to its last straggler once it is known to be harmless.
    const known = campaign.stage === 'waves' && guardVerdict(campaign.guard) === 'safe';
    // Those that were exposed and have no outcome yet are part of the evidence.
    const open = next.guard.exposed - next.guard.fed;
    if ((active === 0 && open === 0) || (known && active <= Math.max(1, campaign.wave * 0.1))) {
      next = stageEnded(campaign, underWay);
    }
  }
  if (next.state !== 'running') return { campaign: next, allowance: { dispatch: 0 } };
  const { pace } = next;
  const atOnce = next.stage === 'canaries' ? Math.min(pace.canariesAtOnce, pace.atOnce) : pace.atOnce;
  const room = Math.max(0, Math.min(next.allowed - next.dispatched, atOnce - active, waiting));
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
