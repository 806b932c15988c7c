/**
 * The sentences of the catalog's page, one by one: each row is a sentence, the least catalog and printer that it speaks
 * of, and what it says of them.
 */
import type { Catalog, Constraint } from '../schemas/types.ts';
import { checkSchema } from '../schemas/validate.ts';
import {
  type ChooseOptions,
  choose,
  compileCatalog,
  judge,
  type PrinterStructureLike,
  type UnitLike,
} from './index.ts';

function compile(parts: Partial<Catalog>) {
  const { catalog, diagnostics } = compileCatalog(checkSchema('catalog', { catalog: 'sentences', ...parts }));
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  return catalog;
}

type Software = Record<string, string | undefined>;
const listed = (software: Software) => Object.entries(software).map(([id, version]) => ({ id, version }));

function printer(software: Software = {}, units: UnitLike[] = []): PrinterStructureLike {
  return { apparatus: { model: 'A', software: listed(software) }, units };
}

const unit = (symbol: string, more: Partial<UnitLike> = {}, software: Software = {}): UnitLike => ({
  symbol,
  kind: 'head',
  model: 'H1',
  ...more,
  software: listed(software),
});

const releases = (...versions: string[]) => versions.map((version) => ({ version }));
const HEAD = { id: 'head', releases: releases('1.0.0', '2.0.0') };

/** A catalog in which the apparatus declares one rule. */
const ruled = (kind: 'requires' | 'conflicts', constraint: Constraint): Partial<Catalog> => ({
  apparatus: [{ model: 'A', [kind]: [constraint] }],
  software: [HEAD],
});
const heads = (...versions: (string | undefined)[]) =>
  printer(
    {},
    versions.map((version, i) => unit(`h${i}`, {}, { head: version })),
  );

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

