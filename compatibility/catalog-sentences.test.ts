/**
 * Tests each sentence of the catalog's page about rules and hosts. A case is a sentence, the smallest catalog and
 * printer that it applies to, and the outcome.
 */
import type { Catalog } from '../schemas/types.ts';
import {
  byUnit,
  compile,
  HEAD,
  heads,
  printer,
  releases,
  ruled,
  slotted,
  unit,
} from '../tests/harness/small-catalogs.ts';
import { judge, type PrinterStructureLike } from './index.ts';

test.each<[string, Partial<Catalog>, PrinterStructureLike, 'compatible' | 'incompatible' | 'unknown']>([
  [
    'every is the default',
    ruled('requires', { software: 'head', range: '2' }),
    heads('2.0.0', '1.0.0'),
    'incompatible',
  ],
  [
    'some needs one',
    ruled('requires', { software: 'head', range: '2', of: 'some' }),
    heads('2.0.0', '1.0.0'),
    'compatible',
  ],
  [
    'some, none of them',
    ruled('requires', { software: 'head', range: '2', of: 'some' }),
    heads('1.0.0', '1.0.0'),
    'incompatible',
  ],
  [
    'some in doubt',
    ruled('requires', { software: 'head', range: '2', of: 'some' }),
    heads('1.0.0', undefined),
    'unknown',
  ],
  [
    'every broken beats unknown',
    ruled('requires', { software: 'head', range: '2' }),
    heads('1.0.0', undefined),
    'incompatible',
  ],
  [
    'every in doubt',
    ruled('requires', { software: 'head', range: '2' }),
    heads('2.0.0', undefined),
    'unknown',
  ],
  ['every of none', ruled('requires', { software: 'head', range: '2' }), heads(), 'incompatible'],
  ['some of none', ruled('requires', { software: 'head', range: '2', of: 'some' }), heads(), 'incompatible'],
  [
    'optional every of none',
    ruled('requires', { software: 'head', range: '2', optional: true }),
    heads(),
    'compatible',
  ],
  [
    'optional some of none',
    ruled('requires', { software: 'head', range: '2', optional: true, of: 'some' }),
    heads(),
    'compatible',
  ],
  [
    'optional, but there',
    ruled('requires', { software: 'head', range: '2', optional: true }),
    heads('1.0.0'),
    'incompatible',
  ],
  [
    'requires of a model that is not there',
    ruled('requires', { kind: 'head', model: 'H2' }),
    heads('1.0.0'),
    'incompatible',
  ],
  [
    'requires of a model that is there',
    ruled('requires', { kind: 'head', model: 'H1' }),
    heads('1.0.0'),
    'compatible',
  ],
  [
    'conflicts with one of two',
    ruled('conflicts', { software: 'head', range: '1' }),
    heads('2.0.0', '1.0.0'),
    'incompatible',
  ],
  [
    'conflicts with none',
    ruled('conflicts', { software: 'head', range: '1' }),
    heads('2.0.0', '2.0.0'),
    'compatible',
  ],
  ['conflicts with nobody there', ruled('conflicts', { software: 'head' }), heads(), 'compatible'],
  [
    'conflicts in doubt',
    ruled('conflicts', { software: 'head', range: '1' }),
    heads('2.0.0', undefined),
    'unknown',
  ],
  [
    'conflicts broken beats unknown',
    ruled('conflicts', { software: 'head', range: '1' }),
    heads('1.0.0', undefined),
    'incompatible',
  ],
  ['conflicts without a range', ruled('conflicts', { software: 'head' }), heads('2.0.0'), 'incompatible'],
  ['requires of the apparatus', ruled('requires', { apparatus: ['A', 'B'] }), heads('1.0.0'), 'compatible'],
  ['requires of another apparatus', ruled('requires', { apparatus: ['B'] }), heads('1.0.0'), 'incompatible'],
  ['conflicts with the apparatus', ruled('conflicts', { apparatus: ['A'] }), heads('1.0.0'), 'incompatible'],
])('a rule: %s', (_, parts, structure, status) => {
  expect(judge(compile(parts), structure).status).toBe(status);
});

