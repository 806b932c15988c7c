/**
 * Turns conditions into log entries: a printer lists what holds now, a log records what happened. Compares two reads and
 * keeps its state as plain JSON; reads no clock and writes no file.
 */
import type { PrinterEvent } from '../driver.ts';
import { stepUpTime, timeOfTicks, type UpTimeMemory } from './clock.ts';
import { type PagesMemory, stepPages } from './counters.ts';
import { FROM_BITS, saysTheSame } from './detected-errors.ts';
import type { Condition, Reading } from './reading.ts';

/** A condition that held at the last read, or has not been gone for long enough. */
export interface HeldCondition {
  code: string;
  severity: Condition['severity'];
  unit?: string;
  occurrence?: string;
  ticks?: number;
  /** Keyword of the error bit, for a condition without an alert. */
  bit?: string;
  /** When it began, ms since 1970. */
  sinceMs: number;
  /** When it was first missing; absent while it holds. */
  goneMs?: number;
  /** Times of its entries within the flap window, ms since 1970. */
  entriesMs: number[];
  /** Occurrences that were counted without an entry. */
  untold: number;
}

/** The state of one printer between reads (and restarts of the agent). */
export interface ConditionMemory {
  held: Record<string, HeldCondition>;
  upTime?: UpTimeMemory;
  pages?: PagesMemory;
  /** Time of the last complete read of the conditions, ms since 1970. */
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
  /** Life counter in pages, including wraps. */
  pages?: number;
}

export const EMPTY_MEMORY: ConditionMemory = { held: {} };

/** Code of the entry for a condition that ended; `detail.code` names it. */
export const CLEARED = 'condition-cleared';
/** Code of the entry for a life counter that started over. */
export const COUNTER_RESET = 'counter-reset';

/** Identity of a condition: its code and place, not its wording. */
function keyOf(condition: Condition): string {
  const { group, groupIndex, location } = condition.detail;
  return [condition.code, condition.unit ?? '', group ?? '', groupIndex ?? '', location ?? ''].join('|');
}

/**
 * Conditions by key; equal ones get a number as suffix. The printer's occurrence number tells them apart: when the first
 * of two ends, the second is still the second.
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
 * Whether a new occurrence number means that it happened again, and not that rows moved or the printer restarted. A
 * printer without times may renumber its rows at every read; it is trusted when another row kept its number.
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

/** Longest span of an up-time counter: an older time comes from a wrong clock. */
const OLDEST_MS = 497 * 24 * 60 * 60_000;
/** Tolerance for the printer's clock and the time of a read. */
const CLOCK_MS = 2 * 60_000;

/**
 * When a new condition began, if that is plausible: it can't have held at the last complete read, which lacked it. For
 * printers that report the time of day as up-time, or whose clock is at 1970, our clock is used.
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
 * Finds a condition known only from an error bit that this alert describes in more detail. It is the same condition and
 * already reported, so it is removed from `known` and not reported as ended either.
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
 * Compares a reading with the conditions before. `nowMs` is the time of the read.
 * - New, or happened again: an entry, at the printer's time (else now).
 * - Gone: an entry `condition-cleared`; for warnings only after `settleMs`. An incomplete answer clears nothing.
 * - More than `flapEntriesMax` entries of one condition in `flapWindowMs`: counted, and reported in one entry afterwards.
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
    // A hovering warning is one entry; an error that returns is another. After flapping, the rest is reported in one entry.
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
    // Errors are kept until the flap window ends, to recognise flapping; warnings until they settle.
    const keep = serious ? entriesMs.length > 0 || held.untold > 0 : !settled;
    if (keep && Object.keys(memory.held).length < limits.conditionsMax)
      memory.held[key] = { ...held, goneMs, entriesMs };
  }

  return { memory, events, restarted, ...withPages };
}
