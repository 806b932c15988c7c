import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { type IppPrinter, startIppPrinter } from '../../tests/far-sides/ippeveprinter.ts';
import { BIZHUB, freeUdpPort, JAM, type SnmpPrinter, startSnmpPrinter } from '../../tests/far-sides/snmpd.ts';
import type { PrinterEvent } from '../driver.ts';
import { PolledDriver } from '../drivers/polled-driver.ts';
import type { QuickReading, Reader } from '../drivers/reader.ts';
import type { Reading } from '../mapping/reading.ts';
import { MappingTables } from '../mapping/tables.ts';
import { discover } from './discover.ts';
import { createFinder, type Find } from './finder.ts';
import { FollowingReader, type FollowOptions, urlsAt } from './following-reader.ts';
import { openReader } from './open-reader.ts';
import { TrapAddresses } from './traps.ts';

const MINE = 'A9KEKM0001234';
const OTHER = 'B0KEKM0009999';
const mapping = new MappingTables();
const stops: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function snmpd(options: Parameters<typeof startSnmpPrinter>[0]): Promise<SnmpPrinter> {
  const printer = await startSnmpPrinter(options);
  stops.push(() => printer.stop());
  return printer;
}

/** A driver over a following reader, with all its events. */
function follow(options: Omit<FollowOptions, 'open' | 'log'> & Partial<Pick<FollowOptions, 'open'>>) {
  const logged: string[] = [];
  const log = pino(
    new Writable({
      write: (line: Buffer, _, done) => {
        logged.push(line.toString());
        done();
      },
    }),
  );
  const reader = new FollowingReader({
    open: (urls) => openReader({ urls, snmp: { timeoutMs: 500, retries: 0 } }, mapping),
    ...options,
    log,
  });
  const told: PrinterEvent[] = [];
  const seen = { told, changes: 0, logged };
  const driver = new PolledDriver(reader, {
    pollMs: 50,
    fullMs: 60_000,
    silentMs: 60_000,
    log,
    random: () => 0,
  });
  // Polls without pause, because the back-off after a failure would hide errors.
  const pokes = setInterval(() => driver.poke(), 50);
  stops.push(async () => {
    clearInterval(pokes);
    await driver.stop();
  });
  const until = async (what: string, holds: () => boolean) => {
    for (let i = 0; i < 2_400 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 25));
    if (!holds()) throw new Error(`not seen: ${what}; told ${JSON.stringify(told)}, ${logged.join('')}`);
  };
  const start = async () => {
    await driver.start({ error: (event) => told.push(event), changed: () => seen.changes++ });
    const structure = await driver.readStructure();
    await until('an answer', () => driver.state.answering);
    return structure;
  };
  return { reader, driver, seen, until, start };
}

test('another printer that got the address is left alone and told in the log; the own one is known when it is back', async () => {
  const mine = await startSnmpPrinter({ serial: MINE });
  const { port } = mine;
  const { driver, seen, until, start } = follow({ urls: [`snmp://127.0.0.1:${port}`], pinned: MINE });
  await start();
  await mine.stop();
  await until('the silence', () => !driver.state.answering);
  // The other printer also answers quick reads, and has a jam.
  const other = await startSnmpPrinter({ serial: OTHER, port, mib: { ...BIZHUB, ...JAM } });
  await expect(driver.readStructure()).rejects.toThrow(new RegExp(`${OTHER}.*${MINE}|${MINE}.*${OTHER}`));
  const before = driver.state.failures;
  await until('some more looks', () => driver.state.failures >= before + 5);
  expect(driver.state.answering).toBe(false);
  expect(seen.told).toEqual([]);
  expect(seen.changes).toBe(0);
  const warned = seen.logged.filter((line) => line.includes(OTHER));
  expect(warned).toHaveLength(1);
  expect(JSON.parse(warned[0] ?? '')).toMatchObject({
    level: 40,
    msg: 'another printer answers; it is left alone',
  });

  await other.stop();
  await snmpd({ serial: MINE, port, mib: { ...BIZHUB, ...JAM } });
  await until('the jam of the own one', () => seen.told.length > 0);
  expect(seen.told).toEqual([expect.objectContaining({ code: 'J-7218', unit: 'finisher.1' })]);
});

