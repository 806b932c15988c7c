import { randomUUID } from 'node:crypto';
import { printerTopic } from '../schemas/topics.ts';
import type { FleetEvent, Order, Trouble, UpdateReport } from '../schemas/types.ts';
import { eventually } from './harness/ear.ts';
import { sampleStructure, type TestPrinter } from './harness/printer.ts';
import { useProduct } from './harness/setting.ts';

// Updates that undo themselves end: a release that is proven but gone at the next start is not flashed forever.
const setting = useProduct({ releases: true });
const STATES = ['accepted', 'downloading', 'verified', 'installing', 'self-testing', 'claimed'] as const;

/** Reports this engine version in a new session. */
async function shows(printer: TestPrinter, version: string): Promise<void> {
  const structure = structuredClone(sampleStructure({ session: randomUUID(), at: new Date().toISOString() }));
  structure.units[0]!.software![0]!.version = version;
  await printer.structure(structure);
}

/** Carries out an order, or only the given states of it. */
async function obeys(printer: TestPrinter, order: Order, states: readonly UpdateReport['state'][] = STATES) {
  for (const [index, state] of states.entries()) {
    const { execution, attempt } = order;
    await printer.say(printerTopic.update(printer.id), {
      execution,
      attempt,
      seq: index + 1,
      state,
      step: 0,
    });
  }
}

test('a release that falls back at boot is installed three times, then the printer is set aside until a person lifts it', async () => {
  const { operator } = setting;
  const events = await setting.listen('platen/v1/fleet/events/trouble');
  const printer = await setting.printer('flapping');
  const order = () => printer.hear<Order>(printerTopic.order('flapping'));
  let installed = 0;
  let to = '';
  const flash = async () => {
    await shows(printer, '2.4.0');
    const given = await order();
    to = given.steps.at(-1)!.to;
    await obeys(printer, given);
    await shows(printer, to);
    installed += 1;
  };
  // The first proof and two more; the fourth order must not come.
  for (let round = 0; round < 3; round += 1) await flash();
  await shows(printer, '2.4.0');
  const opened = await events.hear<FleetEvent>(
    'platen/v1/fleet/events/trouble',
    ({ what, printer: whose }) => what === 'opened' && whose === 'flapping',
  );
  await expect(printer.hear(printerTopic.order('flapping'), undefined, 1_000)).rejects.toThrow(
    'nothing fitting',
  );
  expect(installed).toBe(3);

  const { items } = (await operator.call('troubles.list', { printer: 'flapping', open: true })) as {
    items: Trouble[];
  };
  expect(items).toHaveLength(1);
  const [trouble] = items as [Trouble];
  expect(trouble).toMatchObject({
    id: (opened.data as { trouble: string }).trouble,
    rule: 'platen.set-aside',
    state: 'open',
  });
  expect(trouble.explanation).toMatch(
    new RegExp(
      `acme.engine ${to} was installed 3 times in 30 days: proven at .*, back at 2.4.0 at .*, 3 times`,
    ),
  );
  const retained = await setting.listen(`platen/v1/fleet/troubles/${trouble.id}`);
  await retained.hear(`platen/v1/fleet/troubles/${trouble.id}`);
  expect(await operator.call('printers.get', { printer: 'flapping' })).toMatchObject({
    openTroubles: 1,
    setAside: [{ software: 'acme.engine', release: to, reason: trouble.explanation }],
  });
  // A preview reports it too, with the reason, before a campaign runs.
  const preview = await operator.call('campaigns.preview', {
    software: { id: 'acme.engine', range: to },
    filter: { idPrefix: 'flapping' },
  });
  expect(preview).toMatchObject({ targets: 0, excluded: { 'set-aside': 1 } });

  // Closing the trouble would only hide it.
  await expect(operator.call('troubles.close', { id: trouble.id })).rejects.toThrow('printers.readmit');
  await expect(operator.call('printers.readmit', { printer: 'flapping' })).rejects.toThrow('request/invalid');
  await operator.call('printers.readmit', { printer: 'flapping', reason: 'flash chip replaced' });
  await eventually(async () => {
    const after = await operator.call('troubles.list', { printer: 'flapping', open: true });
    return (after['items'] as Trouble[]).length === 0;
  }, 'the trouble is closed');
  await flash();
  const { items: audited } = (await operator.call('audit.list', { method: 'printers.readmit' })) as {
    items: { params: object }[];
  };
  expect(audited[0]!.params).toMatchObject({ printer: 'flapping', reason: 'flash chip replaced' });
});

test('a release that is downloaded again and again and never installed comes to an end too', async () => {
  const printer = await setting.printer('thirsty');
  const topic = printerTopic.order('thirsty');
  let downloads = 0;
  await shows(printer, '2.4.0');
  for (;;) {
    // Waits for whichever comes, however long it takes: the next order, or the release set aside.
    const next = await eventually(async () => {
      if (printer.ear.all(topic).length > 0) return 'order';
      const { setAside } = await setting.operator.call('printers.get', { printer: 'thirsty' });
      return Array.isArray(setAside) && setAside.length > 0 && 'set aside';
    }, 'an order, or that it is set aside');
    if (next === 'set aside') break;
    const given = await printer.hear<Order>(topic);
    downloads += 1;
    // A bound for the test itself: a product that never ends the loop would keep it running forever.
    if (downloads > 40) break;
    await obeys(printer, given, ['accepted', 'downloading']);
    await printer.say(printerTopic.update('thirsty'), {
      execution: given.execution,
      attempt: given.attempt,
      seq: 3,
      state: 'failed',
      error: { code: 'update/hash', message: 'The image is not what was signed.' },
    });
    await shows(printer, '2.4.0');
  }
  expect(downloads).toBe(10);
  await expect(printer.hear(topic, undefined, 1_000)).rejects.toThrow('nothing fitting');
  const { items } = (await setting.operator.call('troubles.list', { printer: 'thirsty', open: true })) as {
    items: Trouble[];
  };
  expect(items[0]!.explanation).toMatch(/was downloaded 10 times in 30 days/);
});

test('the budget is set with everything else that bounds a rollout, and holds from the next order on', async () => {
  const { operator } = setting;
  expect((await operator.call('rollout.get'))['budget']).toEqual({
    installations: 3,
    downloads: 10,
    orders: 30,
    restarts: 30,
    days: 30,
  });
  await expect(operator.call('rollout.set', { budget: { instalations: 1 } })).rejects.toThrow(
    'installations',
  );
  await expect(operator.call('rollout.set', { budget: { installations: 0 } })).rejects.toThrow(
    'request/invalid',
  );
  const { budget } = await operator.call('rollout.set', { budget: { installations: 1, days: 7 } });
  expect(budget).toMatchObject({ installations: 1, downloads: 10, days: 7 });
  const printer = await setting.printer('once');
  await shows(printer, '2.4.0');
  const given = await printer.hear<Order>(printerTopic.order('once'));
  await obeys(printer, given);
  await shows(printer, given.steps.at(-1)!.to);
  await shows(printer, '2.4.0');
  const explanation = await eventually(async () => {
    const { items } = await operator.call('troubles.list', { printer: 'once', open: true });
    return (items as Trouble[])[0]?.explanation;
  }, 'it is set aside');
  expect(explanation).toMatch(/was installed once in 7 days/);
});

test("rules may not take the ids of the center's own troubles", async () => {
  const rule = { id: 'platen.set-aside', when: { count: { ge: 3, over: 'P1D' } } };
  await expect(
    setting.operator.call('rules.put', { document: { rules: 'own.1', list: [rule] } }),
  ).rejects.toThrow('/list/0/id');
});
