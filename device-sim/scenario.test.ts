import { readdirSync, readFileSync } from 'node:fs';
import { seededRandom } from '../base/random.ts';
import { compileCatalog, judge } from '../compatibility/index.ts';
import { checkSchema } from '../schemas/validate.ts';
import { checkScenario, planFleet, readScenario, scaledCounts } from './scenario.ts';
import { storyPlan } from './story.ts';
import { targetsOf } from './timeline.ts';

const FOLDER = new URL('./scenarios/', import.meta.url);

const MINIMAL = {
  scenario: 'x',
  populations: [{ name: 'a', count: 3, apparatus: { model: 'C360', software: [{ id: 's', version: '1' }] } }],
};

function population(change: object) {
  return { ...MINIMAL, populations: [{ ...MINIMAL.populations[0], ...change }] };
}

test.each(readdirSync(FOLDER))(
  'the built-in scenario %s is valid, and plans the same fleet twice',
  (name) => {
    const scenario = readScenario(new URL(name, FOLDER));
    expect(planFleet(scenario)).toEqual(planFleet(scenario));
    expect(planFleet(scenario, 500).printers).toHaveLength(500);
  },
);

test('another seed gives other printers, a larger fleet keeps the serials of the smaller one', () => {
  const one = planFleet(checkScenario(population({ pages: 1_000 })), undefined, 1);
  const two = planFleet(checkScenario(population({ pages: 1_000 })), undefined, 2);
  expect(one.printers.map(({ spec }) => spec.pages)).not.toEqual(two.printers.map(({ spec }) => spec.pages));
  expect(one.printers.map(({ spec }) => spec.structure.apparatus.serial)).toEqual(
    two.printers.map(({ spec }) => spec.structure.apparatus.serial),
  );
});

test.each([
  ['no populations', { scenario: 'x', populations: [] }, '/populations'],
  ['an unknown field', { ...MINIMAL, printer: 1 }, 'unknown member'],
  [
    'a symbol twice',
    population({ units: [1, 2].map(() => ({ symbol: 'e', kind: 'e', model: 'm' })) }),
    '"e" is used twice',
  ],
  ['a reserved symbol', population({ units: [{ symbol: 'apparatus', kind: 'e', model: 'm' }] }), 'reserved'],
  ['a wrong policy', population({ policy: { errors: { mode: 'never' } } }), '/populations/0/policy'],
  [
    'errors without pause',
    population({ errors: [{ code: 'A', severity: 'error', every: 'PT0S' }] }),
    'positive',
  ],
  [
    'an action without its field',
    { ...MINIMAL, timeline: [{ at: 'PT1S', do: 'remove-unit' }] },
    '"remove-unit" needs "symbol"',
  ],
  [
    'an unknown population',
    { ...MINIMAL, timeline: [{ at: 'PT1S', do: 'restart', printers: { population: 'b' } }] },
    'no population "b"',
  ],
  ['a wrong duration', { ...MINIMAL, timeline: [{ at: 'soon', do: 'restart' }] }, '/timeline/0/at'],
])('%s is refused with its path', (_name, scenario, reason) => {
  expect(() => checkScenario(scenario)).toThrow(
    expect.objectContaining({ code: 'scenario/invalid', message: expect.stringContaining(reason) }),
  );
});

test('two printers with the same id are refused', () => {
  const scenario = checkScenario({ ...MINIMAL, populations: [{ ...MINIMAL.populations[0], id: 'same' }] });
  expect(() => planFleet(scenario)).toThrow('"same" is used twice');
});

test('variants give versions by share', () => {
  const scenario = checkScenario(
    population({
      count: 1_000,
      variants: [
        { share: 3, versions: { 'apparatus:s': '2' } },
        { share: 1, versions: { 'apparatus:s': '3' } },
      ],
    }),
  );
  const versions = planFleet(scenario).printers.map(
    ({ spec }) => spec.structure.apparatus.software?.[0]?.version,
  );
  const threes = versions.filter((version) => version === '3').length;
  expect(versions.filter((version) => version === '2').length).toBe(1_000 - threes);
  expect(threes).toBeGreaterThan(200);
  expect(threes).toBeLessThan(300);
});

test('a scaled fleet keeps its shares, its size, and one of every kind', () => {
  expect(scaledCounts([9, 4, 1, 1, 5, 5], 25)).toEqual([9, 4, 1, 1, 5, 5]);
  expect(scaledCounts([9, 4, 1, 1, 5, 5], 10_000).reduce((a, b) => a + b)).toBe(10_000);
  expect(scaledCounts([900, 1, 1], 10)).toEqual([8, 1, 1]);
  expect(scaledCounts([900, 1, 1], 2)).toEqual([2, 0, 0]);
  expect(scaledCounts([0, 2], 4)).toEqual([0, 4]);
});

test('the timeline finds its printers by id, population, share and number', () => {
  const all = Array.from({ length: 100 }, (_, index) => ({
    printer: `p${index}`,
    population: index < 50 ? 'a' : 'b',
  }));
  const event = (printers: object) => ({ at: 'PT0S', do: 'restart' as const, printers });
  const names = (printers: object) =>
    targetsOf(event(printers), all, seededRandom(1)).map(({ printer }) => printer);
  expect(names({ ids: ['p3', 'p4'] })).toEqual(['p3', 'p4']);
  expect(names({ population: 'b' })).toHaveLength(50);
  expect(names({ population: 'b', count: 7 })).toHaveLength(7);
  expect(new Set(names({ count: 100 })).size).toBe(100);
  const share = names({ share: 0.2 }).length;
  expect(share).toBeGreaterThan(8);
  expect(share).toBeLessThan(35);
  expect(targetsOf({ at: 'PT0S', do: 'restart' }, all, seededRandom(1))).toHaveLength(100);
});

test('the story: 25 printers, of which the catalog finds just two that do not fit', () => {
  const file = new URL('../deploy/samples/story-catalog.json', import.meta.url);
  const { catalog, diagnostics } = compileCatalog(
    checkSchema('catalog', JSON.parse(readFileSync(file, 'utf8'))),
  );
  expect(diagnostics).toEqual([]);
  const plan = storyPlan();
  expect(plan.printers).toHaveLength(25);
  const verdicts = plan.printers.map(({ printer, spec }) => {
    return { printer, status: judge(catalog, spec.structure).status };
  });
  expect(verdicts.filter(({ status }) => status !== 'compatible')).toEqual([
    { printer: 'C360-301', status: 'incompatible' },
    { printer: 'C360-401', status: 'incompatible' },
  ]);
});
