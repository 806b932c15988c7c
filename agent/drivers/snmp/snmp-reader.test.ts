import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import {
  BIZHUB,
  JAM,
  type SnmpPrinter,
  softwareRow,
  startSnmpPrinter,
  TONER_LOW,
  V3_USER,
} from '../../../tests/far-sides/snmpd.ts';
import type { PrinterEvent } from '../../driver.ts';
import { MappingTables } from '../../mapping/tables.ts';
import { PolledDriver } from '../polled-driver.ts';
import { SnmpReader } from './snmp-reader.ts';

const mapping = new MappingTables();
const log = pino({ level: 'silent' });
let printer: SnmpPrinter;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'platen-snmp-'));
  printer = await startSnmpPrinter();
});
afterAll(async () => {
  await printer.stop();
  rmSync(folder, { recursive: true, force: true });
});

const access = (more = {}) => ({
  host: '127.0.0.1',
  port: printer.port,
  version: '2c' as const,
  timeoutMs: 1_000,
  ...more,
});

/** A driver with its reported events, and a way to wait for one. */
function drive(reader: SnmpReader, stateFile?: string) {
  const told: PrinterEvent[] = [];
  let changes = 0;
  const driver = new PolledDriver(reader, {
    pollMs: 50,
    fullMs: 300,
    silentMs: 60_000,
    log,
    random: () => 0,
    ...(stateFile === undefined ? {} : { stateFile }),
  });
  const until = async (what: string, holds: () => boolean) => {
    for (let i = 0; i < 2_000 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 25));
    if (!holds()) throw new Error(`not seen: ${what}; told ${JSON.stringify(told)}`);
  };
  return {
    driver,
    told,
    until,
    changes: () => changes,
    start: () => driver.start({ error: (e) => told.push(e), changed: () => changes++ }),
  };
}

test.each([
  ['version 1', { version: '1' as const }],
  ['version 2c', {}],
  ['version 3 with authentication and privacy', { version: '3' as const, ...V3_USER }],
])('the printer is read over %s', async (_, how) => {
  const reader = new SnmpReader(access(how), mapping);
  try {
    const reading = await reader.read();
    expect(reading.structure.apparatus).toEqual({
      model: 'bizhub C360i',
      serial: 'A9KEKM0001234',
      software: [{ id: 'konica-minolta.controller', vendor: 'konica-minolta', version: 'G00-K4' }],
    });
    expect(
      reading.structure.units.map((unit) => [
        unit.symbol,
        unit.kind,
        unit.model,
        unit.serial,
        unit.software?.[0]?.version,
      ]),
    ).toEqual([
      ['input.1', 'feeder', 'PC-216', 'A1A1A1', 'G00-05'],
      ['input.2', 'feeder', 'LU-302', 'B2B2B2', 'G00-02'],
      ['engine', 'engine', 'Engine', undefined, 'G00-K2'],
      ['finisher.1', 'finisher', 'FS-539', undefined, 'G00-15'],
    ]);
    expect(reading.counters).toMatchObject({ pages: 120345, printing: false });
    expect(reading.conditions).toEqual([]);
    expect((await reader.readQuick()).counters).toMatchObject({ pages: 120345 });
  } finally {
    await reader.close();
  }
});

test('a jam is told when it comes and when it goes, a firmware change is noticed, an agent that restarts repeats nothing', async () => {
  const stateFile = join(folder, 'state.json');
  const first = drive(new SnmpReader(access(), mapping), stateFile);
  await first.start();
  await first.driver.readStructure();
  printer.set({ ...BIZHUB, ...JAM, ...TONER_LOW });
  await first.until('the jam', () => first.told.length >= 2);
  expect(first.told).toEqual([
    expect.objectContaining({ code: 'J-7218', severity: 'error', unit: 'finisher.1', pages: 120345 }),
    expect.objectContaining({ code: 'toner-low', severity: 'warning', unit: 'engine' }),
  ]);
  await first.driver.stop();

  const second = drive(new SnmpReader(access(), mapping), stateFile);
  await second.start();
  await second.driver.readStructure();
  printer.set({ ...BIZHUB, ...TONER_LOW, ...softwareRow(3, 'FS-539 G00-17') });
  await second.until('the change', () => second.changes() > 0 && second.told.length > 0);
  await second.driver.stop();
  expect(second.told).toEqual([
    expect.objectContaining({
      code: 'condition-cleared',
      unit: 'finisher.1',
      detail: expect.objectContaining({ code: 'J-7218' }),
    }),
  ]);
  printer.set(BIZHUB);
});

test('an alert that came as a trap and is gone before the next read has happened all the same', async () => {
  const reader = new SnmpReader(access(), mapping);
  const { driver, start, told, until } = drive(reader);
  await start();
  await driver.readStructure();
  const variables = Object.entries(JAM).map(
    ([oid, [type, value]]): Parameters<SnmpReader['trap']>[0][number] => [
      oid.slice(1).replace(/\.1$/, '.9'),
      type === 'string'
        ? { type: 'octets', value: Buffer.from(String(value)) }
        : { type: 'integer', value: Number(value) },
    ],
  );
  reader.trap(variables);
  await until('the trap', () => told.length >= 2);
  await driver.stop();
  expect(told.map((event) => event.code)).toEqual(['J-7218', 'condition-cleared']);
});

test('where nobody answers the structure is refused with the address and no secret', async () => {
  const reader = new SnmpReader(access({ port: 1, community: 'secret', timeoutMs: 50 }), mapping);
  const { driver } = drive(reader);
  await expect(driver.readStructure()).rejects.toThrow(expect.objectContaining({ code: 'agent/no-answer' }));
  await expect(driver.readStructure()).rejects.not.toThrow(/secret/);
  await driver.stop();
});

test('what can’t be installed is refused in words for an operator', async () => {
  const { driver } = drive(new SnmpReader(access(), mapping));
  expect(driver.cannotInstall('engine:konica-minolta.engine')?.message).toMatch(/technician/);
  await driver.stop();
});
