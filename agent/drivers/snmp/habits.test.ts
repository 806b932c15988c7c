import { pino } from 'pino';
import {
  type HabitAgent,
  type HabitRows,
  type Habits,
  startHabitAgent,
} from '../../../tests/far-sides/snmp-habits.ts';
import type { PrinterEvent } from '../../driver.ts';
import type { FoundReadings } from '../../mapping/readings/found-readings.ts';
import { OID } from '../../mapping/snmp-answer.ts';
import { MappingTables } from '../../mapping/tables.ts';
import { PolledDriver } from '../polled-driver.ts';
import { SnmpReader } from './snmp-reader.ts';

// Quirks of real network cards. A quick read must handle them like a full read, or a jam is never reported.

const mapping = new MappingTables();
let agent: HabitAgent;
afterEach(() => agent.stop());

interface Alert {
  index: number;
  severity: number;
  group: number;
  code: number;
  text: string;
}
const EMPTY: Alert = { index: 2, severity: 4, group: 8, code: 13, text: '' };
const JAM: Alert = { index: 10, severity: 3, group: 13, code: 8, text: 'Paper jam' };
const COVER: Alert = { index: 11, severity: 3, group: 6, code: 3, text: 'Cover open' };

/** A printer with three trays, two of them with little data, and its tables under `device`. */
function printer(alerts: Alert[], { device = 1, host = 1 } = {}): HabitRows {
  const column = (entry: string, number: number, values: [index: string, value: HabitRows[number][1]][]) =>
    values.map(([index, value]): HabitRows[number] => [`${entry}.${number}.${index}`, value]);
  const text = (value: string) => (value === '' ? null : value);
  const ofAlerts = (number: number, value: (alert: Alert) => HabitRows[number][1]) =>
    column(
      OID.prtAlert,
      number,
      alerts.map((alert) => [`${device}.${alert.index}`, value(alert)]),
    );
  return [
    [OID.sysDescr, 'Acme P7'],
    [OID.sysObjectId, { oid: '1.3.6.1.4.1.99999.1' }],
    [OID.sysUpTime, { ticks: 1_000_000 }],
    ...column(OID.hrDevice, 2, [[`${host}`, { oid: OID.hrDevicePrinter }]]),
    ...column(OID.hrDevice, 3, [[`${host}`, 'Acme P7']]),
    ...column(OID.hrPrinter, 1, [[`${host}`, 3]]),
    ...column(OID.hrPrinter, 2, [[`${host}`, Buffer.from([0])]]),
    ...column(OID.prtGeneral, 1, [[`${host}`, { counter: 3 }]]),
    ...column(OID.prtGeneral, 17, [[`${host}`, 'S-7']]),
    ...column(OID.prtInput, 13, [
      [`${device}.1`, null],
      [`${device}.2`, 'Tray 2'],
      [`${device}.3`, 'Tray 3'],
    ]),
    ...column(OID.prtInput, 15, [
      [`${device}.1`, 'TR-1'],
      [`${device}.2`, null],
      [`${device}.3`, 'TR-3'],
    ]),
    ...column(OID.prtMarker, 3, [[`${device}.1`, 7]]),
    ...column(OID.prtMarker, 4, [[`${device}.1`, { counter: 12_345 }]]),
    ...column(OID.prtMarkerSupplies, 5, supplyCells(device, [3, 4, 9])),
    ...column(OID.prtMarkerSupplies, 6, supplyCells(device, ['Black Toner', null, 'Drum'])),
    ...column(OID.prtMarkerSupplies, 7, supplyCells(device, [19, 19, 7])),
    ...column(OID.prtMarkerSupplies, 8, supplyCells(device, [100, 100, 30_000])),
    ...column(OID.prtMarkerSupplies, 9, supplyCells(device, [42, -3, 12_000])),
    ...ofAlerts(2, ({ severity }) => severity),
    ...ofAlerts(4, ({ group }) => group),
    ...ofAlerts(5, () => 1),
    ...ofAlerts(7, ({ code }) => code),
    ...ofAlerts(8, (alert) => text(alert.text)),
    ...ofAlerts(9, () => ({ ticks: 900_000 })),
    ['1.3.6.1.2.1.44.1.0', 1],
  ];
}

function supplyCells<T>(device: number, values: T[]): [index: string, value: T][] {
  // Indexes with a gap, as for cartridges and drums.
  return values.map((value, i) => [`${device}.${i === 2 ? 5 : i + 1}`, value]);
}

