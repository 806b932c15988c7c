import type { Campaign, FleetEvent } from '../../schemas/types.ts';
import { apparatusOf, type Fleet, fleetOf } from '../harness/fleet.ts';
import { sample } from '../harness/samples.ts';
import { useProduct } from '../harness/setting.ts';

// Claim 1: many printers are administered in one way; the center learns the state of their units from messages, and
// updates software on one printer and on every other printer that can run it under the right conditions.
const setting = useProduct({ catalog: sample('story-catalog.json'), releases: true });
const EVENTS = 'platen/v1/fleet/events/order';
let fleet: Fleet;

beforeAll(async () => {
  fleet = await fleetOf(setting, {
    // Two of different models that can run it; one that already runs it.
    old: apparatusOf('C360', '3.0.0', 'EN-36', '2.4.0'),
    large: apparatusOf('C650', '3.0.0', 'EN-65', '2.3.0'),
    new: apparatusOf('C360', '3.1.0', 'EN-36', '2.5.0'),
    // One whose engine hardware is too old for it; one of another make.
    worn: apparatusOf('C360', '3.0.0', 'EN-36', '2.4.0', { hardware: '0.9' }),
    mono: apparatusOf('M210', '01.09.00.01', 'ZM-21', undefined),
  });
});

test('the center knows the units of all of them, in one form', async () => {
  const { items } = (await setting.operator.call('printers.list')) as {
    items: { printer: string; model: string; verdict: string }[];
  };
  expect(items.map(({ printer, model, verdict }) => [printer, model, verdict])).toEqual([
    ['large', 'C650', 'compatible'],
    ['mono', 'M210', 'compatible'],
    ['new', 'C360', 'compatible'],
    ['old', 'C360', 'compatible'],
    ['worn', 'C360', 'incompatible'],
  ]);
});

const WANTED = { title: 'engine 2.5.0', software: { id: 'acme.engine', range: '>=2.5.0' }, fleet: true };

test('who takes part is drawn from the fleet, and told before anything is done', async () => {
  const preview = (await setting.operator.call('campaigns.preview', WANTED)) as {
    targets: number;
    fine: number;
    excluded: Record<string, number>;
    examples: { printer: string; why: string }[];
  };
  expect(preview).toMatchObject({ targets: 2 });
  // The preview gives the reason why the worn one is excluded.
  expect(preview.examples.find(({ printer }) => printer === 'worn')?.why).toMatch(/hardware|fit|EN-36/);
  expect(fleet.reports('old')).toEqual([]);
});

test('it is updated on every printer that can run it, and on no other', async () => {
  const events = await setting.listen(EVENTS);
  const { id } = (await setting.operator.call('campaigns.create', WANTED)) as { id: string };
  const proven = new Set<string>();
  while (proven.size < 2) {
    const { printer = '' } = await events.hear<FleetEvent>(EVENTS, ({ what }) => what === 'proven');
    proven.add(printer);
  }
  expect([...proven].sort()).toEqual(['large', 'old']);
  expect(fleet.version('old', 'engine:acme.engine')).toBe('2.5.0');
  expect(fleet.version('large', 'engine:acme.engine')).toBe('2.5.0');
  expect(fleet.version('worn', 'engine:acme.engine')).toBe('2.4.0');
  for (const printer of ['new', 'worn', 'mono']) expect(fleet.reports(printer)).toEqual([]);

  const topic = `platen/v1/fleet/campaigns/${id}`;
  const retained = await setting.listen(topic);
  const campaign = await retained.hear<Campaign>(topic, ({ counts }) => counts['proven'] === 2);
  expect(campaign).toMatchObject({ title: 'engine 2.5.0', targets: 2 });
});
