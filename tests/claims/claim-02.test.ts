import type { FleetEvent, Trouble } from '../../schemas/types.ts';
import { eventually } from '../harness/ear.ts';
import { apparatusOf, type Fleet, fleetOf } from '../harness/fleet.ts';
import { sample } from '../harness/samples.ts';
import { keepsFailing, useProduct } from '../harness/setting.ts';

// Claim 2: faults of each unit are detected from the operating data that the printer accumulated, and the remedy goes
// to all printers for which it is appropriate, including the one that showed the fault.
const RULES = {
  rules: 'claim-2',
  list: [
    {
      id: 'entrance-jam',
      title: 'Finisher entrance jams too often',
      scope: { models: ['C3*'], kind: 'finisher', software: { id: 'acme.engine', range: '<2.5.0' } },
      where: {
        all: [
          ['code', 'prefix', 'J-72'],
          ['severity', '>=', 'error'],
        ],
      },
      by: ['printer', 'unit'],
      when: { count: { ge: 3, over: 'PT72H' } },
      late: 'PT0S',
      clear: { quiet: 'PT5S' },
      remedy: { software: 'fixes' },
      fleet: true,
      auto: true,
    },
  ],
};
const setting = useProduct({ catalog: sample('story-catalog.json'), rules: RULES, releases: true });
const EVENTS = 'platen/v1/fleet/events/order';
let fleet: Fleet;
let failing: { stop(): void } | undefined;

afterAll(() => failing?.stop());

beforeAll(async () => {
  fleet = await fleetOf(setting, {
    jamming: apparatusOf('C360', '3.0.0', 'EN-36', '2.4.0'),
    // The same engine software, but no jam yet.
    sister: apparatusOf('C360', '3.0.0', 'EN-36', '2.3.0'),
    // One that already runs the fix; another model, which the rule does not cover; another make.
    cured: apparatusOf('C360', '3.1.0', 'EN-36', '2.5.0'),
    large: apparatusOf('C650', '3.0.0', 'EN-65', '2.4.0'),
    mono: apparatusOf('M210', '01.09.00.01', 'ZM-21', undefined),
  });
});

test('the trouble is judged from the accumulated log; its cure goes to all whom it suits, and to no other', async () => {
  const events = await setting.listen(EVENTS);
  const jam = { code: 'J-7201', severity: 'error', unit: 'finisher.1' } as const;
  fleet.machine('jamming').driver.emit(jam);
  fleet.machine('jamming').driver.emit(jam);
  // Jams of a printer that the rule does not cover, and other codes, open no trouble.
  for (let turn = 0; turn < 3; turn++) {
    fleet.machine('large').driver.emit(jam);
    fleet.machine('sister').driver.emit({ code: 'W-1', severity: 'error', unit: 'finisher.1' });
  }
  await eventually(async () => {
    const { items } = await setting.operator.call('printers.errors', { printer: 'jamming' });
    return (items as unknown[]).length === 2;
  }, 'two jams are known');
  expect((await setting.operator.call('troubles.list'))['items']).toEqual([]);

  // It keeps jamming until its software changes.
  failing = keepsFailing(fleet.machine('jamming'), 'engine:acme.engine', jam);
  const proven = new Set<string>();
  while (proven.size < 2) {
    const { printer = '' } = await events.hear<FleetEvent>(EVENTS, ({ what }) => what === 'proven');
    proven.add(printer);
  }
  expect([...proven].sort()).toEqual(['jamming', 'sister']);
  expect(fleet.version('jamming', 'engine:acme.engine')).toBe('2.5.0');
  expect(fleet.version('sister', 'engine:acme.engine')).toBe('2.5.0');
  expect(fleet.version('large', 'engine:acme.engine')).toBe('2.4.0');
  for (const printer of ['cured', 'large', 'mono']) expect(fleet.reports(printer)).toEqual([]);
});

test('the trouble says what became of it, and is cured by what is proven', async () => {
  const trouble = await eventually(async () => {
    const { items } = (await setting.operator.call('troubles.list')) as { items: Trouble[] };
    expect(items).toHaveLength(1);
    return items[0]?.state === 'cured' && items[0];
  }, 'the trouble is cured');
  expect(trouble).toMatchObject({
    rule: 'entrance-jam',
    printer: 'jamming',
    unit: 'finisher.1',
    proposal: { software: { id: 'acme.engine' }, targets: 2, approval: 'auto' },
  });
  expect(trouble.evidence.slice(0, 3).map(({ seq }) => seq)).toEqual([1, 2, 3]);
});