const SUPPLIES = [
  ['supply.1', 'toner', 42, 100, 'percent', 'exact'],
  ['supply.2', 'waste', undefined, 100, 'percent', 'some'],
  ['supply.5', 'drum', 12_000, 30_000, 'impressions', 'exact'],
];
const suppliesOf = (found: FoundReadings | undefined) =>
  found?.readings.supplies?.map(({ symbol, kind, level, capacity, measure, known }) => [
    ...[symbol, kind, level, capacity, measure, known],
  ]);

/** Answers take longer on a busy machine, so a short timeout is used only where requests are dropped. */
const reader = (more: { version?: '1' | '2c' } = {}) => {
  const drops = agent.habits.bulk === 'dropped' || agent.habits.dropsAbove !== undefined;
  const timeoutMs = drops ? 300 : 3_000;
  return new SnmpReader({ host: '127.0.0.1', port: agent.port, version: '2c', timeoutMs, ...more }, mapping);
};

const HABITS: [string, Habits, RegExp | undefined][] = [
  ['has none', {}, undefined],
  ['drops GETBULK', { bulk: 'dropped' }, /does not answer GETBULK/],
  ['fails at GETBULK', { bulk: 'genErr' }, /does not answer GETBULK/],
  ['drops what is larger than 10', { dropsAbove: 10 }, /large requests/],
  ['says tooBig above 10', { tooBigAbove: 10 }, /large requests/],
  ['says tooBig above 1', { tooBigAbove: 1 }, /large requests/],
  ['puts at most 3 values into an answer', { cutsAt: 3 }, /large requests/],
  ['puts at most 20 values into an answer', { cutsAt: 20 }, undefined],
  ['says noSuchInstance inside a column', { holes: 'noSuchInstance' }, undefined],
  ['fails at the end of the alerts', { genErrBehind: OID.prtAlert }, undefined],
  ['keeps its rows as they are listed', { asListed: true }, undefined],
];

test.each(HABITS)('an agent that %s: all rows, in a whole and in a quick read', async (_, habits, said) => {
  agent = await startHabitAgent(printer([COVER, JAM, EMPTY]), habits);
  const snmp = reader();
  const reading = await snmp.read();
  expect(reading.structure.units.map(({ model }) => model)).toEqual(['TR-1', 'Tray 2', 'TR-3']);
  const codes = (list: { code: string }[]) => list.map(({ code }) => code).sort();
  expect(codes(reading.conditions)).toEqual(['cover-open', 'media-empty', 'media-jam']);
  expect([reading.conditionsWhole, reading.counters.pages]).toEqual([true, 12_345]);
  const habit = reading.missing.find(({ field }) => field === 'SNMP')?.because;
  if (said) expect(habit).toMatch(said);
  else expect(habit).toBeUndefined();
  // The accepted form is remembered: a quick read doesn't probe again.
  const before = { ...agent.asked };
  const quick = await snmp.readQuick();
  expect(codes(quick.conditions)).toEqual(['cover-open', 'media-empty', 'media-jam']);
  expect([quick.conditionsWhole, quick.counters.pages, quick.upTimeTicks]).toEqual([true, 12_345, 1_000_000]);
  expect(quick.structureMayDiffer).toBe(false);
  if (habits.bulk) expect(agent.asked.bulk).toBe(before.bulk);
  // Readings use the same fallbacks, with and without the structure.
  for (const measured of [reading.measured, await snmp.readReadings()]) {
    expect(measured?.readings.counters).toEqual({ impressions: 12_345 });
    expect(suppliesOf(measured)).toEqual(SUPPLIES);
    expect(measured?.readings.reasons).toEqual(
      expect.arrayContaining(['cover-open', 'media-empty', 'media-jam']),
    );
  }
  await snmp.close();
});

test.each([
  ['newest first', [COVER, JAM, EMPTY]],
  ['sorted as text', [JAM, COVER, EMPTY]],
])('rows %s over version 1', async (_, alerts) => {
  agent = await startHabitAgent(printer(alerts), { asListed: true });
  const snmp = reader({ version: '1' });
  expect((await snmp.read()).conditions).toHaveLength(3);
  const quick = await snmp.readQuick();
  expect([quick.conditions.length, quick.conditionsWhole]).toEqual([3, true]);
  await snmp.close();
});