test('some held beats unknown: only the missing version itself is in doubt', () => {
  const some = ruled('requires', { software: 'head', range: '2', of: 'some' });
  const { unknown } = judge(compile(some), heads('2.0.0', undefined));
  expect(unknown.map(({ rule }) => rule)).toEqual(['head has a known version']);
});
test.each<[string, Partial<Catalog>, PrinterStructureLike, 'compatible' | 'incompatible' | 'unknown']>([
  [
    'hardware that is missing',
    ruled('requires', { kind: 'head', hardware: '>=2' }),
    heads('1.0.0'),
    'unknown',
  ],
  [
    'hardware in range',
    ruled('requires', { kind: 'head', hardware: '>=2' }),
    printer({}, [unit('h', { hardware: '2.0' })]),
    'compatible',
  ],
  [
    'hardware out of range',
    ruled('requires', { kind: 'head', hardware: '>=2' }),
    printer({}, [unit('h', { hardware: '1.9' })]),
    'incompatible',
  ],
  [
    'hardware that is no version',
    ruled('requires', { kind: 'head', hardware: '>=2' }),
    printer({}, [unit('h', { hardware: '--' })]),
    'unknown',
  ],
  ['software that the catalog does not list', {}, printer({ strange: '1.0.0' }), 'unknown'],
  [
    'a rule about software that the catalog does not list',
    ruled('requires', { software: 'strange', range: '*' }),
    printer({ strange: '1.0.0' }),
    'unknown',
  ],
  ['a version without a release', { software: [HEAD] }, printer({ head: '1.5.0' }), 'unknown'],
  ['a version that is none', { software: [HEAD] }, printer({ head: 'latest' }), 'unknown'],
  ['a version that is missing', { software: [HEAD] }, printer({ head: undefined }), 'unknown'],
  [
    'broken and unknown is broken',
    byUnit({ software: 'main', range: '2' }),
    printer({ main: '1.0.0', head: undefined }, [unit('h')]),
    'incompatible',
  ],
  [
    'a unit model binds the rest',
    byUnit({ software: 'main', range: '2' }),
    printer({ main: '1.0.0' }, [unit('h')]),
    'incompatible',
  ],
  [
    'and only where it stands',
    byUnit({ software: 'main', range: '2' }),
    printer({ main: '1.0.0' }, [unit('h', { model: 'H2' })]),
    'compatible',
  ],
  [
    'a spare binds nobody',
    byUnit({ software: 'main', range: '2' }),
    printer({ main: '1.0.0' }, [unit('h', { state: 'spare' })]),
    'compatible',
  ],
  [
    'withdrawn, installed',
    { software: [{ id: 'head', releases: [{ version: '1.0.0', status: 'withdrawn' }] }] },
    printer({ head: '1.0.0' }),
    'incompatible',
  ],
  [
    'staged, installed',
    { software: [{ id: 'head', releases: [{ version: '1.0.0', status: 'staged' }] }] },
    printer({ head: '1.0.0' }),
    'compatible',
  ],
  [
    'equal in the order, spelt otherwise',
    { software: [{ id: 'head', scheme: 'dotted', releases: releases('1.09') }] },
    printer({ head: '01.9.0' }),
    'compatible',
  ],
  ['build metadata does not count', { software: [HEAD] }, printer({ head: '1.0.0+b7' }), 'compatible'],
])('three-valued: %s', (_, parts, structure, status) => {
  expect(judge(compile(parts), structure).status).toBe(status);
});

test.each<[string, PrinterStructureLike, [rule: string, severity: string][]]>([
  ['a slot under its minimum', printer(), [['A needs at least 1 in its head slot (H1 or H2)', 'boot']]],
  [
    'a slot over its maximum',
    printer({}, [unit('a'), unit('b')]),
    [['A takes at most 1 in its head slot (H1 or H2)', 'boot']],
  ],
  [
    'a model that no slot accepts',
    printer({}, [unit('a'), unit('b', { model: 'H9' })]),
    [['A has a slot for head H9', 'boot']],
  ],
  [
    'software on a model that its `on` does not name',
    printer({}, [unit('a', { model: 'H2', hardware: '2' }, { head: '1.0.0' })]),
    [['head runs on head H1 hardware >=2', 'boot']],
  ],
  [
    'software on hardware that its `on` does not name',
    printer({}, [unit('a', { hardware: '1' }, { head: '1.0.0' })]),
    [['head runs on head H1 hardware >=2', 'boot']],
  ],
  [
    'software of a unit on the apparatus',
    printer({ head: '1.0.0' }, [unit('a')]),
    [['head runs on head H1 hardware >=2', 'boot']],
  ],
  ['all in its place', printer({}, [unit('a', { hardware: '2' }, { head: '1.0.0' })]), []],
])('a place: %s', (_, structure, expected) => {
  const { findings } = judge(compile(slotted(1, 1)), structure);
  expect(findings.map(({ rule, severity }) => [rule, severity])).toEqual(expected);
});

test('a vendor in a rule is the one that the structure states, else the catalog', () => {
  const parts: Partial<Catalog> = {
    apparatus: [{ model: 'A', requires: [{ software: 'head', vendor: 'acme', range: '2' }] }],
    software: [
      { ...HEAD, vendor: 'acme' },
      { id: 'head', vendor: 'other', releases: releases('1.0.0') },
    ],
  };
  const by = (vendor: string | undefined, version: string): PrinterStructureLike => ({
    apparatus: { model: 'A', software: [{ id: 'head', vendor, version }] },
  });
  expect(judge(compile(parts), by('acme', '2.0.0')).status).toBe('compatible');
  expect(judge(compile(parts), by('acme', '1.0.0')).status).toBe('incompatible');
  expect(judge(compile(parts), by('other', '1.0.0')).findings[0]?.message).toContain('but there is none');
  // Two vendors make it, so the product is ambiguous.
  expect(judge(compile(parts), by(undefined, '2.0.0')).status).toBe('unknown');
});
