/**
 * Tests each sentence of the catalog's page about choosing software. A case is a sentence, the smallest catalog and
 * printer that it applies to, and the outcome.
 */
import type { Catalog } from '../schemas/types.ts';
import {
  chosen,
  compile,
  exchangeable,
  main,
  printer,
  releases,
  ruled,
  slotted,
  stepped,
  unit,
} from '../tests/harness/small-catalogs.ts';
import { type ChooseOptions, choose, type PrinterStructureLike } from './index.ts';

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

test('a wish for one build is not satisfied by another build of the same version', () => {
  const catalog: Partial<Catalog> = {
    software: [{ id: 'main', releases: releases('1.0.0+b1', '1.0.0+b2') }],
  };
  const installed = printer({ main: '1.0.0+b1' });
  const wish = (range: string): ChooseOptions => ({ require: { main: range } });
  expect(chosen(catalog, installed, wish('1.0.0+b2')).to).toEqual({ 'apparatus:main': '1.0.0+b2' });
  expect(chosen(catalog, installed, wish('=1.0.0+b2')).to).toEqual({ 'apparatus:main': '1.0.0+b2' });
  expect(chosen(catalog, installed, wish('1.0.0')).to).toEqual({});
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
  // If they may not change, only the downgrade is left; if that is forbidden too, nothing is.
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
  // If software alone suffices, no unit is replaced.
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
  // Both sequences end well; only one keeps panel's rule between the steps.
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

test('where no single change is enough, two are named', () => {
  const catalog: Partial<Catalog> = {
    software: [
      {
        id: 'main',
        releases: [
          { version: '1.0.0' },
          {
            version: '2.0.0',
            requires: [
              { software: 'a', range: '2.x' },
              { software: 'b', range: '2.x' },
            ],
          },
        ],
      },
      { id: 'a', releases: releases('1.0.0', '2.0.0') },
      { id: 'b', releases: releases('1.0.0', '2.0.0') },
    ],
  };
  const options: ChooseOptions = { require: { main: '2.0.0' }, pins: { a: '1.0.0', b: '1.0.0' } };
  const alone = choose(compile(catalog), printer({ main: '1.0.0', a: '1.0.0', b: '1.0.0' }), options);
  expect(alone.suggestions?.map(({ text }) => text)).toEqual([
    'It would be possible without the wish for main 2.0.0.',
  ]);
  // A second wish that depends on the same two: now nothing satisfies both pins.
  const both: Partial<Catalog> = {
    software: [
      ...catalog.software!,
      {
        id: 'extra',
        releases: [{ version: '1.0.0' }, { version: '2.0.0', requires: [{ software: 'a', range: '2.x' }] }],
      },
    ],
  };
  const wishes: ChooseOptions = { ...options, require: { main: '2.0.0', extra: '2.0.0' } };
  const choice = choose(
    compile(both),
    printer({ main: '1.0.0', a: '1.0.0', b: '1.0.0', extra: '1.0.0' }),
    wishes,
  );
  expect(choice.outcome).toBe('impossible');
  expect(choice.suggestions).toEqual([
    {
      text: 'It would be possible without the wish for extra 2.0.0 and without the wish for main 2.0.0.',
      cost: [0, 0, 0],
    },
    {
      text: 'It would be possible without the pin of a 1.0.0 and without the wish for main 2.0.0.',
      cost: [0, 0, 2],
    },
    {
      text: 'It would be possible without the pin of a 1.0.0 and without the pin of b 1.0.0.',
      cost: [0, 0, 4],
    },
  ]);
});