test('a printer behind a changed address is found by what it learned of it, read there, and remembered there', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'platen-follow-'));
  stops.push(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'identity.json');
  const mine = await startSnmpPrinter({ serial: MINE, port: await freeUdpPort() });
  const { port } = mine;
  const urls = [`snmp://127.0.0.1:${port}`];
  // Another printer of the same model that announces itself too, and an address where nothing answers.
  const third = await snmpd({ serial: 'C0KEKM0005555', host: '127.0.0.3', port });
  const asked: unknown[] = [];
  const find: Find = async (wanted) => {
    asked.push(wanted);
    return ['127.0.0.3', '127.0.0.4', '127.0.0.2'].map((host) => ({ host, byModel: true, urls: [] }));
  };
  const { reader, driver, seen, until, start } = follow({ urls, file, find });
  await start();
  await mine.stop();
  await until('the silence', () => !driver.state.answering);
  expect(asked).toEqual([]); // Silence is sleep, for a while.
  await snmpd({ serial: OTHER, port, mib: { ...BIZHUB, ...JAM } });
  await snmpd({ serial: MINE, host: '127.0.0.2', port, mib: { ...BIZHUB, ...JAM } });
  await until('the jam at its new address', () => seen.told.length > 0);
  expect(reader.url).toBe(`snmp://127.0.0.2:${port}`);
  expect(asked).toEqual([expect.objectContaining({ serials: { snmp: MINE }, model: 'bizhub C360i' })]);
  // Only its own jam is reported, nothing from the other two printers, and its structure is unchanged.
  expect(seen.told).toEqual([expect.objectContaining({ code: 'J-7218', unit: 'finisher.1' })]);
  expect((await driver.readStructure()).apparatus.serial).toBe(MINE);
  expect(seen.changes).toBe(0);
  expect(seen.logged.filter((line) => line.includes('the printer is at another address'))).toHaveLength(1);
  // Traps from the new address now count as its own.
  const { traps } = reader;
  if (!traps) throw new Error('no traps');
  const addresses = new TrapAddresses([traps]);
  expect(await addresses.at('127.0.0.2')).toEqual([traps]);
  expect(await addresses.at('127.0.0.1')).toEqual([]);
  expect(third.port).toBe(port);

  // The next start goes there at once; other addresses in the configuration reset that.
  expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({
    moved: { from: urls, to: [`snmp://127.0.0.2:${port}`] },
  });
  const again = follow({ urls, file });
  expect((await again.start()).apparatus.serial).toBe(MINE);
  const elsewhere = follow({ urls: [`snmp://127.0.0.3:${port}`], file });
  expect(elsewhere.reader.url).toBe(`snmp://127.0.0.3:${port}`);
  await expect(elsewhere.reader.read()).rejects.toMatchObject({ code: 'agent/other-printer' });
  // If an operator says that this is the printer now, that is accepted.
  const replaced = follow({ urls: [`snmp://127.0.0.3:${port}`], file, pinned: 'C0KEKM0005555' });
  expect((await replaced.start()).apparatus.serial).toBe('C0KEKM0005555');
});

test('a real printer that moved to another port is found by mDNS, although another one got its old one', async () => {
  let printer: IppPrinter | undefined;
  const mine = await startIppPrinter({ serial: MINE, announcedAs: `Mover ${process.pid}` });
  stops.push(() => mine.stop());
  const old = mine.port;
  const [found] = (await discover({ ms: 2_000, interface: '127.0.0.1' })).filter(({ name }) =>
    name.startsWith(`Mover ${process.pid}`),
  );
  expect(found?.urls.map((url) => new URL(url).port)).toContain(String(old));
  const { reader, seen, until, start } = follow({
    urls: [mine.url.replace('localhost', '127.0.0.1')],
    find: createFinder(() => discover({ ms: 2_000, interface: '127.0.0.1' })),
  });
  expect((await start()).apparatus.serial).toBe(MINE);
  await mine.move();
  printer = await startIppPrinter({ serial: OTHER, port: old });
  stops.push(() => printer?.stop());
  await until('the new port', () => new URL(reader.url).port === String(mine.port));
  expect((await reader.read()).structure.apparatus.serial).toBe(MINE);
  expect(seen.told).toEqual([]);
  expect(seen.changes).toBe(0);
});

