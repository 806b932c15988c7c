/**
 * Simulates the cohort test with the code that runs in the center: how often it accuses an innocent release, how often
 * and how soon it finds a guilty one, and that its guarantee needs a random draw.
 *
 * A fleet of 400 printers: 10 % get the release at t = 1, 40 % more at t = 2, 30 % more at t = 4, the rest never; t
 * ends at 6. Each printer has its own rate of the code: equal for all, or very unequal (log-normal, σ = 2: the busiest
 * printers log a hundred times as often as the median one). With 20 codes at once, every code is watched by the same
 * rule and α covers all of them together.
 */
import { seededRandom } from '../base/random.ts';
import { CohortWatch } from '../center/trouble/engine/cohort.ts';
import { semverInRange } from '../center/trouble/engine/context.ts';
import type { BenchResult } from './result.ts';

const PRINTERS = 400;
const RINGS: [share: number, at: number][] = [
  [0.1, 1],
  [0.5, 2],
  [0.8, 4],
];
const END = 6;
const ALPHA = 0.01;
/** Mean events per printer and unit of time. */
const RATE = 0.15;
const NULL_FLEETS = 10_000;
const NULL_FLEETS_MANY_CODES = 2_000;
const POWER_FLEETS = 500;
const CODES_MANY = 20;

interface Case {
  seed: number;
  unequal: boolean;
  /** Factor by which the release raises the rate of the code. */
  theta: number;
  codes: number;
  /** Busiest printers first instead of a random draw. */
  busiestFirst: boolean;
}

/** Time of the first event of a printer with rate λ before `from` and θλ after it; Infinity when there is none. */
function firstEvent(rate: number, theta: number, from: number, chance: () => number): number {
  const hazard = -Math.log(1 - chance());
  const at = hazard <= rate * from ? hazard / rate : from + (hazard - rate * from) / (rate * theta);
  return at <= END ? at : Number.POSITIVE_INFINITY;
}

/** Simulates one fleet. @returns how many printers had the release when it was accused; undefined when it was not */
function fleet({ seed, unequal, theta, codes, busiestFirst }: Case): number | undefined {
  const chance = seededRandom(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - chance())) * Math.cos(2 * Math.PI * chance());
  const sigma = unequal ? 2 : 0;
  const printers = Array.from({ length: PRINTERS }, () => ({
    rate: RATE * Math.exp(sigma * normal() - (sigma * sigma) / 2),
    draw: chance(),
  }));
  printers.sort((a, b) => (busiestFirst ? b.rate - a.rate : a.draw - b.draw));
  const watch = new CohortWatch(
    { software: 'acme.engine', range: '2.0.0', against: undefined, ratio: 1, alpha: ALPHA },
    semverInRange,
  );
  const context = (version: string) => ({
    model: 'C360',
    units: {},
    software: [{ id: 'acme.engine', version, symbol: 'engine' }],
  });
  const MS = 1e6;
  const got: number[] = [];
  printers.forEach(({ rate }, index) => {
    const ring = RINGS.find(([share]) => index < share * PRINTERS);
    const from = ring?.[1] ?? Number.POSITIVE_INFINITY;
    watch.member(`p${index}`, context('1.0.0'), 0);
    if (ring) {
      watch.member(`p${index}`, context('2.0.0'), from * MS);
      got.push(from * MS);
    }
    for (let code = 0; code < codes; code += 1) {
      const at = firstEvent(rate, theta, Math.min(from, END), chance);
      if (Number.isFinite(at)) watch.sight(`p${index}`, 'l', code + 1, `code-${code}`, Math.round(at * MS));
    }
  });
  const [alarm] = watch.advance(Number.POSITIVE_INFINITY);
  return alarm && got.filter((at) => at <= alarm.at).length;
}

/** Exact upper bound (Clopper–Pearson, 97.5 %) of a probability observed `hits` times in `tries`. */
function upperBound(hits: number, tries: number): number {
  if (hits >= tries) return 1;
  const atMost = (p: number): number => {
    let log = tries * Math.log1p(-p);
    let sum = Math.exp(log);
    for (let k = 1; k <= hits; k += 1) {
      log += Math.log((tries - k + 1) / k) + Math.log(p) - Math.log1p(-p);
      sum += Math.exp(log);
    }
    return sum;
  };
  let [low, high] = [hits / tries, 1];
  for (let step = 0; step < 60; step += 1) {
    const middle = (low + high) / 2;
    if (atMost(middle) > 0.025) low = middle;
    else high = middle;
  }
  return high;
}

function accused(
  count: number,
  one: Omit<Case, 'seed'>,
): { rate: number; bound: number; median: number | string } {
  const found: number[] = [];
  for (let seed = 1; seed <= count; seed += 1) {
    const exposed = fleet({ ...one, seed: seed * 7919 });
    if (exposed !== undefined) found.push(exposed);
  }
  found.sort((a, b) => a - b);
  return {
    rate: found.length / count,
    bound: Number(upperBound(found.length, count).toFixed(5)),
    median: found[found.length >> 1] ?? 'none',
  };
}

export function run(): Promise<BenchResult> {
  const figures: BenchResult['figures'] = { printers: PRINTERS, alpha: ALPHA, null_fleets: NULL_FLEETS };
  const bars: BenchResult['bars'] = [];
  const innocent = { theta: 1, codes: 1, busiestFirst: false };
  for (const unequal of [false, true]) {
    const name = unequal ? 'unequal' : 'equal';
    const one = accused(NULL_FLEETS, { ...innocent, unequal });
    figures[`false_alarms_${name}_share`] = one.rate;
    figures[`false_alarms_${name}_upper_bound`] = one.bound;
    bars.push({
      name: `false alarms, ${name} printers, exact upper bound`,
      value: one.bound,
      bar: `<= ${ALPHA}`,
      met: one.bound <= ALPHA,
    });
    const many = accused(NULL_FLEETS_MANY_CODES, { ...innocent, unequal, codes: CODES_MANY });
    figures[`false_alarms_${name}_${CODES_MANY}_codes_share`] = many.rate;
    figures[`false_alarms_${name}_${CODES_MANY}_codes_upper_bound`] = many.bound;
    bars.push({
      name: `false alarms over ${CODES_MANY} codes, ${name} printers`,
      value: many.rate,
      bar: `<= ${ALPHA}`,
      met: many.rate <= ALPHA,
    });
    for (const theta of [1.5, 2, 5]) {
      const guilty = accused(POWER_FLEETS, { theta, codes: 1, busiestFirst: false, unequal });
      figures[`found_${name}_x${theta}_share`] = guilty.rate;
      figures[`found_${name}_x${theta}_median_exposed_printers`] = guilty.median;
    }
  }
  const drawn = accused(POWER_FLEETS, { ...innocent, unequal: true, busiestFirst: true });
  figures['false_alarms_busiest_first_share'] = drawn.rate;
  return Promise.resolve({ figures, ratios: {}, bars });
}
