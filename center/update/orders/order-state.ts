/**
 * The life of one execution: one printer installs one list of steps. A pure function from (state, event) to
 * (state, effects). Time and chance come with the event. The caller stores the new state with compare-and-set and then
 * carries out the effects, all of which may be repeated.
 *
 * Invariants
 * - An ended execution never changes. A late report is answered with the (empty) retained order.
 * - Only a structure that the center received makes an execution `proven`; a report never does.
 * - A new attempt starts only if the one before never touched the printer.
 * - Every state that isn't an end has a time at which `timer` moves it on.
 */
import { isSwitch, isSwitched } from '../../../schemas/order-steps.ts';
import { installedVersion } from '../../../schemas/subject.ts';
import type { ErrorReport, OrderStep, Structure, UpdateReport } from '../../../schemas/types.ts';

export const ORDER_STATES = [
  'planned',
  'offered',
  'accepted',
  'deferred',
  'downloading',
  'verified',
  'installing',
  'self-testing',
  'claimed',
  'proven',
  'partial',
  'rejected',
  'rolled-back',
  'failed',
  'silent',
  'cancelled',
] as const;
export type OrderState = (typeof ORDER_STATES)[number];

const ENDS: ReadonlySet<OrderState> = new Set<OrderState>([
  'proven',
  'partial',
  'rejected',
  'rolled-back',
  'failed',
  'silent',
  'cancelled',
]);

/** States in which the printer may be half changed, so that a cancel comes too late. */
const TOUCHED: ReadonlySet<OrderState> = new Set<OrderState>(['installing', 'self-testing', 'claimed']);

export function isEnd(state: OrderState): boolean {
  return ENDS.has(state);
}

/** Whether the printer may be half changed in this state. */
export function isTouched(state: OrderState): boolean {
  return TOUCHED.has(state);
}

/** How long each kind of silence may last, in ms, and how often things are retried. */
export interface OrderTimes {
  /** An online printer has not answered the offer, or made no progress. */
  progressMs: number;
  /** Nothing heard since it started to install: it may be bricked. */
  installMs: number;
  /** It claims to be done, but no structure shows it. */
  proofMs: number;
  /** How often an unanswered offer is published again. */
  nudgesMax: number;
  attemptsMax: number;
  /** Backoff between attempts: full jitter below base·2^attempt, at most the cap. */
  backoffBaseMs: number;
  backoffCapMs: number;
}

export const DEFAULT_TIMES: OrderTimes = {
  progressMs: 15 * 60_000,
  installMs: 45 * 60_000,
  proofMs: 15 * 60_000,
  nudgesMax: 3,
  attemptsMax: 4,
  backoffBaseMs: 30_000,
  backoffCapMs: 30 * 60_000,
};

/** The stored state of an execution, without its steps. Times are ms since the epoch. */
export interface Execution {
  state: OrderState;
  attempt: number;
  /** The highest `seq` of this attempt's reports. */
  reportSeq: number;
  step: number;
  /** Progress within the current state, 0 to 1. */
  progress: number;
  /** Last progress: a new report, a new offer, or the printer's return. */
  progressAt: number;
  nudges: number;
  /** In `planned`: earliest time of the offer. */
  offerAt: number;
  deadlineAt: number;
  /** Why it was asked to cancel. */
  cancel?: string;
  error?: ErrorReport;
  /** Steps that started to install, over all attempts. Each restarts the printer. */
  installs?: number;
  /** How often it started to download. */
  downloads?: number;
  /** A structure of a new session showed every subject before the printer claimed it. */
  shown?: boolean;
  /** It fell silent after it had started to install. */
  suspectedBrick?: boolean;
  endedAt?: number;
}

export type OrderEvent =
  | { type: 'offer'; at: number }
  | { type: 'report'; at: number; report: UpdateReport; random: number }
  | { type: 'structure'; at: number; session: 'judged' | 'new'; shows: Shows }
  | { type: 'timer'; at: number; online: boolean; random: number }
  | { type: 'online'; at: number }
  | { type: 'cancel'; at: number; reason: string }
  /** The printer left and won't answer: the order ends immediately, whatever its state. */
  | { type: 'withdraw'; at: number; reason: string };