test('addresses at another place keep what was said of them, and TLS is never given up', () => {
  const place = { host: '10.0.0.9', byModel: false, urls: ['ipp://p.local:8631/ipp/port1'] };
  expect(urlsAt(['snmp://10.0.0.1@10.0.0.1'], place)).toEqual(['snmp://10.0.0.1@10.0.0.9']);
  expect(urlsAt(['ipp://10.0.0.1/ipp/print', 'snmp://community@10.0.0.1:1161'], place)).toEqual([
    'ipp://10.0.0.9:8631/ipp/port1',
    'snmp://community@10.0.0.9:1161',
  ]);
  // Any device that announces that name would be sent the password.
  expect(urlsAt(['ipp://me:secret@10.0.0.1/ipp/print'], place)).toBeUndefined();
  expect(urlsAt(['ipps://10.0.0.1/ipp/print'], place)).toBeUndefined();
  expect(urlsAt(['ipp://10.0.0.1'], { ...place, host: 'fd00::9', urls: ['ipps://p.local/x'] })).toEqual([
    'ipps://[fd00::9]:631/x',
  ]);
});

const reading = (serial: string | undefined, more: Partial<Reading['identity']> = {}): Reading => ({
  source: 'snmp',
  structure: { apparatus: { model: 'M', ...(serial === undefined ? {} : { serial }) }, units: [] },
  sources: {},
  conditions: [],
  conditionsWhole: true,
  counters: { pages: 7 },
  identity: { tables: [], ...(serial === undefined ? {} : { serials: { snmp: serial } }), ...more },
  missing: [],
});

function scripted(pinned?: string) {
  const script = { answer: reading(undefined), quick: { ...reading(MINE), structureMayDiffer: false } };
  const inner: Reader = {
    kind: 'snmp',
    url: 'snmp://a',
    read: () => Promise.resolve(script.answer),
    readQuick: () => Promise.resolve(script.quick as QuickReading),
    close: () => Promise.resolve(),
  };
  const reader = new FollowingReader({
    open: () => ({ reader: inner }),
    urls: ['snmp://a'],
    ...(pinned === undefined ? {} : { pinned }),
    log: pino({ level: 'silent' }),
  });
  return { script, reader };
}

test('a half-answer without a serial number is the printer still, unless another one was just there', async () => {
  const { script, reader } = scripted(MINE);
  expect((await reader.read()).counters).toEqual({ pages: 7 });
  script.answer = reading(OTHER);
  await expect(reader.read()).rejects.toMatchObject({ code: 'agent/other-printer' });
  // A quick read by a reader that has already seen the other printer would find nothing wrong.
  script.quick = { ...script.quick, counters: { pages: 9_999 } };
  await expect(reader.readQuick?.()).rejects.toMatchObject({ code: 'agent/other-printer' });
  script.answer = reading(undefined);
  await expect(reader.read()).rejects.toMatchObject({ code: 'agent/other-printer' });
  script.answer = reading(MINE);
  expect(await reader.readQuick?.()).toMatchObject({ counters: { pages: 7 }, structureMayDiffer: true });
  expect(await reader.readQuick?.()).toMatchObject({ counters: { pages: 9_999 } });
});

test('each protocol is held to its own spelling: one that answers for another printer is not mixed with the other one', async () => {
  const { script, reader } = scripted();
  script.answer = reading(MINE, { serials: { snmp: MINE, ipp: `KM-${MINE}` }, uuid: 'u-1' });
  await reader.read();
  // SNMP is down: the merge uses its last answer, while IPP already comes from another printer.
  script.answer = reading(MINE, { serials: { snmp: MINE, ipp: OTHER }, uuid: 'u-2' });
  await expect(reader.read()).rejects.toMatchObject({ code: 'agent/other-printer' });
  script.answer = reading(undefined, { serials: { ipp: `KM-${MINE}` }, uuid: 'u-2' });
  expect((await reader.read()).counters).toEqual({ pages: 7 });
});

test('without serial numbers the UUID tells them apart', async () => {
  const { script, reader } = scripted();
  script.answer = reading(undefined, { uuid: 'u-1' });
  await reader.read();
  script.answer = reading(undefined, { uuid: 'u-2' });
  await expect(reader.read()).rejects.toMatchObject({ code: 'agent/other-printer' });
  script.answer = reading(undefined, { uuid: 'u-1' });
  await reader.read();
});
