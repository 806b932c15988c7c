/**
 * `npm run bench -- guards [CAMPAIGNS]`: how often innocent releases are halted, with exact binomial bounds, and how
 * often and how soon guilty ones are found. Runs whole campaigns with the center's own functions; see
 * guards/simulation.ts.
 */
import { clopperPearson } from './guards/binomial.ts';
import { GUILTY, INNOCENT } from './guards/rows.ts';
import { type Ended, simulate } from './guards/simulation.ts';
import type { BenchResult } from './result.ts';

const CAMPAIGNS = 2_000;
const GUILTY_CAMPAIGNS = 500;
const ALPHA = 0.01;
const FOUND_WITHIN_DAYS = 7;
const SEED = 20261130;

export function run(args: string[]): Promise<BenchResult> {
  const campaigns = Number(args[0] ?? CAMPAIGNS);
  const guilty = Math.min(campaigns, GUILTY_CAMPAIGNS);
  const figures: BenchResult['figures'] = { campaigns, guilty_campaigns: guilty, alpha: ALPHA, seed: SEED };
  const bars: BenchResult['bars'] = [];
  for (const { name, world } of INNOCENT) {
    const ended = Array.from({ length: campaigns }, (_, at) => simulate(world, SEED + at * 7919));
    const halted = ended.filter(({ state }) => state === 'halted').length;
    const [low, high] = clopperPearson(halted, campaigns);
    figures[`${name}: halted`] = `${halted} of ${campaigns} (95 %: ${percent(low)} to ${percent(high)})`;
    figures[`${name}: told`] = told(ended);
    bars.push({
      name: `${name}: halted`,
      value: halted / campaigns,
      bar: `<= ${ALPHA}`,
      met: halted / campaigns <= ALPHA,
    });
  }
  for (const { name, world } of GUILTY) {
    const ended = Array.from({ length: guilty }, (_, at) => simulate(world, SEED + at * 7919));
    const days = ended
      .map(({ found }) =>
        Math.min(
          found.get('worse') ?? Number.POSITIVE_INFINITY,
          found.get('since') ?? Number.POSITIVE_INFINITY,
        ),
      )
      .sort((a, b) => a - b);
    const found = days.filter((day) => day <= FOUND_WITHIN_DAYS).length;
    const [low, high] = clopperPearson(found, guilty);
    figures[`${name}: found within 7 days`] =
      `${found} of ${guilty} (95 %: ${percent(low)} to ${percent(high)})`;
    figures[`${name}: median days`] = Number((days[days.length >> 1] ?? Number.POSITIVE_INFINITY).toFixed(1));
    figures[`${name}: halted`] = ended.filter(({ state }) => state === 'halted').length;
    figures[`${name}: told`] = told(ended);
    if (world.theta === 5 && world.hours === 1) {
      bars.push({
        name: `${name}: found within 7 days`,
        value: found / guilty,
        bar: '>= 0.8',
        met: found / guilty >= 0.8,
      });
    }
  }
  return Promise.resolve({ figures, ratios: {}, bars });
}

/** Each kind of finding with the number of campaigns that had it. */
function told(ended: readonly Ended[]): string {
  const counts = new Map<string, number>();
  for (const { found } of ended)
    for (const kind of found.keys()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts.size === 0 ? 'nothing' : [...counts].map(([kind, n]) => `${kind} ${n}`).join(', ');
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)} %`;
}
