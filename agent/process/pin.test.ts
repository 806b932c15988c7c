import { Writable } from 'node:stream';
import { pino } from 'pino';
import { BIZHUB, JAM, type SnmpPrinter, startSnmpPrinter } from '../../tests/printers/snmpd.ts';
import type { PrinterEvent } from '../driver.ts';
import { PolledDriver } from '../drivers/polled-driver.ts';
import type { QuickReading, Reader } from '../drivers/reader.ts';
import type { Reading } from '../mapping/reading.ts';
import { MappingTables } from '../mapping/tables.ts';
import { openReader, PinnedReader } from './open-reader.ts';

const MINE = 'A9KEKM0001234';
const OTHER = 'B0KEKM0009999';
let printer: SnmpPrinter | undefined;
afterEach(() => printer?.stop());

test('another printer that got the address is left alone and told in the log; the own one is known when it is back', async () => {
  printer = await startSnmpPrinter({ serial: MINE });
  const { port } = printer;
  const { reader } = openReader(
    { urls: [`snmp://127.0.0.1:${port}`], serial: MINE, snmp: { timeoutMs: 500, retries: 0 } },
    new MappingTables(),
  );
  const logged: string[] = [];
  const stream = new Writable({
    write: (line: Buffer, _, done) => {
      logged.push(line.toString());
      done();
    },
  });
  const told: PrinterEvent[] = [];
  let changes = 0;
  const driver = new PolledDriver(reader, {
    pollMs: 50,
    fullMs: 60_000,
    silentMs: 60_000,
    log: pino(stream),
    random: () => 0,
  });
  // Asks at once again and again: what a failure's pause would hide is seen.
  const pokes = setInterval(() => driver.poke(), 50);
  const until = async (what: string, holds: () => boolean) => {
    for (let i = 0; i < 400 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 25));
    if (!holds()) throw new Error(`not seen: ${what}; told ${JSON.stringify(told)}, ${logged.join('')}`);
  };
  try {
    await driver.start({ error: (event) => told.push(event), changed: () => changes++ });
    await driver.readStructure();
    await until('an answer', () => driver.state.answering);

    await printer.stop();
    await until('the silence', () => !driver.state.answering);
    // The other one answers the quick reads as well, and has a jam.
    printer = await startSnmpPrinter({ serial: OTHER, port, mib: { ...BIZHUB, ...JAM } });
    await expect(driver.readStructure()).rejects.toThrow(new RegExp(`${OTHER}.*${MINE}|${MINE}.*${OTHER}`));
    const before = driver.state.failures;
    await until('some more looks', () => driver.state.failures >= before + 5);
    expect(driver.state.answering).toBe(false);
    expect(told).toEqual([]);
    expect(changes).toBe(0);
    const warned = logged.filter((line) => line.includes(OTHER));
    expect(warned).toHaveLength(1);
    expect(JSON.parse(warned[0] ?? '')).toMatchObject({
      level: 40,
      msg: 'another printer answers; it is left alone',
    });

    await printer.stop();
    printer = await startSnmpPrinter({ serial: MINE, port, mib: { ...BIZHUB, ...JAM } });
    await until('the jam of the own one', () => told.length > 0);
    expect(told).toEqual([expect.objectContaining({ code: 'J-7218', unit: 'finisher.1' })]);
  } finally {
    clearInterval(pokes);
    await driver.stop();
  }
});

const reading = (serial: string | undefined): Reading => ({
  source: 'snmp',
  structure: { apparatus: { model: 'M', ...(serial === undefined ? {} : { serial }) }, units: [] },
  sources: {},
  conditions: [],
  conditionsWhole: true,
  counters: { pages: 7 },
  identity: { tables: [] },
  missing: [],
});

test('a half-answer without a serial number is the printer still, unless another one was just there', async () => {
  let answer: Reading = reading(undefined);
  let quick: QuickReading = { ...reading(MINE), structureMayDiffer: false };
  const inner: Reader = {
    kind: 'snmp',
    url: 'snmp://a',
    read: () => Promise.resolve(answer),
    readQuick: () => Promise.resolve(quick),
    close: () => Promise.resolve(),
  };
  const pinned = new PinnedReader(inner, MINE);
  expect((await pinned.read()).counters).toEqual({ pages: 7 });
  answer = reading(OTHER);
  await expect(pinned.read()).rejects.toMatchObject({ code: 'agent/other-printer' });
  // The quick read of a reader that has seen the other one would find nothing strange in it.
  quick = { ...quick, counters: { pages: 9_999 } };
  await expect(pinned.readQuick?.()).rejects.toMatchObject({ code: 'agent/other-printer' });
  answer = reading(undefined);
  await expect(pinned.read()).rejects.toMatchObject({ code: 'agent/other-printer' });
  answer = reading(MINE);
  expect(await pinned.readQuick?.()).toMatchObject({ counters: { pages: 7 }, structureMayDiffer: true });
  expect(await pinned.readQuick?.()).toMatchObject({ counters: { pages: 9_999 } });
});
