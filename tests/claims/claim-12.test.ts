import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FleetEvent, Order, Structure, UpdateReport, Verdict } from '../../schemas/types.ts';
import { eventually } from '../harness/ear.ts';
import { imageOf } from '../harness/samples.ts';
import { type Machine, sampleSpec, useProduct } from '../harness/setting.ts';

// Claim 12: where versions don't fit, the printer or unit is made to download the fitting version.
const setting = useProduct({ releases: true });
const EVENTS = 'platen/v1/fleet/events/order';
let machine: Machine;

test('order → download → installed → claimed → shown by a new session → proven', async () => {
  const events = await setting.listen(EVENTS);
  // The controller needs engine 2.5.0 or later.
  const spec = sampleSpec({ 'acme.engine': '2.4.0' });
  machine = await setting.machine('claim-12', { spec });
  const judged = await machine.hear<Structure>('structure');
  const verdict = await machine.hear<Verdict>('verdict');
  expect(verdict).toMatchObject({ status: 'incompatible' });
  const { to } = verdict.remedy!.software[0]!;
  expect(verdict.remedy!.software).toEqual([{ subject: 'engine:acme.engine', from: '2.4.0', to }]);

  const order = await machine.hear<Order>('order');
  expect(order.structure).toEqual({ session: judged.session, revision: judged.revision });
  expect(order.steps.map(({ subject }) => subject)).toEqual(order.steps.map(() => 'engine:acme.engine'));
  expect(order.steps[0]?.from).toBe('2.4.0');
  expect(order.steps.at(-1)?.to).toBe(to);
  for (const step of order.steps) {
    const image = imageOf(`acme.engine ${step.to}`);
    expect(step.length).toBe(image.length);
    expect(step.sha256).toBe(createHash('sha256').update(image).digest('hex'));
  }

  const told: UpdateReport['state'][] = [];
  while (told.at(-1) !== 'claimed') {
    const { execution, attempt, state } = await machine.hear<UpdateReport>('update');
    expect({ execution, attempt }).toEqual({ execution: order.execution, attempt: 1 });
    if (told.at(-1) !== state) told.push(state);
  }
  expect(told).toEqual(['accepted', 'downloading', 'verified', 'installing', 'self-testing', 'claimed']);
  // The complete images were downloaded from the repository.
  for (const { sha256 = '', to: version } of order.steps) {
    const file = readFileSync(join(machine.folder, 'updater', 'images', sha256));
    expect(file.equals(imageOf(`acme.engine ${version}`))).toBe(true);
  }

  const proven = await events.hear<FleetEvent>(EVENTS, ({ what }) => what === 'proven');
  expect(proven.printer).toBe('claim-12');
  const after = await machine.hear<Structure>('structure', ({ session }) => session !== judged.session);
  expect(after.units[0]?.software).toMatchObject([{ id: 'acme.engine', version: to }]);
  const cured = await machine.hear<Verdict>('verdict', ({ status }) => status === 'compatible');
  expect(cured.structure.session).toBe(after.session);
  const states = events.all<FleetEvent>(EVENTS).map(({ what }) => what);
  expect(states.filter((state) => ['failed', 'rejected', 'rolled-back', 'silent'].includes(state))).toEqual(
    [],
  );
});

test('there is no order any more', async () => {
  const later = await setting.listen('platen/v1/printers/claim-12/#');
  await later.hear('platen/v1/printers/claim-12/verdict');
  expect(later.all('platen/v1/printers/claim-12/order')).toEqual([]);
});

test("the printer's word is not proof: one that claims and shows nothing is found out", async () => {
  const events = await setting.listen(EVENTS);
  const spec = sampleSpec({ 'acme.engine': '2.4.0' });
  const liar = await setting.machine('liar-12', {
    spec: { ...spec, install: { ...spec.install, lies: 1 } },
  });
  await liar.hear<UpdateReport>('update', ({ state }) => state === 'claimed');
  const end = await events.hear<FleetEvent>(
    EVENTS,
    ({ what, printer }) => printer === 'liar-12' && ['failed', 'proven'].includes(what),
  );
  expect(end.what).toBe('failed');
  const version = await eventually(async () => {
    const { structure } = await setting.operator.call('printers.get', { printer: 'liar-12' });
    return (structure as Structure).units[0]?.software?.[0]?.version;
  }, 'its structure');
  expect(version).toBe('2.4.0');
});

test('a printer that was off finds its order when it connects', async () => {
  const spec = sampleSpec({ 'acme.engine': '2.4.0' });
  // Its structure is known, and it disconnects before it can do anything.
  const absent = await setting.printer('absent-12');
  const { apparatus, units } = spec.structure;
  await absent.structure({
    session: 's-1',
    revision: 1,
    at: new Date().toISOString(),
    reason: 'connect',
    apparatus,
    units,
  });
  await absent.close();
  const ear = await setting.listen('platen/v1/printers/absent-12/order');
  const order = await ear.hear<Order>('platen/v1/printers/absent-12/order');
  const back = await setting.machine('absent-12', { spec });
  const report = await back.hear<UpdateReport>('update', ({ state }) => state === 'claimed');
  expect(report.execution).toBe(order.execution);
});
