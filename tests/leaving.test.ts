import { randomUUID } from 'node:crypto';
import { printerTopic } from '../schemas/topics.ts';
import type { FleetEvent, Order } from '../schemas/types.ts';
import { eventually } from './harness/ear.ts';
import { sampleEntries, sampleStructure, type TestPrinter } from './harness/printer.ts';
import { useProduct } from './harness/setting.ts';

// Counts include only printers that take part: revoked or retired printers are no targets and are not counted.
const setting = useProduct({ releases: true });
const SOFTWARE = { id: 'acme.engine', range: '2.5.0' };

async function shows(printer: TestPrinter, version = '2.4.0'): Promise<void> {
  const structure = structuredClone(sampleStructure({ session: randomUUID(), at: new Date().toISOString() }));
  structure.units[0]!.software![0]!.version = version;
  await printer.structure(structure);
  await printer.hear(printerTopic.verdict(printer.id));
}

const orderOf = (printer: TestPrinter) => printer.hear<Order>(printerTopic.order(printer.id));
/** Installs what its order says, so that no other printer waits for it. */
async function obeys(printer: TestPrinter): Promise<void> {
  const { steps } = await orderOf(printer);
  await shows(printer, steps.at(-1)!.to);
}
const get = (printer: string) => setting.operator.call('printers.get', { printer });
const preview = (printer: string) =>
  setting.operator.call('campaigns.preview', { software: SOFTWARE, filter: { idPrefix: printer } });
const counted = async () => (await setting.operator.call('fleet.summary'))['printers'];

/** Topics of the printer with a retained document. */
async function retained(printer: string): Promise<string[]> {
  const ear = await setting.listen(`platen/v1/printers/${printer}/#`);
  await new Promise((resolve) => setTimeout(resolve, 300));
  return ear.heard.filter(({ payload }) => payload !== '').map(({ topic }) => topic);
}

test('a revoked printer is marked, loses its order and counts nowhere', async () => {
  const printer = await setting.printer('revoked-1');
  await shows(printer);
  await orderOf(printer);
  const before = await counted();
  await setting.operator.call('printers.revoke', { printer: 'revoked-1' });
  expect(await get('revoked-1')).toMatchObject({ standing: 'revoked' });
  expect(await counted()).toBe(Number(before) - 1);
  expect(await preview('revoked-1')).toMatchObject({ targets: 0, excluded: { revoked: 1 } });
  await eventually(
    async () => !(await retained('revoked-1')).includes(printerTopic.order('revoked-1')),
    'its order is withdrawn',
  );
  // Once enrolled again, it takes part again.
  const again = await setting.printer('revoked-1');
  await shows(again);
  await obeys(again);
  expect(await get('revoked-1')).not.toHaveProperty('standing');
  expect(await counted()).toBe(before);
});

test('a retired printer is still heard, and is no target until it is taken back', async () => {
  const printer = await setting.printer('retired-1');
  await shows(printer, '2.5.0');
  const before = await counted();
  await setting.operator.call('printers.retire', { printer: 'retired-1', reason: 'in the cellar' });
  expect(await get('retired-1')).toMatchObject({ standing: 'retired', standingReason: 'in the cellar' });
  expect(await counted()).toBe(Number(before) - 1);
  await shows(printer);
  await expect(printer.hear(printerTopic.order('retired-1'), undefined, 2_000)).rejects.toThrow('nothing');
  expect(await preview('retired-1')).toMatchObject({ targets: 0, excluded: { retired: 1 } });
  const list = async (standing: string) =>
    (await setting.operator.call('printers.list', { filter: { standing, idPrefix: 'retired-' } }))['items'];
  expect(await list('retired')).toHaveLength(1);
  expect(await list('active')).toHaveLength(0);
  await setting.operator.call('printers.retire', { printer: 'retired-1', retired: false });
  // It is judged again, and gets the order that it needs.
  await obeys(printer);
  expect(await counted()).toBe(before);
});

test('every uplink moves when a printer was last seen', async () => {
  const printer = await setting.printer('heard-1');
  await shows(printer, '2.5.0');
  const seen = async () => Date.parse(String((await get('heard-1'))['lastSeen']));
  const before = await seen();
  await new Promise((resolve) => setTimeout(resolve, 50));
  await printer.errors({ entries: sampleEntries(1, 2) });
  const after = await seen();
  expect(after).toBeGreaterThan(before);
  const listed = await setting.operator.call('printers.list', { filter: { idPrefix: 'heard-1' } });
  expect(Date.parse(String((listed['items'] as { lastSeen: string }[])[0]!.lastSeen))).toBe(after);
  // A request from the printer counts too; a message to it doesn't.
  await new Promise((resolve) => setTimeout(resolve, 50));
  await setting.operator.call('structure.request', { printer: 'heard-1' });
  expect(await seen()).toBe(after);
  await printer.ask('verdict');
  expect(await seen()).toBeGreaterThan(after);
});

test('a printer whose agent is alive and whose device is not is online, unreachable and no target', async () => {
  const printer = await setting.printer('cut-off-1');
  const tell = (device: string) =>
    printer.say(printerTopic.presence('cut-off-1'), { state: 'online', session: 'a-1', device }, true);
  await shows(printer, '2.5.0');
  await tell('reachable');
  expect(await get('cut-off-1')).toMatchObject({ presence: 'online', device: 'reachable' });
  const events = await setting.listen('platen/v1/fleet/events/presence');
  await tell('unreachable');
  const seen = await get('cut-off-1');
  expect(seen).toMatchObject({ presence: 'online', device: 'unreachable' });
  expect(Date.parse(String(seen['deviceSince']))).toBeGreaterThan(0);
  await events.hear<FleetEvent>(
    'platen/v1/fleet/events/presence',
    ({ what, printer: whose }) => what === 'unreachable' && whose === 'cut-off-1',
  );
  expect((await setting.operator.call('fleet.summary'))['unreachable']).toBe(1);
  expect(await preview('cut-off-1')).toMatchObject({ targets: 0, excluded: { unreachable: 1 } });
  // Its last known structure requires an update, which waits until the device is reachable.
  await shows(printer);
  await expect(printer.hear(printerTopic.order('cut-off-1'), undefined, 2_000)).rejects.toThrow('nothing');
  await tell('reachable');
  await obeys(printer);
  expect((await setting.operator.call('fleet.summary'))['unreachable']).toBe(0);
});