const byUnit = (constraint: Constraint): Partial<Catalog> => ({
  units: [{ model: 'H1', requires: [constraint] }],
  software: [{ id: 'main', releases: releases('1.0.0', '2.0.0') }, HEAD],
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

const slotted = (min: number, max: number): Partial<Catalog> => ({
  apparatus: [{ model: 'A', slots: [{ kind: 'head', models: ['H1', 'H2'], min, max }] }],
  software: [{ ...HEAD, on: { kind: 'head', models: ['H1'], hardware: '>=2' } }],
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

const chosen = (parts: Partial<Catalog>, structure: PrinterStructureLike, options?: ChooseOptions) => {
  const { outcome, cost, remedy } = choose(compile(parts), structure, options);
  return {
    outcome,
    cost,
    to: remedy && Object.fromEntries(remedy.software.map(({ subject, to }) => [subject, to])),
    structure: remedy?.structure,
    steps: remedy?.steps,
  };
};

const main = (status: 'released' | 'staged' | 'withdrawn', more: object = {}): Partial<Catalog> => ({
  apparatus: [{ model: 'A', requires: [{ software: 'main', range: '>=2' }] }],
  software: [
    {
      id: 'main',
      releases: [{ version: '1.0.0', ...more }, { version: '2.0.0', status }, { version: '3.0.0' }],
    },
  ],
});

test('the newest of equal cost is chosen, and never a staged one unless a campaign names it', () => {
  expect(chosen(main('released'), printer({ main: '1.0.0' })).to).toEqual({ 'apparatus:main': '3.0.0' });
  const wish: ChooseOptions = { require: { main: '2.x' } };
  expect(chosen(main('staged'), printer({ main: '1.0.0' }), wish).outcome).toBe('impossible');
  for (const staged of [['main'], ['main@2.0.0']]) {
    const found = chosen(main('staged'), printer({ main: '1.0.0' }), { ...wish, staged });
    expect(found.to).toEqual({ 'apparatus:main': '2.0.0' });
  }
  expect(chosen(main('withdrawn'), printer({ main: '1.0.0' }), { ...wish, staged: ['main'] }).outcome).toBe(
    'impossible',
  );
});

test('a staged release that is installed may stay, a withdrawn one must go', () => {
  expect(chosen(main('staged'), printer({ main: '2.0.0' })).to).toEqual({});
  expect(chosen(main('withdrawn'), printer({ main: '2.0.0' })).to).toEqual({ 'apparatus:main': '3.0.0' });
});

test('fewest replaced, then fewest downgrades, then fewest changes, then newest', () => {
  // Either the head goes down or main and panel go up: two changes are better than one downgrade.
  const parts: Partial<Catalog> = {
    software: [
      {
        id: 'head',
        releases: [
          { version: '1.0.0', downgradeFrom: '*' },
          {
            version: '2.0.0',
            requires: [
              { software: 'main', range: '2' },
              { software: 'panel', range: '2' },
            ],
          },
        ],
      },
      { id: 'main', releases: releases('1.0.0', '2.0.0') },
      { id: 'panel', releases: releases('1.0.0', '2.0.0') },
    ],
  };
  const structure = printer({ head: '2.0.0', main: '1.0.0', panel: '1.0.0' });
  expect(chosen(parts, structure)).toMatchObject({
    cost: [0, 0, 2],
    to: { 'apparatus:main': '2.0.0', 'apparatus:panel': '2.0.0' },
  });
  // Where they may not move, the downgrade is what is left; and where that is forbidden, nothing is.
  const pins = { panel: '1.0.0' };
  expect(chosen(parts, structure, { pins })).toMatchObject({
    cost: [0, 1, 1],
    to: { 'apparatus:head': '1.0.0' },
  });
  expect(chosen(parts, structure, { pins, allowDowngrade: false }).outcome).toBe('impossible');
});

test('"objective": "upgrade" puts newest before fewest changes, never before downgrades', () => {
  const parts: Partial<Catalog> = {
    software: [{ id: 'main', releases: releases('1.0.0', '2.0.0', '3.0.0') }],
  };
  expect(chosen(parts, printer({ main: '1.0.0' })).to).toEqual({});
  expect(chosen(parts, printer({ main: '1.0.0' }), { objective: 'upgrade' }).to).toEqual({
    'apparatus:main': '3.0.0',
  });
});

const exchangeable: Partial<Catalog> = {
  apparatus: [{ model: 'A', slots: [{ kind: 'head', models: ['H1', 'H2'], max: 1 }] }],
  units: [{ model: 'H1', requires: [{ software: 'main', range: '>=2' }] }],
  software: [{ id: 'main', releases: releases('1.0.0') }],
};

test('a unit is replaced where nothing else helps, and not where that is not allowed', () => {
  expect(chosen(exchangeable, printer({ main: '1.0.0' }, [unit('h')]))).toMatchObject({
    cost: [1, 0, 0],
    structure: [{ symbol: 'h', replace: 'H1', with: 'H2' }],
  });
  const held = chosen(exchangeable, printer({ main: '1.0.0' }, [unit('h')]), { allowUnitReplacement: false });
  expect(held.outcome).toBe('impossible');
});

test('a spare of the kind is switched to before a unit is replaced, and before software is changed', () => {
  const spare = unit('h2', { model: 'H2', state: 'spare' });
  expect(chosen(exchangeable, printer({ main: '1.0.0' }, [unit('h'), spare]))).toMatchObject({
    cost: [0, 0, 0],
    structure: [{ symbol: 'h', switchTo: 'h2' }],
  });
  const newer: Partial<Catalog> = {
    ...exchangeable,
    software: [{ id: 'main', releases: releases('1.0.0', '2.0.0') }],
  };
  // Where software alone does it, no hand is needed.
  expect(chosen(newer, printer({ main: '1.0.0' }, [unit('h'), spare]))).toMatchObject({
    cost: [0, 0, 1],
    structure: [],
  });
  const other = unit('t', { kind: 'tray', model: 'H2', state: 'spare' });
  expect(chosen(exchangeable, printer({ main: '1.0.0' }, [unit('h'), other])).cost).toEqual([1, 0, 0]);
});

test('nothing that was known is left unknown: a release whose rule cannot be judged is not chosen', () => {
  const parts: Partial<Catalog> = {
    apparatus: [{ model: 'A', requires: [{ software: 'main', range: '>=2' }] }],
    software: [
      {
        id: 'main',
        releases: [
          { version: '1.0.0' },
          { version: '2.0.0' },
          { version: '3.0.0', requires: [{ kind: 'head', hardware: '>=2' }] },
        ],
      },
    ],
  };
  const without = printer({ main: '1.0.0' }, [unit('h')]);
  expect(chosen(parts, without).to).toEqual({ 'apparatus:main': '2.0.0' });
  const known = printer({ main: '1.0.0' }, [unit('h', { hardware: '2' })]);
  expect(chosen(parts, known).to).toEqual({ 'apparatus:main': '3.0.0' });
});

const stepped = (requires: Constraint[], transactional: boolean): Partial<Catalog> => ({
  apparatus: [{ model: 'A', transactional, requires: [{ software: 'main', range: '2' }] }],
  software: [
    {
      id: 'main',
      releases: [
        { version: '1.0.0', requires: [{ software: 'head', range: '1' }] },
        { version: '2.0.0', requires },
      ],
    },
    { id: 'head', releases: releases('1.0.0', '2.0.0') },
  ],
});

test('steps that only hold together become one where the apparatus can, and are named where it cannot', () => {
  const structure = printer({ main: '1.0.0', head: '1.0.0' });
  const both = [{ software: 'head', range: '2' }];
  expect(chosen(stepped(both, true), structure).steps).toEqual([
    ['apparatus:main', '2.0.0', 'apparatus:head', '2.0.0'],
  ]);
  const blocked = choose(compile(stepped(both, false)), structure);
  expect(blocked.outcome).toBe('blocked');
  expect(blocked.remedy?.steps).toEqual([]);
  expect(blocked.explanation).toBe(
    'There is no order of single steps for apparatus:main 1.0.0 → 2.0.0 and apparatus:head 1.0.0 → 2.0.0, and A does not install several at once. apparatus:main 1.0.0 → 2.0.0 alone would break "main@2.0.0 requires head 2". apparatus:head 1.0.0 → 2.0.0 alone would break "main@1.0.0 requires head 1".',
  );
});

test('bridge versions are visited, by the fewest steps', () => {
  const parts = (from: string): Partial<Catalog> => ({
    apparatus: [{ model: 'A', requires: [{ software: 'main', range: '4' }] }],
    software: [
      {
        id: 'main',
        releases: [
          { version: '1.0.0' },
          { version: '2.0.0', from: '1.x' },
          { version: '3.0.0', from: '2.x' },
          { version: '4.0.0', from },
        ],
      },
    ],
  });
  const steps = (from: string) => chosen(parts(from), printer({ main: '1.0.0' })).steps;
  expect(steps('3.x')).toEqual([
    ['apparatus:main', '2.0.0'],
    ['apparatus:main', '3.0.0'],
    ['apparatus:main', '4.0.0'],
  ]);
  expect(steps('2.x || 3.x')).toEqual([
    ['apparatus:main', '2.0.0'],
    ['apparatus:main', '4.0.0'],
  ]);
  expect(steps('<0')).toEqual([]);
});

test('down goes only where `downgradeFrom` lets it, which is nowhere by default', () => {
  const parts = (more: object): Partial<Catalog> => ({
    apparatus: [{ model: 'A', requires: [{ software: 'main', range: '1' }] }],
    software: [{ id: 'main', releases: [{ version: '1.0.0', ...more }, { version: '2.0.0' }] }],
  });
  const structure = printer({ main: '2.0.0' });
  expect(chosen(parts({}), structure)).toMatchObject({ outcome: 'blocked', cost: [0, 1, 1], steps: [] });
  expect(chosen(parts({ downgradeFrom: '2.x' }), structure).steps).toEqual([['apparatus:main', '1.0.0']]);
  expect(chosen(parts({ downgradeFrom: '3.x' }), structure).outcome).toBe('blocked');
});

test('between two steps a function rule may stay broken that was, and no other', () => {
  // Both orders end well; only one keeps the rule of panel on the way.
  const parts: Partial<Catalog> = {
    apparatus: [
      {
        model: 'A',
        requires: [
          { software: 'main', range: '2' },
          { software: 'head', range: '2' },
        ],
      },
    ],
    software: [
      { id: 'main', releases: releases('1.0.0', '2.0.0') },
      { id: 'head', releases: releases('1.0.0', '2.0.0') },
      {
        id: 'panel',
        releases: [
          { version: '1.0.0', conflicts: [{ software: 'main', range: '2' }] },
          { version: '2.0.0', requires: [{ software: 'head', range: '2' }] },
        ],
      },
    ],
  };
  const { steps } = chosen(parts, printer({ main: '1.0.0', head: '1.0.0', panel: '1.0.0' }));
  expect(steps).toEqual([
    ['apparatus:head', '2.0.0'],
    ['apparatus:panel', '2.0.0'],
    ['apparatus:main', '2.0.0'],
  ]);
});

test('a pin of something that is not there says nothing, a wish for it cannot be met', () => {
  const structure = printer({ main: '3.0.0' });
  expect(chosen(main('released'), structure, { pins: { absent: '1.x' } }).outcome).toBe('compatible');
  expect(chosen(main('released'), structure, { require: { absent: '1.x' } }).outcome).toBe('impossible');
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
  // Two vendors make it: which one it is nobody knows.
  expect(judge(compile(parts), by(undefined, '2.0.0')).status).toBe('unknown');
});

test('why nothing fits is told with who stands where, and what would help was tried', () => {
  const told = (parts: Partial<Catalog>, structure: PrinterStructureLike, options?: ChooseOptions) => {
    const { outcome, explanation, suggestions } = choose(compile(parts), structure, options);
    expect(outcome).toBe('impossible');
    return [explanation, ...suggestions!.map(({ text }) => text)];
  };
  const one = slotted(1, 1);
  expect(told(one, printer({}, [unit('a'), unit('b', { model: 'H2' })]))).toEqual([
    'The apparatus takes at most 1 in its head slot (H1 or H2), and there are a (H1) and b (H2).',
    'It would be possible without a (H1).',
    'It would be possible without b (H2).',
  ]);
  expect(told(one, printer())).toEqual([
    'The apparatus needs at least 1 in its head slot (H1 or H2), and there is none.',
  ]);
  expect(
    told(exchangeable, printer({ main: '1.0.0' }, [unit('h')]), { allowUnitReplacement: false }),
  ).toEqual([
    'h (H1) requires main >=2, but apparatus:main (now 1.0.0) has no release that satisfies this and may be chosen.',
    'It would be possible without h (H1).',
    'It would be possible if units may be replaced.',
  ]);
  expect(told(main('staged'), printer({ main: '1.0.0' }), { require: { main: '2.x' } })).toEqual([
    '2.x is wanted of main, but apparatus:main (now 1.0.0) has no release that satisfies this and may be chosen.',
    'It would be possible without the wish for main 2.x.',
    'It would be possible with the staged release main 2.0.0.',
  ]);
  const hard = ruled('requires', { kind: 'head', hardware: '>=2', because: 'older heads overheat' });
  expect(told(hard, printer({}, [unit('h', { hardware: '1' })]))).toEqual([
    'A requires head hardware >=2 (older heads overheat), but h is H1 of hardware 1.',
    'It would be possible with H1 of hardware >=2 as h.',
  ]);
});

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
    'a kind that is mistyped',
    {
      apparatus: [{ model: 'A', slots: [{ kind: 'engine', models: ['EN-36'] }] }],
      software: [{ id: 'acme.engine', on: { kind: 'engin' }, releases: releases('1.0.0') }],
    },
    '$.software[0].on.kind',
    'error: there is no unit of kind engin in the catalog; did you mean "engine"?',
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
