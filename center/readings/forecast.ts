/**
 * Forecasts when a supply will be empty, from its level at the end of each day: the mean use, stabilised by the median
 * slope between all pairs of days, with its trend and weekly pattern where there is enough data, and an interval that
 * should contain the true day in four of five cases. Pure.
 */

/** In days from the end of the last known day. */
export interface Forecast {
  days: number;
  low: number;
  /** Missing when it may also last forever. */
  high?: number;
}

export type Levels = readonly (readonly [day: number, left: number])[];

/** With fewer days there is no forecast. */
const DAYS_MIN = 4;
const USED_MIN = 0.02;
/** Older days say little about the current use. */
const DAYS_USED = 28;
/** Days needed to distinguish working days from weekends. */
const PATTERN_DAYS_MIN = 14;
const HORIZON_DAYS_MAX = 730;
/** Quantile of the normal distribution for an interval of 80 %. */
const Z = 1.2816;
/** Weight of the median beside the mean. These constants are tuned so that `npm run bench -- forecast` meets its bars. */
const MEDIAN_WEIGHT = 0.1;
/** Days per half needed for a trend, how far it must exceed chance, and its possible error. */
const TREND_DAYS_MIN = 5;
const TREND_CHANCE = 10;
const TREND_DOUBT = 1.5;
/** Few days estimate their own scatter badly: their interval is widened by this. */
const WIDENED_DAYS = 2.5;
/** A falling trend is followed down to the mean use divided by this, at most. */
const RATE_FALL_MAX = 3;
const DAY_DIGITS = 10;

function median(sorted: readonly number[]): number {
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}

/** The median slope between all pairs of days: the use per day. */
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

/** The use of each day; a gap of several days is spread over them. */
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

/** The relative use of a day: one value for all, or one for working days and one for the others. */
function patternOf(uses: readonly Use[]): (day: number) => number {
  if (uses.length < PATTERN_DAYS_MIN) return () => 1;
  const work = mean(uses.filter(({ day }) => isWorkday(day)).map(({ used }) => used));
  const rest = mean(uses.filter(({ day }) => !isWorkday(day)).map(({ used }) => used));
  const all = mean(uses.map(({ used }) => used));
  if (all <= 0) return () => 1;
  const [workFactor, restFactor] = [Math.max(0, work / all), Math.max(0, rest / all)];
  return (day) => (isWorkday(day) ? workFactor : restFactor);
}

interface Trend {
  /** How much the current use per day exceeds the average of the history. */
  ahead: number;
  /** Its possible error. */
  doubt: number;
}

/**
 * Whether use has grown or fallen, from the deviations of the days: the second half compared with the first, as far as
 * the difference exceeds chance.
 */
function trendOf(rests: readonly number[], scatter: number): Trend {
  const half = rests.length >> 1;
  if (half < TREND_DAYS_MIN) return { ahead: 0, doubt: 0 };
  const difference = mean(rests.slice(-half)) - mean(rests.slice(0, half));
  const chance = (2 * scatter) / half;
  const weight = difference ** 2 / (difference ** 2 + TREND_CHANCE * chance || 1);
  return { ahead: weight * difference, doubt: TREND_DOUBT * weight * Math.sqrt(chance) };
}

function rounded(days: number): number {
  return Math.round(days * DAY_DIGITS) / DAY_DIGITS;
}

/** When the supply will be empty; undefined while too little was used. */
export function forecastOf(history: Levels): Forecast | undefined {
  const levels = history.slice(-DAYS_USED);
  const [first, last] = [levels[0], levels.at(-1)];
  if (!first || !last || last[0] - first[0] + 1 < DAYS_MIN || first[1] - last[1] < USED_MIN) return undefined;
  const [today, left] = last;
  const uses = usesOf(levels);
  const factor = patternOf(uses);
  const average = mean(uses.map(({ used }) => used));
  const count = uses.length;
  const rests = uses.map(({ day, used }) => used - average * factor(day));
  const scatter = rests.reduce((sum, rest) => sum + rest ** 2, 0) / Math.max(1, count - 1);
  const trend = trendOf(rests, scatter);
  const slope = medianSlope(levels);
  // The median resists single unusual days; but large jobs that recur are use all the same.
  const usual = slope > 0 ? MEDIAN_WEIGHT * slope + (1 - MEDIAN_WEIGHT) * average : average;
  const rate = Math.max(usual + trend.ahead, average / RATE_FALL_MAX);
  const widened = Z * (1 + WIDENED_DAYS / count);
  let [days, low, high]: (number | undefined)[] = [undefined, undefined, undefined];
  let expected = 0;
  let [slowBefore, meanBefore, fastBefore] = [0, 0, 0];
  for (let ahead = 1; ahead <= HORIZON_DAYS_MAX && high === undefined; ahead += 1) {
    expected += rate * factor(today + ahead);
    const spread = widened * Math.sqrt(ahead * scatter * (1 + ahead / count) + (ahead * trend.doubt) ** 2);
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
