/** Larger instances against an independent SAT solver: same feasibility, same optimum vector, same set. */
import fc from 'fast-check';
import { compileCatalog } from '../../../compatibility/index.ts';
import { buildInstance, versionAt } from '../../../compatibility/instance.ts';
import { findOptimum } from '../../../compatibility/solver/optimum.ts';
import { resolveWorld } from '../../../compatibility/world.ts';
import type { Case } from './instances.ts';
import { largeCase } from './large-instances.ts';
import { type SatOptimum, SatOracle } from './sat-oracle.ts';

// test:long tries many more cases.
const RUNS = process.env['PLATEN_TEST_LONG'] ? 3_000 : 60;

/** The units and software in use in the best set. The steps to it are tested elsewhere. */
function endOf({ catalog: document, structure, options }: Case): SatOptimum | undefined {
  const { catalog, diagnostics } = compileCatalog(document);
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  const instance = buildInstance(catalog, resolveWorld(catalog, structure), options);
  const optimum = findOptimum(instance, options.objective ?? 'fewest-changes', () => false);
  if (typeof optimum === 'string') {
    expect(optimum).toBe('unsat');
    return undefined;
  }
  const versions: Record<string, string> = {};
  const models: Record<string, string> = {};
  for (const { index, host } of instance.parts) if (optimum.present[index]) models[host.symbol] = host.model;
  for (const variable of instance.variables) {
    const value = optimum.values[variable.index]!;
    if (value >= 0) versions[variable.name] = versionAt(variable, value);
  }
  return { cost: optimum.cost, versions, models };
}

test('a SAT solver finds the same optimum, or also that there is none', () => {
  let impossible = 0;
  let exchanged = 0;
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 31 - 1 }), (seed) => {
      const large = largeCase(seed);
      const expected = new SatOracle(large.catalog, large.structure, large.options).best();
      expect(endOf(large)).toEqual(expected);
      if (!expected) impossible++;
      else if (expected.cost[0] > 0) exchanged++;
    }),
    { numRuns: RUNS, seed: 20261125 },
  );
  // Both possible and impossible instances must occur.
  expect(impossible / RUNS).toBeGreaterThan(0.1);
  expect(impossible / RUNS).toBeLessThan(0.7);
  expect(exchanged).toBeGreaterThan(0);
});
