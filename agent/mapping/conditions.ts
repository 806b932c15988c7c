/**
 * Turns what holds now into what happened: a printer lists its conditions, a log has entries. Compares two reads, keeps
 * what it must remember as plain JSON, and neither reads a clock nor writes a file.
 */
import type { PrinterEvent } from '../driver.ts';
import { stepUpTime, timeOfTicks, type UpTimeMemory } from './clock.ts';
import { type PagesMemory, stepPages } from './counters.ts';
import { FROM_BITS, saysTheSame } from './detected-errors.ts';
import type { Condition, Reading } from './reading.ts';

/** A condition that held at the last read, or is not gone for long enough yet. */
export interface HeldCondition {
  code: string;
  severity: Condition['severity'];
  unit?: string;
  occurrence?: string;
  ticks?: number;
  /** Keyword of an error bit that told it, without an alert. */
  bit?: string;
  /** When it began, ms since 1970. */
  sinceMs: number;
  /** Since when it is not seen any more; absent while it holds. */
  goneMs?: number;
  /** Times of its entries within the flap window, ms since 1970. */
  entriesMs: number[];
  /** Occurrences that were counted and not told. */
  untold: number;
}

/** What is remembered of one printer between reads (and restarts of the agent). */
export interface ConditionMemory {
  held: Record<string, HeldCondition>;
  upTime?: UpTimeMemory;
  pages?: PagesMemory;
  /** When the conditions were last read as a whole, ms since 1970. */
  wholeMs?: number;
  /** Conditions over the limit that were not kept. */
  surplus?: number;
}

export interface ConditionLimits {
  conditionsMax: number;
  flapEntriesMax: number;
  flapWindowMs: number;
  settleMs: number;
}

export interface Comparison {
  memory: ConditionMemory;
  events: PrinterEvent[];
  restarted: boolean;
  /** Life counter in pages, wraps counted in. */
  pages?: number;
}

export const EMPTY_MEMORY: ConditionMemory = { held: {} };

/** Code of the entry that tells that a condition is over; `detail.code` names it. */
export const CLEARED = 'condition-cleared';
/** Code of the entry that tells that the life counter began anew. */
export const COUNTER_RESET = 'counter-reset';

/** What makes two conditions the same one: its code and the place it is on, not its wording. */
function keyOf(condition: Condition): string {
  const { group, groupIndex, location } = condition.detail;
  return [condition.code, condition.unit ?? '', group ?? '', groupIndex ?? '', location ?? ''].join('|');
}

/**
 * Conditions by key; two rows that say the same get a number behind. Which of them is which tells the number that the
 * printer gave it: when the first of two goes, the second is still the second.
 */
function byKey(
  conditions: Condition[],
  max: number,
  held: Record<string, HeldCondition>,
): { found: Map<string, Condition>; surplus: number } {
  const found = new Map<string, Condition>();
  const nameless: [string, Condition][] = [];
  let surplus = 0;
  const put = (key: string, condition: Condition) => {
    if (found.size < max) found.set(key, condition);
    else surplus++;
  };
  const keys = (base: string) => (n: number) => (n === 1 ? base : `${base}#${n}`);
  for (const condition of conditions) {
    const base = keyOf(condition);
    const key = keys(base);
    let n = 1;
    while (held[key(n)] && (found.has(key(n)) || held[key(n)]?.occurrence !== condition.occurrence)) n++;
    if (condition.occurrence !== undefined && held[key(n)] && !found.has(key(n))) put(key(n), condition);
    else nameless.push([base, condition]);
  }
  for (const [base, condition] of nameless) {
    const key = keys(base);
    let n = 1;
    while (found.has(key(n))) n++;
    put(key(n), condition);
  }
  return { found, surplus };
}

/**
 * Whether the printer numbered it anew because it happened again, not because rows moved or it was restarted. A printer
 * that tells no times may number its rows anew at every read; it is believed when another row kept its number.
 */