test.each([
  [0, 1],
  [0, 0],
  [1, 2],
])('tables under device %i while the printer is device %i', async (device, host) => {
  agent = await startHabitAgent(printer([JAM], { device, host }));
  const snmp = reader();
  const reading = await snmp.read();
  expect(reading.structure.units).toHaveLength(3);
  expect(reading.counters.pages).toBe(12_345);
  expect(reading.conditions.map(({ code }) => code)).toEqual(['media-jam']);
  expect(reading.missing.map(({ field }) => field)).not.toContain('prtAlert');
  const quick = await snmp.readQuick();
  expect([quick.conditions.length, quick.conditionsWhole, quick.counters.pages]).toEqual([1, true, 12_345]);
  expect(suppliesOf(reading.measured)).toEqual(SUPPLIES);
  expect(suppliesOf(await snmp.readReadings())).toEqual(SUPPLIES);
  // An alert that arrived as a trap is added to the current ones.
  snmp.trap([
    [`${OID.prtAlert}.2.${device}.77`, { type: 'integer', value: 3 }],
    [`${OID.prtAlert}.4.${device}.77`, { type: 'integer', value: 6 }],
    [`${OID.prtAlert}.7.${device}.77`, { type: 'integer', value: 3 }],
  ]);
  expect((await snmp.readQuick()).conditions.map(({ code }) => code)).toEqual(['media-jam', 'cover-open']);
  await snmp.close();
});

test('a join that leaves rows out is told, and the read is not whole', async () => {
  const rows = [...printer([JAM]), ...printer([COVER], { device: 5 }).filter(([oid]) => /\.43\./.test(oid))];
  agent = await startHabitAgent(rows);
  const snmp = reader();
  const reading = await snmp.read();
  expect(reading.conditionsWhole).toBe(false);
  expect(reading.missing.find(({ field }) => field === 'prtAlert')?.because).toMatch(/another device/);
  expect((await snmp.readQuick()).conditionsWhole).toBe(false);
  await snmp.close();
});

test('a jam of seconds is told by quick reads of an agent that drops large requests', async () => {
  agent = await startHabitAgent(printer([]), { dropsAbove: 8 });
  const told: PrinterEvent[] = [];
  const driver = new PolledDriver(reader(), {
    pollMs: 50,
    fullMs: 600_000,
    silentMs: 60_000,
    log: pino({ level: 'silent' }),
    random: () => 0,
  });
  await driver.start({ error: (event) => told.push(event), changed: () => {} });
  await driver.readStructure();
  const until = async (count: number) => {
    for (let i = 0; i < 2_400 && told.length < count; i++)
      await new Promise((resolve) => setTimeout(resolve, 25));
  };
  agent.rows = printer([JAM]);
  await until(1);
  agent.rows = printer([]);
  await until(2);
  await driver.stop();
  expect(told.map(({ code }) => code)).toEqual(['media-jam', 'condition-cleared']);
});

test('a printer whose supplies break off is not told to have none of the rest, nor an unknown level', async () => {
  const fault = { genErrBehind: OID.prtMarkerSupplies };
  agent = await startHabitAgent(
    printer([]).filter(([oid]) => !oid.startsWith(`${OID.prtMarkerSupplies}.9.`)),
    { ...fault, bulk: 'genErr', broken: false },
  );
  const snmp = reader();
  const { measured } = await snmp.read();
  // The column of levels is missing: every level is unknown, none is 0.
  expect(suppliesOf(measured)?.map(([, , level, , , known]) => [level, known])).toEqual([
    [undefined, 'unknown'],
    [undefined, 'unknown'],
    [undefined, 'unknown'],
  ]);
  await snmp.close();
});

test('a state that changes is read again by itself, and told to the agent', async () => {
  agent = await startHabitAgent(printer([]));
  const driver = new PolledDriver(reader(), {
    ...{ pollMs: 50, fullMs: 600_000, silentMs: 60_000, random: () => 0 },
    log: pino({ level: 'silent' }),
  });
  let changes = 0;
  await driver.start({ error: () => {}, changed: () => {}, readings: () => changes++ });
  expect((await driver.readReadings())?.state).toBe('idle');
  const until = async (holds: () => boolean) => {
    for (let i = 0; i < 2_400 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 25));
  };
  await until(() => changes > 0);
  const before = changes;
  agent.rows = printer([JAM]).map(([oid, value]) => [oid, oid.startsWith(`${OID.hrPrinter}.1.`) ? 4 : value]);
  await until(() => changes > before);
  expect(await driver.readReadings()).toMatchObject({
    state: 'processing',
    reasons: ['media-jam'],
    supplies: [{ symbol: 'supply.1' }, { symbol: 'supply.2' }, { symbol: 'supply.5' }],
  });
  agent.habits = { broken: true };
  await expect(driver.readReadings()).rejects.toMatchObject({ code: 'agent/no-answer' });
  await driver.stop();
});