export type OrderEffect =
  /** Publish the current order (empty when ended) on the printer's retained topic. */
  | { type: 'publish' }
  /** Wake the execution with `timer` (or `offer` while planned) at that time. */
  | { type: 'wake'; at: number }
  | { type: 'request-structure' }
  /** Don't offer this release to this printer again until a person lifts it. */
  | { type: 'quarantine' }
  /** Judge and plan the printer again: it has changed since the order was created. */
  | { type: 'rejudge' }
  /** A change that operators see. */
  | { type: 'changed' };

export interface Transition {
  execution: Execution;
  effects: OrderEffect[];
}

/** Codes after which the same order may succeed later: the way to the image failed, not the image. */
const TRANSIENT = new Set([
  'update/unreachable',
  'update/interrupted',
  'update/no-space',
  'update/busy',
  'update/timeout',
  'update/repository-busy',
]);
/** Codes that mean that the printer has changed since the order was created. */
const OUTDATED = new Set(['update/structure-changed', 'update/unknown-subject']);

/** How much of an order a structure shows. */
export type Shows = 'every' | 'some' | 'none';

/** The final version of each subject: several steps may update the same one. */
export function finalVersions(steps: readonly Pick<OrderStep, 'subject' | 'to'>[]): Map<string, string> {
  return new Map(steps.map((step) => [step.subject, step.to]));
}

/** How many subjects the structure shows at their final version. */
export function shows(structure: Pick<Structure, 'apparatus' | 'units'>, steps: readonly OrderStep[]): Shows {
  const wanted = finalVersions(steps);
  let shown = 0;
  for (const [subject, to] of wanted) {
    const there = isSwitch({ subject })
      ? isSwitched(structure.units, { subject, to })
      : installedVersion(structure, subject) === to;
    if (there) shown++;
  }
  if (shown === wanted.size) return 'every';
  return shown === 0 ? 'none' : 'some';
}

/** A new execution, to be offered at `offerAt`. */
export function planExecution(at: number, deadlineAt: number, offerAt = at): Execution {
  return {
    state: 'planned',
    attempt: 1,
    reportSeq: 0,
    step: 0,
    progress: 0,
    progressAt: at,
    nudges: 0,
    offerAt,
    deadlineAt,
  };
}

/** When `timer` is due; undefined when the execution has ended. */
export function wakeAt(execution: Execution, times: OrderTimes): number | undefined {
  switch (execution.state) {
    case 'planned':
      return execution.offerAt;
    case 'offered':
    case 'accepted':
    case 'downloading':
    case 'verified':
      return Math.min(execution.progressAt + times.progressMs, execution.deadlineAt);
    case 'deferred':
      return execution.deadlineAt;
    case 'installing':
    case 'self-testing':
      return execution.progressAt + times.installMs;
    case 'claimed':
      return execution.progressAt + times.proofMs;
    default:
      return undefined;
  }
}

function same(execution: Execution): Transition {
  return { execution, effects: [] };
}

function end(
  execution: Execution,
  state: OrderState,
  at: number,
  more: Partial<Execution> = {},
  effects: OrderEffect[] = [],
): Transition {
  return {
    execution: { ...execution, ...more, state, endedAt: at, progressAt: at },
    effects: [{ type: 'publish' }, { type: 'changed' }, ...effects],
  };
}

function move(execution: Execution, next: Partial<Execution>, effects: OrderEffect[]): Transition {
  return { execution: { ...execution, ...next }, effects };
}

/** Full jitter: anything below base·2^(attempt−1), at most the cap (random from 0 to 1). */
export function backoffMs(attempt: number, random: number, times: OrderTimes): number {
  return Math.floor(random * Math.min(times.backoffCapMs, times.backoffBaseMs * 2 ** (attempt - 1)));
}

function failed(
  execution: Execution,
  at: number,
  random: number,
  error: ErrorReport,
  times: OrderTimes,
): Transition {
  if (execution.cancel !== undefined) {
    return end(execution, isTouched(execution.state) ? 'failed' : 'cancelled', at, { error });
  }
  const offerAt = at + backoffMs(execution.attempt, random, times);
  const again =
    TRANSIENT.has(error.code) &&
    !isTouched(execution.state) &&
    execution.attempt < times.attemptsMax &&
    offerAt < execution.deadlineAt;
  if (!again) {
    // A failure before the printer was touched says nothing about the release.
    return end(
      execution,
      'failed',
      at,
      { error },
      isTouched(execution.state) ? [{ type: 'quarantine' }] : [],
    );
  }
  return move(
    execution,
    {
      state: 'planned',
      attempt: execution.attempt + 1,
      reportSeq: 0,
      step: 0,
      progress: 0,
      progressAt: at,
      nudges: 0,
      offerAt,
      error,
    },
    [{ type: 'publish' }, { type: 'wake', at: offerAt }, { type: 'changed' }],
  );
}

