/**
 * Times of printers that have no clock: sysUpTime and prtAlertTime count hundredths of a second since the start and
 * begin again at 0 after 497 days.
 */

const TICKS_WRAP = 2 ** 32;
/** How far the printer's ticks may deviate from our clock within one run. */
const DRIFT_SHARE = 0.02;
const DRIFT_TICKS = 60_00;

/** A printer's up-time, kept between two reads. */
export interface UpTimeMemory {
  ticks: number;
  /** When that was seen, ms since 1970. */
  seenMs: number;
  /** Whether the count has wrapped to 0 in this run of the printer. */
  wrapped: boolean;
}

export interface UpTimeStep {
  memory: UpTimeMemory;
  /** The printer (or its network card) restarted since the last read. */
  restarted: boolean;
}

/** Compares the up-time with its expected value: it went on, wrapped, or the printer restarted. */
export function stepUpTime(before: UpTimeMemory | undefined, ticks: number, nowMs: number): UpTimeStep {
  if (before === undefined) return { memory: { ticks, seenMs: nowMs, wrapped: false }, restarted: false };
  const elapsed = Math.max(0, nowMs - before.seenMs) / 10;
  const tolerance = DRIFT_TICKS + elapsed * DRIFT_SHARE;
  const expected = before.ticks + elapsed;
  if (ticks >= before.ticks) {
    // It may have restarted so long ago that it passed the old value; it is then behind the expected value.
    const restarted = ticks < expected - tolerance;
    return { memory: { ticks, seenMs: nowMs, wrapped: restarted ? false : before.wrapped }, restarted };
  }
  const wrapped = expected >= TICKS_WRAP - tolerance && Math.abs(ticks + TICKS_WRAP - expected) <= tolerance;
  return { memory: { ticks, seenMs: nowMs, wrapped }, restarted: !wrapped };
}

/**
 * When an alert with that prtAlertTime began, ms since 1970; undefined when unknown (no up-time, or an alert from the
 * future). Never later than `nowMs`.
 */
export function timeOfTicks(
  ticks: number,
  upTime: UpTimeMemory | undefined,
  nowMs: number,
): number | undefined {
  if (upTime === undefined || ticks < 0) return undefined;
  let age = upTime.ticks - ticks;
  // From before the count restarted at 0; otherwise a time in the future is a printer fault.
  if (age < 0 && upTime.wrapped) age += TICKS_WRAP;
  if (age < 0) return undefined;
  return Math.min(nowMs, upTime.seenMs - age * 10);
}
