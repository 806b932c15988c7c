import type { Campaign, FleetEvent, Trouble } from '../../schemas/types.ts';
import { eventually } from '../harness/ear.ts';
import { keepsFailing, type Machine, sampleSpec, useProduct } from '../harness/setting.ts';

// Claim 18: the center changes, corrects or upgrades control software because of the log.
const rule = (id: string, code: string, more: object) => ({
  id,
  title: `${code} again and again`,
  where: { all: [['code', '=', code]] },
  by: ['printer'],
  when: { count: { ge: 2, over: 'PT1H' } },
  late: 'PT0S',
  clear: { quiet: 'PT5S' },
  ...more,
});
const RULES = {
  rules: 'claim-18',
  list: [
    // An upgrade to a release whose fixes list the code, after an operator's approval (the default).
    rule('jam', 'J-7201', { remedy: { software: 'fixes' } }),
    // A correction: back from a harmful release.
    rule('regression', 'E-27', {
      remedy: { software: { id: 'acme.engine', range: '>=2.6.0 <2.7.0' } },
      fleet: false,
      auto: true,
    }),
  ],
};
const setting = useProduct({ rules: RULES, releases: true });
const EVENTS = 'platen/v1/fleet/events/order';

const failing: { stop(): void }[] = [];

afterAll(() => {
  for (const each of failing) each.stop();
});

async function troubled(machine: Machine, code: string): Promise<Trouble> {
  failing.push(keepsFailing(machine, 'engine:acme.engine', { code, severity: 'error', unit: 'engine' }));
  return eventually(async () => {
    const { items } = (await setting.operator.call('troubles.list', { printer: machine.id })) as {
      items: Trouble[];
    };
    return items[0]?.proposal && items[0];
  }, 'a trouble with its remedy');
}

async function proven(machine: Machine, begin: () => Promise<unknown>): Promise<string | undefined> {
  const events = await setting.listen(EVENTS);
  await begin();
  await events.hear<FleetEvent>(EVENTS, ({ what, printer }) => what === 'proven' && printer === machine.id);
  return machine.driver.model.version('engine:acme.engine');
}

test('an upgrade is proposed, and begun when an operator approves', async () => {
  const machine = await setting.machine('claim-18', {
    spec: sampleSpec({ 'acme.controller': '3.0.0', 'acme.engine': '2.4.0' }),
  });
  await machine.hear('verdict');
  const trouble = await troubled(machine, 'J-7201');
  expect(trouble).toMatchObject({ rule: 'jam', state: 'open', proposal: { approval: 'needed', targets: 1 } });
  const { campaign } = trouble.proposal as { campaign: string };
  expect(await setting.operator.call('campaigns.get', { id: campaign })).toMatchObject({
    state: 'proposed',
    trouble: trouble.id,
  } satisfies Partial<Campaign>);
  expect(machine.heard('update')).toEqual([]);

  const version = await proven(machine, () => setting.operator.call('campaigns.resume', { id: campaign }));
  // 2.5.0 fixes it, and later releases include the fix.
  expect(['2.5.0', '2.6.1']).toContain(version);
  await eventually(async () => {
    const { items } = (await setting.operator.call('troubles.list', { printer: machine.id })) as {
      items: Trouble[];
    };
    return items[0]?.state === 'cured';
  }, 'the trouble is cured');
});

test('a correction goes back from a release that does harm, by itself where the rule says so', async () => {
  const machine = await setting.machine('harmed-18', {
    spec: sampleSpec({ 'acme.controller': '3.0.0', 'acme.engine': '2.7.0' }),
  });
  await machine.hear('verdict');
  const version = await proven(machine, () => troubled(machine, 'E-27'));
  expect(version).toBe('2.6.1');
});
