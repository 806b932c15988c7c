/**
 * Planning by layers against the search over states, which has its own oracle: where the search finds an order of
 * single steps, the layers must find a valid one too; where it proves that there is none, they must find none.
 */
import fc from 'fast-check';
import { compileCatalog } from '../../../compatibility/index.ts';
import { buildInstance } from '../../../compatibility/instance.ts';
import { layeredSteps } from '../../../compatibility/plan/layers.ts';
import { layTask } from '../../../compatibility/plan/plan.ts';
import { isFound, type Search, type Step, searchSteps } from '../../../compatibility/plan/search.ts';
import { findOptimum } from '../../../compatibility/solver/optimum.ts';
import { resolveWorld } from '../../../compatibility/world.ts';
import { type Case, cases } from './instances.ts';

const RUNS = process.env['PLATEN_TEST_LONG'] ? 20_000 : 1_000;
const SEED = 20261130;
const never = (): boolean => false;

/** The search for the way to the best set; undefined where there is none, or where layers do not apply. */
function searchOf({ catalog: document, structure, options }: Case): Search | undefined {
  const { catalog } = compileCatalog(document);
  const world = resolveWorld(catalog, structure);
  const instance = buildInstance(catalog, world, options);
  const optimum = findOptimum(instance, options.objective ?? 'fewest-changes', never);
  if (typeof optimum === 'string') return undefined;
  const { search, start } = layTask(catalog, world, options, instance, optimum, never);
  const reachable = [...search.edges].every(([index, edges]) => edges.isReachable(start[index]!));
  if (!reachable || search.exchanges || search.slotsBroken || search.invariant.hasBrokenBoot)
    return undefined;
  return search;
}

/** Follows the steps: each along an edge, every state between two steps allowed, and the last one as chosen. */
function expectOrder(search: Search, steps: readonly Step[]): void {
  const values = search.start.slice();
  for (const [i, step] of steps.entries()) {
    expect(step).toHaveLength(1);
    const { variable, from, to } = step[0]!;
    expect(values[variable.index]).toBe(from);
    expect(search.edges.get(variable.index)!.from(from)).toContain(to);
    values[variable.index] = to;
    if (i < steps.length - 1) {
      expect(search.invariant.brokenRequirement(values, search.presentBefore, 'all')).toBeUndefined();
    }
  }
  for (const [index, { target }] of search.edges) expect(values[index]).toBe(target);
}

const VERSIONS = ['1.0.0', '1.1.0', '2.0.0', '2.1.0'];
const RANGES = ['>=1.1.0', '<2.0.0', '>=2.0.0', '<=1.1.0', '>=1.1.0 <2.1.0', '1.0.0 || >=2.0.0'];
const IDS = ['a', 'b', 'c', 'd', 'e'];

/** Software at its oldest version, to be brought to its newest under rules that often allow only detours. */
const upgrades: fc.Arbitrary<Case> = fc
  .array(
    fc.record({
      from: fc.constantFrom(...IDS),
      version: fc.nat(3),
      to: fc.constantFrom(...IDS),
      range: fc.constantFrom(...RANGES),
      kind: fc.constantFrom('requires' as const, 'requires' as const, 'conflicts' as const),
    }),
    { minLength: 4, maxLength: 14 },
  )
  .chain((rules) => fc.array(fc.nat(3), { minLength: 20, maxLength: 20 }).map((edges) => ({ rules, edges })))
  .map(({ rules, edges }) => ({
    catalog: {
      catalog: 'upgrades',
      apparatus: [{ model: 'A', transactional: false }],
      software: IDS.map((id, i) => ({
        id,
        releases: VERSIONS.map((version, k) => {
          const own = rules.filter((rule) => rule.from === id && rule.version === k && rule.to !== id);
          const said = (kind: string) =>
            own.filter((rule) => rule.kind === kind).map(({ to, range }) => ({ software: to, range }));
          const edge = edges[4 * i + k]!;
          return {
            version,
            requires: said('requires'),
            conflicts: said('conflicts'),
            ...(edge === 0 && k > 0 ? { from: `>=${VERSIONS[k - 1]}` } : {}),
            ...(edge === 1 ? { downgradeFrom: '*' } : {}),
          };
        }),
      })),
    },
    structure: { apparatus: { model: 'A', software: IDS.map((id) => ({ id, version: '1.0.0' })) } },
    options: { objective: 'upgrade' as const },
  }));

test('layers find an order where there is one, and none where there is none', () => {
  const seen = { orders: 0, none: 0 };
  fc.assert(
    fc.property(fc.oneof(cases, upgrades), (each) => {
      const search = searchOf(each);
      if (!search) return;
      const single = searchSteps(search, 1, false);
      const steps = layeredSteps(search);
      if (isFound(single)) {
        expect(steps).toBeDefined();
        expectOrder(search, steps!);
        expect(steps!.length).toBeGreaterThanOrEqual(single.steps.length);
        if (single.steps.length > 1) seen.orders++;
      } else if (single === 'none') {
        expect(steps).toBeUndefined();
        seen.none++;
      }
    }),
    { numRuns: RUNS, seed: SEED },
  );
  expect(seen.orders).toBeGreaterThan(100);
  expect(seen.none).toBeGreaterThan(20);
});