/** What a report adds to the counts of installs and downloads. */
function effort(
  execution: Execution,
  report: Pick<UpdateReport, 'state' | 'step'>,
): Pick<Execution, 'installs' | 'downloads'> {
  const further = (report.step ?? execution.step) > execution.step;
  if (report.state === 'downloading') {
    // Once per attempt, however many images it needs.
    const again = execution.state === 'downloading' || execution.state === 'verified';
    return again || isTouched(execution.state) ? {} : { downloads: (execution.downloads ?? 0) + 1 };
  }
  const begins = isTouched(report.state as OrderState) && !isTouched(execution.state);
  const next = report.state === 'installing' && (execution.state !== 'installing' || further);
  return begins || next ? { installs: (execution.installs ?? 0) + 1 } : {};
}

function onReport(
  execution: Execution,
  event: Extract<OrderEvent, { type: 'report' }>,
  times: OrderTimes,
): Transition {
  const { report, at, random } = event;
  if (report.attempt < execution.attempt || execution.state === 'planned') {
    // The report is about an older offer: answer with the current one.
    return { execution, effects: [{ type: 'publish' }] };
  }
  if (report.attempt > execution.attempt || report.seq <= execution.reportSeq) return same(execution);
  const error = report.error ?? { code: 'update/unexplained', message: 'The printer gave no reason.' };
  const heard = { ...execution, reportSeq: report.seq };
  switch (report.state) {
    case 'rejected':
      if (isTouched(execution.state)) return same(heard);
      if (TRANSIENT.has(error.code)) return failed(heard, at, random, error, times);
      return end(
        heard,
        execution.cancel === undefined ? 'rejected' : 'cancelled',
        at,
        { error },
        OUTDATED.has(error.code) ? [{ type: 'rejudge' }] : [],
      );
    case 'failed':
      return failed(heard, at, random, error, times);
    case 'rolled-back':
      return end(heard, 'rolled-back', at, { error }, [{ type: 'quarantine' }]);
    case 'cancelled':
      return end(heard, 'cancelled', at, { error: report.error });
    default: {
      // After `claimed` only an end can follow. A printer that installs can't go back to an earlier state.
      const early = !TOUCHED.has(report.state);
      const touched = isTouched(execution.state);
      if (execution.state === 'claimed' || (touched && early && (report.step ?? 0) <= execution.step)) {
        return same(heard);
      }
      if (report.state === 'claimed' && execution.shown) return proven(heard, at);
      const next: Partial<Execution> = {
        ...effort(execution, report),
        state: report.state,
        step: report.step ?? execution.step,
        progress: report.progress ?? (report.state === execution.state ? execution.progress : 0),
        progressAt: at,
        nudges: 0,
      };
      const changed = report.state !== execution.state;
      const effects: OrderEffect[] = changed ? [{ type: 'changed' }] : [];
      const due = wakeAt({ ...heard, ...next }, times);
      // An early wake-up goes back to sleep; only an earlier due time needs a new one.
      const before = wakeAt(execution, times);
      if (due !== undefined && before !== undefined && due < before) effects.push({ type: 'wake', at: due });
      if (report.state === 'claimed') effects.push({ type: 'request-structure' });
      return move(heard, next, effects);
    }
  }
}

function proven(execution: Execution, at: number): Transition {
  return end(execution, 'proven', at, { progress: 1, error: undefined });
}

function onStructure(execution: Execution, event: Extract<OrderEvent, { type: 'structure' }>): Transition {
  if (event.session === 'judged' || execution.state === 'planned') return same(execution);
  if (event.shows === 'every') {
    // Between restart and self-test it runs the new software but may still roll back. After `verified` the next report is
    // `installing`: a printer that loses its connection then shows its structure before it repeats the report.
    if (['verified', 'installing', 'self-testing'].includes(execution.state)) {
      return execution.shown ? same(execution) : move(execution, { shown: true }, []);
    }
    return proven(execution, event.at);
  }
  if (execution.state !== 'claimed') {
    return execution.shown ? move(execution, { shown: false }, []) : same(execution);
  }
  const error = {
    code: 'update/unproven',
    message: 'The printer said that it was done; its structure does not show it.',
  };
  return event.shows === 'some'
    ? end(execution, 'partial', event.at, { error }, [{ type: 'rejudge' }])
    : end(execution, 'failed', event.at, { error }, [{ type: 'quarantine' }]);
}

