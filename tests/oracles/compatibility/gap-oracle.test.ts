/**
 * Answers without proof against the optimum: whenever time runs out, the answer fits and its stated gap is true. Time
 * is counted in looks at the clock, so that every run stops at the same place.
 */
import { seededRandom } from '../../../base/random.ts';
import {
  type Budget,
  type ChooseOptions,
  choose,
  compileCatalog,
  judge,
} from '../../../compatibility/index.ts';
import { buildInstance } from '../../../compatibility/instance.ts';
import { findOptimum } from '../../../compatibility/solver/optimum.ts';
import { resolveWorld } from '../../../compatibility/world.ts';
import type { Catalog } from '../../../schemas/types.ts';
import { cured } from './cured.ts';

/** Software with random conflicts, at random versions. */
function tangle(seed: number, pieces: number, versions: number, share: number) {
  const random = seededRandom(seed);
  const catalog: Catalog = {
    catalog: 'tangle',
    software: Array.from({ length: pieces }, (_, i) => ({
      id: `p${i}`,
      scheme: 'dotted' as const,
      releases: Array.from({ length: versions }, (_, k) => ({
        version: `${k + 1}`,
        downgradeFrom: '*',
        conflicts: Array.from({ length: pieces }, (_, j) => j)
          .filter((j) => j > i)
          .flatMap((j) =>
            Array.from({ length: versions }, (_, l) => ({ software: `p${j}`, range: `=${l + 1}` })).filter(
              () => random() < share,
            ),
          ),
      })),
    })),
  };
  const software = Array.from({ length: pieces }, (_, i) => ({
    id: `p${i}`,
    version: `${1 + Math.floor(random() * versions)}`,
  }));
  return { catalog: compileCatalog(catalog).catalog, structure: { apparatus: { model: 'M', software } } };
}

/** A budget of this many looks at the clock. */
function looks(max: number): Budget {
  let taken = 0;
  const spent = (): number => ++taken / max;
  return { spent, exhausted: () => spent() > 1 };
}

test.each<ChooseOptions>([{}, { objective: 'upgrade' }])('a gap that is told is true: %j', (options) => {
  const seen = { gaps: 0, proven: 0, none: 0 };
  for (let seed = 1; seed <= 12; seed++) {
    const { catalog, structure } = tangle(seed, 14, 8, 0.12);
    const instance = buildInstance(catalog, resolveWorld(catalog, structure), options);
    const best = findOptimum(instance, options.objective ?? 'fewest-changes', () => false);
    if (typeof best === 'string') throw new Error(`seed ${seed} has no optimum`);
    for (const max of [3, 10, 30, 60, 100, 200, 400, 1_000]) {
      const choice = choose(catalog, structure, options, looks(max));
      if (!choice.cost) {
        expect(choice.outcome).toBe('gave-up');
        seen.none++;
        continue;
      }
      expect(judge(catalog, cured(structure, choice)).findings).toEqual([]);
      if (!choice.gap) {
        expect([seed, max, choice.cost]).toEqual([seed, max, best.cost]);
        seen.proven++;
        continue;
      }
      seen.gaps++;
      expect(choice).toMatchObject({ outcome: 'gave-up', optimal: false });
      const { criterion, atMost } = choice.gap;
      if (criterion === 'newest') {
        expect(choice.cost.slice(0, 2)).toEqual(best.cost.slice(0, 2));
        continue;
      }
      const index = { replaced: 0, switched: 0, downgrades: 1, changes: 2 }[criterion];
      expect(choice.cost.slice(0, index)).toEqual(best.cost.slice(0, index));
      expect(choice.cost[index]! - best.cost[index]!).toBeLessThanOrEqual(atMost!);
      expect(choice.cost[index]!).toBeGreaterThanOrEqual(best.cost[index]!);
    }
  }
  expect(seen.gaps).toBeGreaterThan(5);
  expect(seen.proven).toBeGreaterThan(5);
});
