/**
 * ISO 8601 durations as the contract uses them.
 */

const DURATION =
  /^P(?!$)(?:(\d+(?:\.\d+)?)Y)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?(?:T(?!$)(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;

/** Milliseconds of a year (365 days), month (30 days), week, day, hour, minute, second. */
const UNITS_MS = [31_536_000_000, 2_592_000_000, 604_800_000, 86_400_000, 3_600_000, 60_000, 1_000];

/** Longer durations are taken for mistakes. */
const TEXT_MAX = 64;

/**
 * Whole milliseconds of a duration such as `PT10M` or `P1DT2H`; undefined when it is invalid. A year counts 365 days
 * and a month 30, because periods and event time are independent of the calendar.
 */
export function durationMs(text: unknown): number | undefined {
  const match = typeof text === 'string' && text.length <= TEXT_MAX ? DURATION.exec(text) : undefined;
  if (!match) return undefined;
  let ms = 0;
  for (const [index, unit] of UNITS_MS.entries()) ms += Number(match[index + 1] ?? 0) * unit;
  return Math.round(ms);
}