function happenedAgain(
  held: HeldCondition,
  condition: Condition,
  restarted: boolean,
  stable: boolean,
): boolean {
  if (restarted || condition.occurrence === undefined || held.occurrence === condition.occurrence)
    return false;
  if (condition.ticks !== undefined && held.ticks !== undefined) return condition.ticks > held.ticks + 100;
  return stable && Number(condition.occurrence) > Number(held.occurrence ?? Number.POSITIVE_INFINITY);
}

/** No count of a printer's up-time goes further back: older than that is a clock that is wrong. */
const OLDEST_MS = 497 * 24 * 60 * 60_000;
/** How far the printer's clock, and the moment of a read, may be off. */
const CLOCK_MS = 2 * 60_000;

/**
 * When a condition that is new began, as far as that can be believed: it can't have held at the last whole read, which
 * lacked it. Printers that give the time of day for their up-time, or whose clock stands at 1970, are dated by ours.
 */
function credible(
  beganMs: number | undefined,
  wholeMs: number | undefined,
  nowMs: number,
): number | undefined {
  if (beganMs === undefined || nowMs - beganMs > OLDEST_MS) return undefined;
  if (wholeMs === undefined) return beganMs;
  return beganMs < wholeMs - CLOCK_MS ? undefined : Math.min(nowMs, Math.max(beganMs, wholeMs));
}

/**
 * What only an error bit told until now, and this alert says in more words: it is the same, and told. It is taken out of
 * `known`, so that it is not told as over either.
 */
function takeOver(
  known: Record<string, HeldCondition>,
  found: Map<string, Condition>,
  condition: Condition,
): HeldCondition | undefined {
  const keyword = condition.keyword ?? condition.code;
  const entry = Object.entries(known).find(
    ([key, { bit, goneMs }]) =>
      bit !== undefined && goneMs === undefined && !found.has(key) && saysTheSame(bit, keyword),
  );
  if (!entry) return undefined;
  delete known[entry[0]];
  return entry[1];
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}

/**
 * Compares a reading with what held before. `nowMs` is when it was read.
 * - New, or happened again: an entry, at the time the printer tells (else now).
 * - Gone: an entry `condition-cleared`, for warnings only when it is gone for `settleMs`. A half-answer clears nothing.
 * - More than `flapEntriesMax` entries of one condition in `flapWindowMs`: counted, and told in one entry afterwards.
 */
