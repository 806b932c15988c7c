import { pino } from 'pino';
import {
  ACCESS_CODE,
  type BambuPrinter,
  MODULES,
  SERIAL,
  startBambuPrinter,
} from '../../../tests/far-sides/bambu.ts';
import type { PrinterEvent } from '../../driver.ts';
import { PolledDriver } from '../polled-driver.ts';
import { BambuReader } from './bambu-reader.ts';

let printer: BambuPrinter;
beforeAll(async () => {
  printer = await startBambuPrinter();
});
afterAll(() => printer.stop());

const access = (more = {}) => ({
  host: '127.0.0.1',
  port: printer.port,
  serial: SERIAL,
  accessCode: ACCESS_CODE,
  timeoutMs: 2_000,
  ...more,
});

test('its modules are units with serial, hardware and version', async () => {
  const reader = new BambuReader(access({ fingerprint: printer.fingerprint }));
  const reading = await reader.read();
  await reader.close();
  expect(reading.structure).toEqual({
    apparatus: {
      model: 'X1 Carbon',
      serial: SERIAL,
      software: [{ id: 'bambu.ota', vendor: 'bambu', version: '01.08.02.00' }],
    },
    units: [
      {
        symbol: 'mc',
        kind: 'mc',
        model: 'mc',
        serial: 'MC-1',
        hardware: 'MC07',
        software: [{ id: 'bambu.mc', vendor: 'bambu', version: '00.00.30.70' }],
      },
      {
        symbol: 'th',
        kind: 'th',
        model: 'th',
        serial: 'TH-1',
        hardware: 'TH07',
        software: [{ id: 'bambu.th', vendor: 'bambu', version: '00.00.09.20' }],
      },
      {
        symbol: 'ams.0',
        kind: 'ams',
        model: 'AMS',
        serial: 'AMS-1',
        hardware: 'AMS08',
        software: [{ id: 'bambu.ams', vendor: 'bambu', version: '00.00.06.44' }],
      },
    ],
  });
});

test('HMS codes come and go with their severity; an offer is a fact; a new module is a change; nothing is ever set', async () => {
  const told: PrinterEvent[] = [];
  let changes = 0;
  const driver = new PolledDriver(new BambuReader(access()), {
    pollMs: 100,
    fullMs: 300,
    silentMs: 60_000,
    log: pino({ level: 'silent' }),
    random: () => 0,
  });
  const until = async (what: string, holds: () => boolean) => {
    for (let i = 0; i < 2_000 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 25));
    if (!holds()) throw new Error(`not seen: ${what}; told ${JSON.stringify(told)}`);
  };
  await driver.start({ error: (event) => told.push(event), changed: () => changes++ });
  await driver.readStructure();
  printer.push({
    hms: [
      { attr: 0x05000400, code: 0x00010044 },
      { attr: 0x07002000, code: 0x00020001 },
      { attr: 0x03000100, code: 0x00030007 },
    ],
    upgrade_state: { new_ver_list: [{ name: 'ams/0', cur_ver: '00.00.06.44', new_ver: '00.00.06.49' }] },
    gcode_state: 'RUNNING',
  });
  await until('the codes', () => told.length >= 4);
  expect(told.map(({ code, severity, unit }) => [code, severity, unit])).toEqual([
    ['0500_0400_0001_0044', 'fatal', undefined],
    ['0700_2000_0002_0001', 'error', 'ams.0'],
    ['0300_0100_0003_0007', 'warning', 'mc'],
    ['update-offered', 'info', 'ams.0'],
  ]);
  expect(told[3]?.detail).toMatchObject({ from: '00.00.06.44', to: '00.00.06.49' });
  expect((await driver.readCounters()).printing).toBe(true);
  printer.push({ hms: [], gcode_state: 'IDLE' });
  await until('the end', () => told.filter((event) => event.code === 'condition-cleared').length >= 2);
  printer.modules = MODULES.map((module) =>
    module.name === 'ams/0' ? { ...module, sw_ver: '00.00.06.49' } : module,
  );
  await until('the change', () => changes > 0);
  await driver.stop();
  expect(new Set(printer.asked)).toEqual(new Set(['get_version', 'pushall']));
  expect(printer.asked.filter((command) => command === 'pushall').length).toBeLessThanOrEqual(2);
});

test('a wrong access code and another certificate are refused', async () => {
  await expect(new BambuReader(access({ accessCode: 'wrong' })).read()).rejects.toThrow(
    /not authorized|refused|closed/i,
  );
  await expect(new BambuReader(access({ fingerprint: '00'.repeat(32) })).read()).rejects.toThrow(/pinned/);
});
