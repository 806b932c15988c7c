/**
 * Simulates the forecast of supplies with the code that runs in the center: 1,000 supplies with five usage patterns are
 * used up day by day, and the forecast is asked 3, 7 and 14 days before the true end. Does its interval contain the
 * truth in about four of five cases, and how does its error compare with "remaining / mean use"?
 */
import { type Random, randomFor } from '../base/random.ts';
import { forecastOf, type Levels } from '../center/readings/forecast.ts';
import type { BenchResult } from './result.ts';

const SUPPLIES_PER_KIND = 200;
const SEED = 20261201;
const HORIZONS_DAYS = [3, 7, 14];
const COVERAGE = { least: 0.75, most: 0.85 };
/** The 1,000 histories begin on different weekdays. */
const FIRST_DAY = 20_000;
const HISTORY_DAYS_MAX = 35;

function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Relative use on one day, by usage pattern. */
const KINDS: Record<string, (random: Random, day: number, age: number) => number> = {
  /** About the same every day. */
  steady: (random) => Math.max(0, 1 + 0.3 * normal(random)),
  /** Working days; hardly anything at the weekend. */
  office: (random, day) => {
    const weekday = (day + 4) % 7;
    return Math.max(0, (weekday === 0 || weekday === 6 ? 0.1 : 1.36) * (1 + 0.35 * normal(random)));
  },
  /** Little on most days, a large job now and then. */
  bursts: (random) => (random() < 0.2 ? 3 + 2 * random() : 0.25 * random()),
  /** One percent more each day. */
  growing: (random, _day, age) => Math.max(0, (0.7 + 0.01 * age) * (1 + 0.3 * normal(random))),
  /** Heavy days and idle days in equal number. */
  shared: (random) => (random() < 0.5 ? 2 * random() ** 0.5 * 1.5 : 0.1 * random()),
};

interface Life {
  levels: [day: number, left: number][];
  /** Day, with its fraction, on which the supply was empty. */
  end: number;
}

/** Simulates a supply from full to empty; printers report levels in whole percent. */
function lifeOf(kind: string, index: number): Life {
  const random = randomFor(SEED, `${kind}/${index}`);
  const first = FIRST_DAY + Math.floor(random() * 7);
  const usual = 1 / (25 + 65 * random());
  const levels: Life['levels'] = [[first, 1]];
  let left = 1;
  for (let day = first + 1; ; day += 1) {
    const used = usual * (KINDS[kind]?.(random, day, day - first) ?? 0);
    if (used >= left) return { levels, end: day - 1 + left / used };
    left -= used;
    levels.push([day, Math.ceil(left * 100) / 100]);
  }
}

/** "Remaining / mean use": the estimate one would make by hand. */
function naive(levels: Levels): number {
  const [first, last] = [levels[0], levels.at(-1)];
  if (!first || !last || first[1] <= last[1]) return Number.POSITIVE_INFINITY;
  return last[1] / ((first[1] - last[1]) / (last[0] - first[0]));
}

interface Tally {
  asked: number;
  answered: number;
  held: number;
  error: number;
  naiveError: number;
}

export async function run(): Promise<BenchResult> {
  const tallies = new Map<string, Tally>();
  for (const kind of Object.keys(KINDS)) {
    for (let index = 0; index < SUPPLIES_PER_KIND; index += 1) {
      const { levels, end } = lifeOf(kind, index);
      for (const horizon of HORIZONS_DAYS) {
        // The last evening with at least this many days to go.
        const known = levels.filter(([day]) => end - day >= horizon);
        const truth = end - (known.at(-1)?.[0] ?? end);
        for (const name of [`${horizon}`, `${horizon} ${kind}`]) {
          const tally = tallies.get(name) ?? { asked: 0, answered: 0, held: 0, error: 0, naiveError: 0 };
          tallies.set(name, tally);
          tally.asked += 1;
          const forecast = forecastOf(known.slice(-HISTORY_DAYS_MAX));
          if (!forecast) continue;
          tally.answered += 1;
          const { days, low, high = Number.POSITIVE_INFINITY } = forecast;
          if (low <= truth && truth <= high) tally.held += 1;
          tally.error += Math.abs(days - truth);
          tally.naiveError += Math.abs(naive(known) - truth);
        }
      }
    }
  }
  const figures: BenchResult['figures'] = { supplies: SUPPLIES_PER_KIND * Object.keys(KINDS).length };
  const ratios: BenchResult['ratios'] = {};
  const bars: BenchResult['bars'] = [];
  const rounded = (value: number) => Math.round(value * 1_000) / 1_000;
  for (const [name, { asked, answered, held, error, naiveError }] of tallies) {
    const [horizon = '', kind] = name.split(' ');
    const at = `${kind === undefined ? '' : `${kind}_`}${horizon}_days_before`;
    figures[`${at}_held_share`] = rounded(held / answered);
    figures[`${at}_error_days`] = rounded(error / answered);
    figures[`${at}_naive_error_days`] = rounded(naiveError / answered);
    if (kind !== undefined) continue;
    figures[`${at}_answered_share`] = rounded(answered / asked);
    ratios[`${at}_error_to_naive`] = rounded(error / naiveError);
    const value = rounded(held / answered);
    bars.push({
      name: `interval holds the truth ${horizon} days before the end`,
      value,
      bar: `${COVERAGE.least} to ${COVERAGE.most}`,
      met: value >= COVERAGE.least && value <= COVERAGE.most,
    });
  }
  return { figures, ratios, bars };
}