export function compareReading(
  before: ConditionMemory,
  reading: Pick<Reading, 'conditions' | 'conditionsWhole' | 'counters' | 'upTimeTicks'>,
  nowMs: number,
  limits: ConditionLimits,
): Comparison {
  const events: PrinterEvent[] = [];
  const memory: ConditionMemory = { held: {} };
  let restarted = false;
  if (reading.upTimeTicks !== undefined) {
    const step = stepUpTime(before.upTime, reading.upTimeTicks, nowMs);
    memory.upTime = step.memory;
    restarted = step.restarted;
  } else if (before.upTime) memory.upTime = before.upTime;
  let pages: number | undefined;
  if (reading.counters.pages !== undefined) {
    const step = stepPages(before.pages, reading.counters.pages, reading.counters.pagesBits);
    memory.pages = step.memory;
    pages = step.pages;
    if (step.reset) {
      events.push({
        at: isoOf(nowMs),
        code: COUNTER_RESET,
        severity: 'info',
        pages,
        detail: { ...step.reset },
      });
    }
  } else if (before.pages) {
    memory.pages = before.pages;
    pages = before.pages.base + before.pages.raw;
  }
  const withPages = pages === undefined ? {} : { pages };
  const { found, surplus } = byKey(reading.conditions, limits.conditionsMax, before.held);
  if (reading.conditionsWhole) memory.wholeMs = nowMs;
  else if (before.wholeMs !== undefined) memory.wholeMs = before.wholeMs;
  const numbered = [...found].filter(([key, { occurrence }]) => before.held[key] && occurrence !== undefined);
  const stable = numbered.some(([key, { occurrence }]) => before.held[key]?.occurrence === occurrence);
  if (surplus > 0) memory.surplus = surplus;

  const known: Record<string, HeldCondition> = {};
  for (const [key, held] of Object.entries(before.held)) {
    const last = held.entriesMs[held.entriesMs.length - 1];
    const due = held.untold > 0 && (last === undefined || nowMs - last >= limits.flapWindowMs);
    known[key] = due ? { ...held, untold: 0, entriesMs: [nowMs] } : held;
    if (!due) continue;
    events.push({
      at: isoOf(nowMs),
      code: held.code,
      severity: held.severity,
      ...(held.unit === undefined ? {} : { unit: held.unit }),
      ...withPages,
      detail: { flapping: true, occurrences: held.untold, holds: held.goneMs === undefined },
    });
  }

  for (const [key, condition] of found) {
    const held = known[key] ?? takeOver(known, found, condition);
    const told = condition.at === undefined ? Number.NaN : Date.parse(condition.at);
    const said = Number.isNaN(told)
      ? condition.ticks === undefined
        ? undefined
        : timeOfTicks(condition.ticks, memory.upTime, nowMs)
      : Math.min(told, nowMs);
    const began = credible(said, before.wholeMs, nowMs);
    const current: HeldCondition = {
      code: condition.code,
      severity: condition.severity,
      ...(condition.unit === undefined ? {} : { unit: condition.unit }),
      ...(condition.occurrence === undefined ? {} : { occurrence: condition.occurrence }),
      ...(condition.ticks === undefined ? {} : { ticks: condition.ticks }),
      ...(condition.detail['from'] === FROM_BITS ? { bit: condition.keyword ?? condition.code } : {}),
      sinceMs: held?.sinceMs ?? began ?? nowMs,
      entriesMs: (held?.entriesMs ?? []).filter((at) => nowMs - at < limits.flapWindowMs),
      untold: held?.untold ?? 0,
    };
    memory.held[key] = current;
    const serious = condition.severity === 'error' || condition.severity === 'fatal';
    // A warning that hovers is one; an error that comes back happened again. After a loud phase the rest is told in one.
    const again =
      held !== undefined &&
      ((held.goneMs !== undefined && serious) || happenedAgain(held, condition, restarted, stable));
    if (held !== undefined && !again) continue;
    current.sinceMs = began ?? nowMs;
    if (current.entriesMs.length >= limits.flapEntriesMax) {
      current.untold++;
      continue;
    }
    current.entriesMs.push(nowMs);
    events.push({
      at: isoOf(current.sinceMs),
      code: condition.code,
      severity: condition.severity,
      ...(condition.unit === undefined ? {} : { unit: condition.unit }),
      ...withPages,
      detail: { ...condition.detail, ...(began === undefined ? { timed: 'seen' } : {}) },
    });
  }

  for (const [key, held] of Object.entries(known)) {
    if (memory.held[key]) continue;
    if (!reading.conditionsWhole) {
      memory.held[key] = held;
      continue;
    }
    const goneMs = held.goneMs ?? nowMs;
    const serious = held.severity === 'error' || held.severity === 'fatal';
    const settled = nowMs - goneMs >= (serious ? 0 : limits.settleMs);
    const wasOver = held.goneMs !== undefined && serious;
    const loud = held.untold > 0 || held.entriesMs.length >= limits.flapEntriesMax;
    if (settled && !wasOver && !loud) {
      events.push({
        at: isoOf(goneMs),
        code: CLEARED,
        severity: 'info',
        ...(held.unit === undefined ? {} : { unit: held.unit }),
        ...withPages,
        detail: {
          code: held.code,
          since: isoOf(held.sinceMs),
          lastedS: Math.max(0, Math.round((goneMs - held.sinceMs) / 1000)),
        },
      });
    }
    const entriesMs = held.entriesMs.filter((at) => nowMs - at < limits.flapWindowMs);
    // Errors are kept until the window is over, so that a flapping one is known again; warnings until they settle.
    const keep = serious ? entriesMs.length > 0 || held.untold > 0 : !settled;
    if (keep && Object.keys(memory.held).length < limits.conditionsMax)
      memory.held[key] = { ...held, goneMs, entriesMs };
  }

  return { memory, events, restarted, ...withPages };
}