function onTimer(
  execution: Execution,
  event: Extract<OrderEvent, { type: 'timer' }>,
  times: OrderTimes,
): Transition {
  const { at, online, random } = event;
  const due = wakeAt(execution, times);
  if (due === undefined) return same(execution);
  if (at < due || execution.state === 'planned') return { execution, effects: [{ type: 'wake', at: due }] };
  switch (execution.state) {
    case 'installing':
    case 'self-testing':
      if (execution.shown) return proven(execution, at);
      return end(execution, 'silent', at, {
        suspectedBrick: true,
        error: {
          code: 'update/silent',
          message: `Nothing was heard since it began to install${online ? '' : ', and it is offline'}.`,
        },
      });
    case 'claimed':
      if (execution.nudges < times.nudgesMax && at < execution.deadlineAt) {
        return move(execution, { nudges: execution.nudges + 1, progressAt: at }, [
          { type: 'request-structure' },
          { type: 'wake', at: at + times.proofMs },
        ]);
      }
      return end(
        execution,
        'failed',
        at,
        { error: { code: 'update/unproven', message: 'It claimed to be done; no structure showed it.' } },
        [{ type: 'quarantine' }],
      );
    default: {
      if (execution.shown) return proven(execution, at);
      if (at >= execution.deadlineAt) {
        const message = online ? 'The deadline passed.' : 'The deadline passed while it was offline.';
        return end(execution, execution.cancel === undefined ? 'silent' : 'cancelled', at, {
          error: { code: 'update/deadline', message },
        });
      }
      // Being offline is no failure: the printer finds the retained order when it returns.
      if (!online) {
        const next = Math.min(at + times.progressMs, execution.deadlineAt);
        return move(execution, { progressAt: at }, [{ type: 'wake', at: next }]);
      }
      if (execution.nudges < times.nudgesMax) {
        const next = Math.min(at + times.progressMs, execution.deadlineAt);
        return move(execution, { nudges: execution.nudges + 1, progressAt: at }, [
          { type: 'publish' },
          { type: 'wake', at: next },
        ]);
      }
      if (execution.state === 'offered') {
        return end(execution, execution.cancel === undefined ? 'silent' : 'cancelled', at, {
          error: { code: 'update/silent', message: 'It is online and never answered the order.' },
        });
      }
      const error = { code: 'update/timeout', message: `It did not go on from ${execution.state}.` };
      return failed(execution, at, random, error, times);
    }
  }
}

/**
 * Applies an event.
 * @returns the same object when nothing changes
 */
export function transition(execution: Execution, event: OrderEvent, times: OrderTimes): Transition {
  if (isEnd(execution.state)) {
    return { execution, effects: event.type === 'report' ? [{ type: 'publish' }] : [] };
  }
  switch (event.type) {
    case 'offer': {
      if (execution.state !== 'planned') return same(execution);
      if (event.at < execution.offerAt) {
        return { execution, effects: [{ type: 'wake', at: execution.offerAt }] };
      }
      const next: Execution = { ...execution, state: 'offered', progressAt: event.at };
      return {
        execution: next,
        effects: [
          { type: 'publish' },
          { type: 'wake', at: wakeAt(next, times) ?? event.at },
          { type: 'changed' },
        ],
      };
    }
    case 'report':
      return onReport(execution, event, times);
    case 'structure':
      return onStructure(execution, event);
    case 'timer':
      return onTimer(execution, event, times);
    case 'online':
      if (execution.state === 'planned' || isTouched(execution.state)) return same(execution);
      return move(execution, { progressAt: event.at, nudges: 0 }, [
        { type: 'wake', at: Math.min(event.at + times.progressMs, execution.deadlineAt) },
      ]);
    case 'withdraw':
      return end(execution, 'cancelled', event.at, {
        cancel: event.reason,
        error: { code: 'update/withdrawn', message: event.reason },
      });
    case 'cancel':
      if (execution.state === 'planned') {
        return end(execution, 'cancelled', event.at, { cancel: event.reason });
      }
      if (isTouched(execution.state) || execution.cancel !== undefined) return same(execution);
      return move(execution, { cancel: event.reason }, [{ type: 'publish' }, { type: 'changed' }]);
  }
}
