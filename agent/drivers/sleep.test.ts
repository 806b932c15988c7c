import { once } from 'node:events';
import { createServer } from 'node:net';
import { pino } from 'pino';
import { BIZHUB, JAM, type SnmpPrinter, startSnmpPrinter } from '../../tests/far-sides/snmpd.ts';
import type { PrinterEvent } from '../driver.ts';
import type { Condition } from '../mapping/reading.ts';
import { MappingTables } from '../mapping/tables.ts';
import { DRIVER_LIMITS } from './limits.ts';
import { PolledDriver } from './polled-driver.ts';
import type { Reader } from './reader.ts';
import { SnmpReader } from './snmp/snmp-reader.ts';

const mapping = new MappingTables();
const HOUR_MS = 60 * 60_000;
let printer: SnmpPrinter;
beforeAll(async () => {
  printer = await startSnmpPrinter();
});
afterAll(() => printer.stop());

/** A driver whose clock the test advances, as if hours passed while a printer sleeps. */
function drive(ports: number[]) {
  let ahead = 0;
  const told: PrinterEvent[] = [];
  const access = {
    host: '127.0.0.1',
    port: printer.port,
    version: '2c' as const,
    timeoutMs: 200,
    retries: 0,
  };
  const reader: Reader = new SnmpReader(access, mapping, ports);
  const driver = new PolledDriver(reader, {
    pollMs: 50,
    fullMs: 60 * HOUR_MS,
    silentMs: 15 * 60_000,
    log: pino({ level: 'silent' }),
    random: () => 0,
    now: () => Date.now() + ahead,
  });
  const pokes = setInterval(() => driver.poke(), 50);
  const until = async (what: string, holds: () => boolean) => {
    for (let i = 0; i < 2_000 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 25));
    if (!holds()) throw new Error(`not seen: ${what}; told ${JSON.stringify(told)}`);
  };
  return {
    told,
    until,
    later: (ms: number) => {
      ahead += ms;
    },
    failures: () => driver.state.failures,
    answering: () => driver.state.answering,
    start: () => driver.start({ error: (event) => told.push(event), changed: () => undefined }),
    stop: async () => {
      clearInterval(pokes);
      await driver.stop();
    },
  };
}

const codes = (told: PrinterEvent[]) =>
  told.map(({ code, detail }) =>
    code === 'condition-cleared' ? `-${(detail as { code: string }).code}` : code,
  );

test('a printer whose SNMP sleeps over night while it takes connections is no outage, and its jam is not over for that', async () => {
  const port = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(port, 'listening');
  const address = port.address();
  const driver = drive([address !== null && typeof address === 'object' ? address.port : 0]);
  try {
    printer.set({ ...BIZHUB, ...JAM });
    await driver.start();
    await driver.until('the jam', () => driver.told.length > 0);
    printer.sleep();
    await driver.until('the sleep', () => driver.failures() >= 2);
    driver.later(10 * HOUR_MS);
    const asked = driver.failures();
    await driver.until('more looks', () => driver.failures() >= asked + 3);
    expect(codes(driver.told)).toEqual(['J-7218']);
    printer.wake();
    await driver.until('the first answer', driver.answering);
    // The jam still holds and was reported once; when it clears, that is reported once too.
    printer.set(BIZHUB);
    await driver.until('the end of the jam', () => driver.told.length > 1);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(codes(driver.told)).toEqual(['J-7218', '-J-7218']);

    // No printer sleeps forever: after a long weekend its silence is reported.
    printer.sleep();
    driver.later(DRIVER_LIMITS.asleepMs);
    await driver.until('the silence', () => driver.told.length > 2);
    printer.wake();
    await driver.until('the answer', () => driver.told.length > 3);
    expect(codes(driver.told).slice(2)).toEqual(['printer-not-answering', '-printer-not-answering']);
  } finally {
    printer.wake();
    await driver.stop();
    await new Promise((done) => port.close(done));
  }
});

test('what wakes up with empty tables clears nothing by that', async () => {
  const jam: Condition = { code: 'J-7218', severity: 'error', detail: {} };
  // Plays its reads one after the other, then repeats the last one.
  const script: (Condition[] | 'silent')[] = [[jam], [jam], 'silent', [], [jam], 'silent', 'silent', [], []];
  let reads = 0;
  const reader: Reader = {
    kind: 'snmp',
    url: 'snmp://a',
    read: () => {
      const step = script[Math.min(reads++, script.length - 1)] ?? [];
      if (step === 'silent') return Promise.reject(new Error('no answer'));
      return Promise.resolve({
        source: 'snmp',
        structure: { apparatus: { model: 'M' }, units: [] },
        sources: {},
        conditions: step,
        conditionsWhole: true,
        counters: {},
        identity: { tables: [] },
        missing: [],
      });
    },
    close: () => Promise.resolve(),
  };
  const told: [number, PrinterEvent][] = [];
  const driver = new PolledDriver(reader, {
    pollMs: 5,
    fullMs: 5,
    silentMs: HOUR_MS,
    log: pino({ level: 'silent' }),
    random: () => 0,
  });
  await driver.start({ error: (event) => told.push([reads, event]), changed: () => undefined });
  for (let i = 0; i < 2_000 && reads < script.length + 2; i++)
    await new Promise((done) => setTimeout(done, 10));
  await driver.stop();
  // Reported with the first read, cleared with the second one after the last silence.
  expect(told.map(([at]) => at)).toEqual([1, 9]);
  expect(codes(told.map(([, event]) => event))).toEqual(['J-7218', '-J-7218']);
});

test('a printer that is off is told once after its time, and once that it is back; short silences are nothing', async () => {
  printer.set(BIZHUB);
  const driver = drive([]);
  try {
    await driver.start();
    await driver.until('an answer', driver.answering);
    for (let i = 0; i < 3; i++) {
      printer.sleep();
      await driver.until('a failure', () => driver.failures() >= 2);
      printer.wake();
      await driver.until('an answer', driver.answering);
    }
    expect(driver.told).toEqual([]);
    printer.sleep();
    await driver.until('a failure', () => driver.failures() >= 1);
    driver.later(16 * 60_000);
    await driver.until('the silence', () => driver.told.length > 0);
    const asked = driver.failures();
    await driver.until('more looks', () => driver.failures() >= asked + 3);
    printer.wake();
    await driver.until('the answer', () => driver.told.length > 1);
    expect(codes(driver.told)).toEqual(['printer-not-answering', '-printer-not-answering']);
    expect(driver.told[0]).toMatchObject({ severity: 'warning', pages: 120345 });
    expect(driver.told[1]?.detail).toMatchObject({ lastedS: expect.any(Number) });
  } finally {
    printer.wake();
    await driver.stop();
  }
});
