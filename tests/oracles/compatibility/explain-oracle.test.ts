import fc from 'fast-check';
import { findCore } from '../../../compatibility/explain/core.ts';
import { deriveContradiction } from '../../../compatibility/explain/derivation.ts';
import { choose, compileCatalog, judge } from '../../../compatibility/index.ts';
import { buildInstance } from '../../../compatibility/instance.ts';
import { Encoding } from '../../../compatibility/solver/encoding.ts';
import { resolveWorld } from '../../../compatibility/world.ts';
import { type Case, cases } from './instances.ts';

// test:long tries many more cases.
const RUNS = process.env['PLATEN_TEST_LONG'] ? 5_000 : 150;
const SEED = 20261122;
const never = (): boolean => false;

test('an explanation is a set that cannot hold together, and no member of it can be spared', () => {
  let told = 0;
  let all = 0;
  fc.assert(
    fc.property(cases, ({ catalog: document, structure, options }: Case) => {
      const { catalog } = compileCatalog(document);
      const instance = buildInstance(catalog, resolveWorld(catalog, structure), options);
      const core = findCore(instance, never);
      const choice = choose(catalog, structure, options);
      expect(core !== undefined).toBe(choice.outcome === 'impossible');
      if (!core) return;
      expect(core.minimal).toBe(true);
      const { solver, selectors } = new Encoding(instance, { exhausted: never, explained: true });
      const members = [...selectors].filter(([, origin]) =>
        core.origins.some((each) => JSON.stringify(outlineOf(each)) === JSON.stringify(outlineOf(origin))),
      );
      const literals = members.map(([literal]) => literal);
      expect(solver.solve(literals)).toBe('unsat');
      if (literals.length === core.origins.length) {
        for (const literal of literals) {
          expect(solver.solve(literals.filter((each) => each !== literal))).toBe('sat');
        }
      }
      all++;
      const derivation = deriveContradiction(instance, core.origins);
      if (derivation.end || derivation.cases) told++;
      expect(choice.explanation).not.toBe('');
    }),
    { numRuns: RUNS, seed: SEED },
  );
  // Counting over slots with a choice of units is the only argument that is listed instead of explained.
  expect(told / all).toBeGreaterThan(0.9);
});

/** Enough of an origin to recognize it in another encoding. */
function outlineOf(origin: object): unknown {
  return JSON.parse(
    JSON.stringify(origin, (key, value: unknown) => {
      if (key === 'part' || key === 'variable' || key === 'given')
        return (value as { index?: number })?.index;
      if (key === 'product' || key === 'catalog' || key === 'places') return undefined;
      return value;
    }),
  );
}

test('no conflict is smaller than the one that is called the smallest', () => {
  let compared = 0;
  fc.assert(
    fc.property(cases, ({ catalog: document, structure, options }: Case) => {
      const { catalog } = compileCatalog(document);
      const instance = buildInstance(catalog, resolveWorld(catalog, structure), options);
      const core = findCore(instance, never);
      if (!core) return;
      expect(core.smallest).toBe(true);
      const { solver, selectors } = new Encoding(instance, { exhausted: never, explained: true });
      const all = [...selectors.keys()];
      // Tries every smaller set, where there are few enough.
      const size = core.origins.length - 1;
      if (size > 3 || all.length ** size > 20_000) return;
      for (const set of combinations(all, size)) expect(solver.solve(set)).toBe('sat');
      if (size > 0) compared++;
    }),
    { numRuns: RUNS * 2, seed: SEED },
  );
  expect(compared).toBeGreaterThan(5);
});

/** All combinations of `size` items. */
function* combinations<T>(items: readonly T[], size: number, from = 0): Generator<T[]> {
  if (size === 0) {
    yield [];
    return;
  }
  for (let i = from; i <= items.length - size; i++) {
    for (const rest of combinations(items, size - 1, i + 1)) yield [items[i]!, ...rest];
  }
}

test('adding a rule never repairs', () => {
  fc.assert(
    fc.property(cases, fc.nat(), ({ catalog: document, structure, options }: Case, pick) => {
      const plain = compileCatalog(document).catalog;
      const harder = structuredClone(document);
      const product = harder.software![pick % harder.software!.length]!;
      const release = product.releases[pick % product.releases.length]!;
      release.conflicts = [...(release.conflicts ?? []), { software: 'main', range: '>=1.1.0' }];
      const broken = judge(plain, structure).findings.map(({ rule }) => rule);
      const after = judge(compileCatalog(harder).catalog, structure).findings.map(({ rule }) => rule);
      expect(after).toEqual(expect.arrayContaining(broken));
      if (choose(plain, structure, options).outcome === 'impossible') {
        expect(choose(compileCatalog(harder).catalog, structure, options).outcome).toBe('impossible');
      }
    }),
    { numRuns: RUNS, seed: SEED },
  );
});

test('renaming and reordering the catalog change nothing, and what ran before changes nothing', () => {
  fc.assert(
    fc.property(cases, ({ catalog: document, structure, options }: Case) => {
      const first = JSON.stringify(choose(compileCatalog(document).catalog, structure, options));
      expect(JSON.stringify(choose(compileCatalog(document).catalog, structure, options))).toBe(first);
      const turned = structuredClone(document);
      turned.software!.reverse();
      for (const { releases } of turned.software!) releases.reverse();
      const { cost, outcome } = choose(compileCatalog(turned).catalog, structure, options);
      expect({ cost, outcome }).toEqual({ cost: JSON.parse(first).cost, outcome: JSON.parse(first).outcome });
      const renamed = JSON.parse(JSON.stringify({ document, structure, options }).replaceAll('tray', 'zzz'));
      const other = choose(compileCatalog(renamed.document).catalog, renamed.structure, renamed.options);
      expect(JSON.stringify(other).replaceAll('zzz', 'tray')).toBe(first);
    }),
    { numRuns: RUNS, seed: SEED },
  );
});
