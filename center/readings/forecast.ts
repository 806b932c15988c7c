/**
 * When a supply will be empty, from what was left of it at the end of each day: a robust slope (the median of the slopes
 * between all pairs of days), the pattern of the week once there is enough of it, and an interval that should hold the
 * truth in four of five cases. Pure.
 */

/** Days from the end of the last day that is known. */
export interface Forecast {
  days: number;
  low: number;
  /** Missing where it may also last for ever. */
  high?: number;
}

export type Levels = readonly (readonly [day: number, left: number])[];

/** Less than this says nothing yet. */
const DAYS_MIN = 4;
const USED_MIN = 0.02;
/** What is older says little about the use of today. */
const DAYS_USED = 28;
/** So many days are needed before working days are told from weekends. */
const PATTERN_DAYS_MIN = 14;
const HORIZON_DAYS_MAX = 730;
/** Quantile of the normal distribution for an interval of 80 %. */
const Z = 1.2816;
const DAY_DIGITS = 10;

function median(sorted: readonly number[]): number {
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}

/** The median of the slopes between all pairs: what is used up a day. */
function medianSlope(levels: Levels): number {
  const slopes: number[] = [];
  for (const [index, [day, left]] of levels.entries()) {
    for (const [earlier, before] of levels.slice(0, index)) slopes.push((before - left) / (day - earlier));
  }
  return median(slopes.sort((a, b) => a - b));
}

/** 0 for Saturday and Sunday, 1 for the others; 1970-01-01 was a Thursday. */
function isWorkday(day: number): boolean {
  const weekday = (((day + 4) % 7) + 7) % 7;
  return weekday !== 0 && weekday !== 6;
}

interface Use {
  day: number;
  used: number;
}

/** What was used on each day; a gap of several days is spread over them. */
function usesOf(levels: Levels): Use[] {
  const uses: Use[] = [];
  for (const [index, [day, left]] of levels.entries()) {
    const before = levels[index - 1];
    if (!before) continue;
    const span = day - before[0];
    for (let at = 1; at <= span; at += 1) uses.push({ day: before[0] + at, used: (before[1] - left) / span });
  }
  return uses;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

/** How much of the usual use a day has: one for all, or one for working days and one for the others. */
function patternOf(uses: readonly Use[]): (day: number) => number {
  if (uses.length < PATTERN_DAYS_MIN) return () => 1;
  const work = mean(uses.filter(({ day }) => isWorkday(day)).map(({ used }) => used));
  const rest = mean(uses.filter(({ day }) => !isWorkday(day)).map(({ used }) => used));
  const all = mean(uses.map(({ used }) => used));
  if (all <= 0) return () => 1;
  const [workFactor, restFactor] = [Math.max(0, work / all), Math.max(0, rest / all)];
  return (day) => (isWorkday(day) ? workFactor : restFactor);
}

function rounded(days: number): number {
  return Math.round(days * DAY_DIGITS) / DAY_DIGITS;
}

/** When the supply will be empty; undefined while too little of it was used to say. */
export function forecastOf(history: Levels): Forecast | undefined {
  const levels = history.slice(-DAYS_USED);
  const [first, last] = [levels[0], levels.at(-1)];
  if (!first || !last || last[0] - first[0] + 1 < DAYS_MIN || first[1] - last[1] < USED_MIN) return undefined;
  const [today, left] = last;
  const uses = usesOf(levels);
  const factor = patternOf(uses);
  const average = mean(uses.map(({ used }) => used));
  const slope = medianSlope(levels);
  const rate = slope > 0 ? (slope + average) / 2 : average;
  // What is left of the scatter when rate and pattern are taken out.
  const count = uses.length;
  const variance =
    uses.reduce((sum, { day, used }) => sum + (used - rate * factor(day)) ** 2, 0) / Math.max(1, count - 1);
  const widened = Z * (1 + 1 / count);
  let [days, low, high]: (number | undefined)[] = [undefined, undefined, undefined];
  let expected = 0;
  let [slowBefore, meanBefore, fastBefore] = [0, 0, 0];
  for (let ahead = 1; ahead <= HORIZON_DAYS_MAX && high === undefined; ahead += 1) {
    expected += rate * factor(today + ahead);
    const spread = widened * Math.sqrt(ahead * variance * (1 + ahead / count));
    const [slow, fast] = [expected - spread, expected + spread];
    const within = (from: number, to: number) =>
      ahead - 1 + Math.min(1, (left - from) / Math.max(to - from, 1e-9));
    if (low === undefined && fast >= left) low = within(fastBefore, fast);
    if (days === undefined && expected >= left) days = within(meanBefore, expected);
    if (slow >= left) high = within(slowBefore, slow);
    [slowBefore, meanBefore, fastBefore] = [slow, expected, fast];
  }
  if (days === undefined || low === undefined) return undefined;
  return {
    days: rounded(days),
    low: rounded(Math.max(0, low)),
    ...(high === undefined ? {} : { high: rounded(high) }),
  };
}
