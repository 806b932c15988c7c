/**
 * Tests each sentence of the catalog's page about faulty catalogs. A case is a sentence, the smallest catalog and
 * printer that it applies to, and the outcome.
 */
import type { Catalog } from '../schemas/types.ts';
import { checkSchema } from '../schemas/validate.ts';
import { releases, ruled } from '../tests/harness/small-catalogs.ts';
import { compileCatalog } from './index.ts';

test.each<[string, Partial<Catalog>, path: string, message: string]>([
  [
    'a software id that nothing has',
    ruled('requires', { software: 'absent' }),
    '$.apparatus[0].requires[0].software',
    'warning: there is no software absent in the catalog',
  ],
  [
    'a software id that is mistyped',
    {
      software: [{ id: 'acme.engine', releases: releases('1.0.0') }],
      units: [{ model: 'H1', requires: [{ software: 'acme.engin' }] }],
    },
    '$.units[0].requires[0].software',
    'error: there is no software acme.engin in the catalog; did you mean "acme.engine"?',
  ],
  [
    'a software id of the same series',
    {
      software: [{ id: 'acme.tray-1', releases: releases('1.0.0') }],
      units: [{ model: 'H1', requires: [{ software: 'acme.tray-2' }] }],
    },
    '$.units[0].requires[0].software',
    'warning: there is no software acme.tray-2 in the catalog; did you mean "acme.tray-1"?',
  ],
  [
    'a list whose order the scheme turns round',
    {
      software: [
        {
          id: 'acme.engine',
          scheme: 'text',
          releases: [
            { version: 'R8 spring' },
            { version: 'R9 spring' },
            { version: 'R9 summer' },
            { version: 'R9 winter' },
            { version: 'R9 final', fixes: ['jam'] },
          ],
        },
      ],
    },
    '$.software[0].releases[4].version',
    'warning: by its place in the list R9 final is newer than R9 winter, but the text order has it older, so that a step to it is a downgrade: if the list is right, use "scheme": "listed"',
  ],
  [
    'a kind that is mistyped',
    {
      apparatus: [{ model: 'A', slots: [{ kind: 'engine', models: ['EN-36'] }] }],
      software: [{ id: 'acme.engine', on: { kind: 'engin' }, releases: releases('1.0.0') }],
    },
    '$.software[0].on.kind',
    'error: there is no unit of kind engin in the catalog; did you mean "engine"?',
  ],
  [
    'a kind that is mistyped in one of several slots',
    {
      apparatus: [
        { model: 'A', slots: [{ kind: 'engine', models: ['EN-36'] }] },
        { model: 'B', slots: [{ kind: 'engin', models: ['EN-40'] }] },
        { model: 'C', slots: [{ kind: 'engine', models: ['EN-36'] }] },
      ],
    },
    '$.apparatus[1].slots[0].kind',
    'error: only this slot names a kind engin; did you mean "engine"?',
  ],
  [
    'a slot that accepts a unit of another kind',
    {
      apparatus: [
        {
          model: 'A',
          slots: [
            { kind: 'engine', models: ['EN-36'] },
            { kind: 'finisher', models: ['EN-36'] },
          ],
        },
      ],
      units: [{ model: 'EN-36', kind: 'engine' }],
    },
    '$.apparatus[0].slots[1].kind',
    'error: a slot of kind finisher accepts EN-36, which is a unit of kind engine',
  ],
  [
    'a kind of another unit than its slot has',
    {
      apparatus: [{ model: 'A', slots: [{ kind: 'engine', models: ['EN-36'] }] }],
      units: [{ model: 'EN-36', kind: 'engien' }],
    },
    '$.units[0].kind',
    'error: there is no unit of kind engien in the catalog; did you mean "engine"?',
  ],
  [
    'a kind that is like no other',
    {
      apparatus: [
        { model: 'A', slots: [{ kind: 'head', models: ['H1'] }], conflicts: [{ kind: 'stapler' }] },
      ],
    },
    '$.apparatus[0].conflicts[0].kind',
    'warning: there is no unit of kind stapler in the catalog',
  ],
  [
    'a model that is like another',
    {
      apparatus: [{ model: 'A', slots: [{ kind: 'engine', models: ['EN-36'] }] }],
      software: [{ id: 'acme.engine', on: { models: ['EN-63'] }, releases: releases('1.0.0') }],
    },
    '$.software[0].on.models[0]',
    'warning: acme.engine runs on EN-63, which is not in the catalog; did you mean "EN-36"?',
  ],
  [
    'a range that no release is in',
    ruled('requires', { software: 'head', range: '>=3 <2' }),
    '$.apparatus[0].requires[0].range',
    'warning: no release of head is in this range',
  ],
  [
    'a range that is none',
    ruled('conflicts', { software: 'head', range: '>=two' }),
    '$.apparatus[0].conflicts[0].range',
    'error: Invalid comparator: >=two',
  ],
  [
    'a version that is none',
    { software: [{ id: 'head', releases: releases('1.0') }] },
    '$.software[0].releases[0].version',
    'error: "1.0" is no semver version',
  ],
  [
    'a version twice',
    { software: [{ id: 'head', releases: releases('1.0.0', '1.0.0') }] },
    '$.software[0].releases[1].version',
    'error: head 1.0.0 stands here twice',
  ],
  [
    'versions that are equal in their order',
    { software: [{ id: 'head', scheme: 'dotted', releases: releases('1.9', '1.09') }] },
    '$.software[0].releases[0].version',
    'warning: 1.09 and 1.9 are equal in the dotted order',
  ],
  [
    'a slot that cannot be filled',
    { apparatus: [{ model: 'A', slots: [{ kind: 'head', models: ['H1'], min: 2, max: 1 }] }] },
    '$.apparatus[0].slots[0]',
    'error: min 2 is above max 1',
  ],
  [
    'a constraint of two kinds',
    ruled('requires', { software: 'head', kind: 'head' }),
    '$.apparatus[0].requires[0]',
    'error: a constraint names software ("software", "vendor", "range"), or units ("kind", "model", "hardware"), or "apparatus": exactly one of these',
  ],
  [
    'a release that no older one leads to',
    { software: [{ id: 'head', releases: [{ version: '1.0.0' }, { version: '2.0.0', from: '<1' }] }] },
    '$.software[0].releases[1].from',
    'warning: nobody can reach head 2.0.0: no older release is in this range',
  ],
])('the compiler tells %s', (_, parts, path, message) => {
  const { diagnostics } = compileCatalog(checkSchema('catalog', { catalog: 'wrong', ...parts }));
  expect(diagnostics.map(({ path: at, severity, message: said }) => [at, `${severity}: ${said}`])).toEqual([
    [path, message],
  ]);
});
