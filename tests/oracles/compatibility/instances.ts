/**
 * Small random catalogs, structures and options: every feature of the catalog occurs, and sizes stay small enough for
 * exhaustive search.
 */
import fc from 'fast-check';
import type { ChooseOptions, PrinterStructureLike, UnitLike } from '../../../compatibility/types.ts';
import type { Catalog, Constraint, InstalledSoftware } from '../../../schemas/types.ts';

export interface Case {
  catalog: Catalog;
  structure: PrinterStructureLike;
  options: ChooseOptions;
}

const SOFTWARE = ['main', 'head', 'tray'] as const;
const VERSIONS = ['1.0.0', '1.1.0', '2.0.0-rc.1', '2.0.0'] as const;
const KINDS = ['x', 'y'] as const;
const MODELS = ['X1', 'X2', 'Y1'] as const;
const RANGES = [
  '>=1.1.0',
  '<2',
  '^1.0.0',
  '*',
  '2.0.0-rc.1',
  '>=2.0.0-rc.1',
  '1.0.0 || 2.0.0',
  '>1.0.0',
] as const;
const HARDWARE = ['>=2', '<2', '1'] as const;

/** Present `weight` times as often as absent. */
const maybe = <T>(arbitrary: fc.Arbitrary<T>, weight = 1): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 1, arbitrary: fc.constant(undefined) }, { weight, arbitrary });

/** Mostly undefined. */
const seldom = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });

function clean<T extends object>(value: T): T {
  for (const key of Object.keys(value) as (keyof T)[]) if (value[key] === undefined) delete value[key];
  return value;
}

const manner = {
  of: maybe(fc.constantFrom('every' as const, 'some' as const), 1),
  optional: maybe(fc.boolean(), 1),
  severity: maybe(fc.constantFrom('boot' as const, 'function' as const), 2),
};

const constraint: fc.Arbitrary<Constraint> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .record({
        software: fc.constantFrom(...SOFTWARE),
        vendor: seldom(fc.constantFrom('acme', 'other')),
        range: maybe(fc.constantFrom(...RANGES), 5),
        ...manner,
      })
      .map(clean),
  },
  {
    weight: 2,
    arbitrary: fc
      .record({
        kind: maybe(fc.constantFrom(...KINDS)),
        model: fc.constantFrom(...MODELS),
        hardware: maybe(fc.constantFrom(...HARDWARE), 1),
        ...manner,
      })
      .map(clean),
  },
  {
    weight: 1,
    arbitrary: fc.record({ apparatus: fc.constantFrom<string[]>(['A'], ['A', 'B'], ['B']) }),
  },
);

const rules = {
  requires: maybe(fc.array(constraint, { maxLength: 2 }), 1),
  conflicts: maybe(fc.array(constraint, { maxLength: 1 }), 1),
};

const product = (id: string) =>
  fc
    .record({
      id: fc.constant(id),
      vendor: maybe(fc.constantFrom('acme', 'other'), 1),
      on: seldom(
        fc
          .record({
            kind: maybe(fc.constantFrom(...KINDS, 'apparatus'), 1),
            models: maybe(fc.subarray([...MODELS]), 1),
          })
          .map(clean),
      ),
      releases: fc.subarray([...VERSIONS], { minLength: 3 }).chain((versions) =>
        fc.tuple(
          ...versions.map((version) =>
            fc
              .record({
                version: fc.constant(version),
                status: maybe(
                  fc.oneof(
                    { weight: 6, arbitrary: fc.constant('released' as const) },
                    { weight: 1, arbitrary: fc.constantFrom('staged' as const, 'withdrawn' as const) },
                  ),
                ),
                downgradeFrom: maybe(fc.constantFrom('*', '2.x'), 1),
                from: maybe(fc.constantFrom('>=1.1.0', '1.0.0', '*'), 1),
                ...rules,
              })
              .map(clean),
          ),
        ),
      ),
    })
    .map(clean);

const slot = fc
  .record({
    kind: fc.constantFrom(...KINDS),
    models: fc.subarray([...MODELS], { minLength: 1 }),
    min: maybe(fc.constantFrom(0, 1), 1),
    max: maybe(fc.constantFrom(1, 2), 3),
  })
  .map(clean);

export const catalogs: fc.Arbitrary<Catalog> = fc
  .record({
    catalog: fc.constant('random'),
    apparatus: fc.tuple(
      fc
        .record({
          model: fc.constant('A'),
          transactional: maybe(fc.boolean()),
          slots: maybe(fc.array(slot, { minLength: 1, maxLength: 3 }), 3),
          ...rules,
        })
        .map(clean),
    ),
    units: fc
      .tuple(...MODELS.map((model) => fc.record({ model: fc.constant(model), ...rules }).map(clean)))
      .chain((units) => fc.subarray(units)),
    software: fc.tuple(...SOFTWARE.map(product)),
  })
  .map(({ software, ...rest }) => ({ ...rest, software: [...software] }));

const installed: fc.Arbitrary<InstalledSoftware> = fc
  .record({
    id: fc.oneof(
      { weight: 40, arbitrary: fc.constantFrom(...SOFTWARE) },
      { weight: 1, arbitrary: fc.constant('unlisted') },
    ),
    vendor: seldom(fc.constantFrom('acme', 'other')),
    version: maybe(fc.constantFrom(...VERSIONS, ...VERSIONS, ...VERSIONS, '1.5.0'), 40),
  })
  .map(clean);

const software = (maxLength: number) =>
  fc.uniqueArray(installed, { selector: ({ id }) => id, minLength: 1, maxLength });

export const structures: fc.Arbitrary<PrinterStructureLike> = fc
  .record({
    apparatus: fc.record({
      model: fc.oneof(
        { weight: 12, arbitrary: fc.constant('A') },
        { weight: 1, arbitrary: fc.constant('B') },
      ),
      software: software(3),
    }),
    units: fc.array(
      fc
        .record({
          kind: fc.constantFrom(...KINDS),
          model: fc.constantFrom(...MODELS),
          hardware: maybe(fc.constantFrom('1', '2.0'), 8),
          state: maybe(fc.constantFrom('active' as const, 'spare' as const), 1),
          software: software(1),
        })
        .map(clean),
      { minLength: 1, maxLength: 3 },
    ),
  })
  .map(({ apparatus, units }) => ({
    apparatus,
    units: units.map((unit, i): UnitLike => ({ symbol: `u${i}`, ...unit })),
  }));

const wishes = fc
  .oneof(
    {
      weight: 4,
      arbitrary: fc.tuple(
        fc.constantFrom('apparatus:main', 'u0:head', 'main', 'u1:tray'),
        fc.constantFrom('>=1.1.0', '<2', '*'),
      ),
    },
    {
      weight: 1,
      arbitrary: fc.tuple(fc.constantFrom('u0', 'u1'), fc.constantFrom<string>(...MODELS, 'X1||X2')),
    },
  )
  .map(([subject, range]): Record<string, string> => ({ [subject]: range }));

export const optionSets: fc.Arbitrary<ChooseOptions> = fc
  .record({
    pins: maybe(wishes, 1),
    require: maybe(wishes, 1),
    allowUnitReplacement: maybe(fc.boolean(), 1),
    allowDowngrade: maybe(fc.boolean(), 1),
    objective: maybe(fc.constantFrom('upgrade' as const, 'fewest-changes' as const), 1),
    staged: maybe(fc.constantFrom<string[]>(['main'], ['head@1.1.0']), 1),
  })
  .map(clean);

export const cases: fc.Arbitrary<Case> = fc.record({
  catalog: catalogs,
  structure: structures,
  options: optionSets,
});
