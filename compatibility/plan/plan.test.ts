/**
 * Regression tests: plans that were wrongly called blocked, and sets that really are blocked. Each was found with
 * external data.
 */
import type { Catalog } from '../../schemas/types.ts';
import { choose, compileCatalog } from '../index.ts';
import type { Choice, PrinterStructureLike } from '../types.ts';

type Product = NonNullable<Catalog['software']>[number];
type Requires = NonNullable<Product['releases'][number]['requires']>;

const needs = (software: string, range: string): Requires[number] => ({ software, range });

function product(id: string, releases: Record<string, Requires>): Product {
  return {
    id,
    scheme: 'semver',
    on: { kind: 'apparatus' },
    releases: Object.entries(releases).map(([version, requires]) => ({ version, requires })),
  };
}

/** An engine and a finisher that reach 2.0.0 only through finisher 1.5.0. */
const bridged = [
  product('controller', { '1.0.0': [], '2.0.0': [] }),
  product('engine', {
    '1.0.0': [needs('finisher', '<2.0.0'), needs('controller', '>=1.0.0')],
    '2.0.0': [needs('finisher', '>=1.5.0'), needs('controller', '>=1.0.0')],
  }),
  product('finisher', {
    '1.0.0': [needs('engine', '<2.0.0')],
    '1.5.0': [],
    '2.0.0': [needs('engine', '>=2.0.0')],
  }),
];

/** Software that depends only on the controller. */
const bystanders = (count: number): Product[] =>
  Array.from({ length: count }, (_, i) =>
    product(`m${i}`, {
      '1.0.0': [needs('controller', '>=1.0.0')],
      '2.0.0': [needs('controller', '>=1.0.0')],
    }),
  );

/** Two pieces that need each other's version, so they must be updated together. */
const locked = ['x', 'y'].map((id) => {
  const other = id === 'x' ? 'y' : 'x';
  return product(id, {
    '1.0.0': [needs(other, '<2.0.0'), needs('controller', '>=1.0.0')],
    '2.0.0': [needs(other, '>=2.0.0'), needs('controller', '>=1.0.0')],
  });
});

function upgrade(software: Product[], exhausted = () => false): Choice {
  const { catalog, diagnostics } = compileCatalog({
    catalog: 'orders',
    apparatus: [{ model: 'M', transactional: false }],
    software,
  });
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  const structure: PrinterStructureLike = {
    apparatus: { model: 'M', software: software.map(({ id }) => ({ id, version: '1.0.0' })) },
  };
  return choose(catalog, structure, { objective: 'upgrade' }, { exhausted });
}

test.each([11, 19, 43])('a bridge is found among %i pieces of software', (pieces) => {
  const software = [...bridged, ...bystanders(pieces - bridged.length)];
  const times = [0, 1, 2, 3, 4].map(() => {
    const started = process.cpuUsage();
    upgrade(software);
    return process.cpuUsage(started).user / 1_000;
  });
  const { outcome, remedy } = upgrade(software);
  expect(outcome).toBe('chosen');
  expect(remedy?.steps).toHaveLength(pieces + 1);
  const ofTheBridge = remedy?.steps.filter(([subject]) => /engine|finisher/.test(subject!));
  expect(ofTheBridge).toEqual([
    ['apparatus:finisher', '1.5.0'],
    ['apparatus:engine', '2.0.0'],
    ['apparatus:finisher', '2.0.0'],
  ]);
  // The fastest run, in processor time, so that other load is not measured.
  expect(Math.min(...times)).toBeLessThan(100);
});

test('what is blocked names the smallest set that has no order, and no other', () => {
  const { outcome, explanation, alternative } = upgrade([...bridged, ...bystanders(5), ...locked]);
  expect(outcome).toBe('blocked');
  expect(explanation).toBe(
    'There is no order of single steps for apparatus:x 1.0.0 → 2.0.0 and apparatus:y 1.0.0 → 2.0.0, and M does not install several at once. apparatus:x 1.0.0 → 2.0.0 alone would break "x@2.0.0 requires y >=2.0.0". apparatus:y 1.0.0 → 2.0.0 alone would break "x@1.0.0 requires y <2.0.0".',
  );
  // Everything but these two is reachable.
  expect(alternative?.cost).toEqual([0, 0, 8]);
  expect(alternative?.remedy.steps).toHaveLength(9);
});

test('of pieces that are tied together only those are named that cannot go', () => {
  // The guard ties the bridge to the locked pair, so that they are planned as one.
  const guard = product('guard', {
    '1.0.0': [needs('engine', '<2.0.0 || >=2.0.0'), needs('x', '<2.0.0')],
    '2.0.0': [needs('engine', '>=2.0.0')],
  });
  const { outcome, explanation } = upgrade([...bridged, guard, ...locked]);
  expect(outcome).toBe('blocked');
  expect(explanation).toMatch(
    /^There is no order of single steps for apparatus:x \S+ → \S+ and apparatus:y \S+ → \S+, /,
  );
});

test('a search that was cut short is given up: it is not proven that anything blocks', () => {
  const software = [...bridged, ...locked];
  let asked = 0;
  upgrade(software, () => asked++ < 0);
  const outcomes = new Set<string>();
  for (let budget = 0; budget < asked; budget++) {
    let left = budget;
    const { outcome, explanation, alternative } = upgrade(software, () => left-- <= 0);
    outcomes.add(outcome);
    if (outcome === 'gave-up') {
      expect(explanation).toMatch(/^Gave up: /);
      expect(alternative).toBeUndefined();
    } else {
      expect(outcome).toBe('blocked');
      expect(explanation).toMatch(/^There is no order of single steps for apparatus:x /);
    }
  }
  expect([...outcomes].sort()).toEqual(['blocked', 'gave-up']);
});
