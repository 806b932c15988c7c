import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Structure, Trouble, Verdict } from '../schemas/types.ts';
import { BIZHUB_FIRMWARE, type IppPrinter, startIppPrinter } from './far-sides/ippeveprinter.ts';
import {
  BIZHUB,
  JAM,
  markerRow,
  type SnmpPrinter,
  startSnmpPrinter,
  supplyRow,
  TONER_LOW,
} from './far-sides/snmpd.ts';
import { eventually } from './harness/ear.ts';
import { temporaryFolder } from './harness/folder.ts';
import { platen } from './harness/product.ts';
import { WITH_TYPES } from './harness/run/with-types.ts';
import { changesOf, useProduct } from './harness/setting.ts';

// Real printers end to end: ippeveprinter and snmpd as one bizhub, `platen agent` as its own process, and the product
// with a catalog and rules for it.

const KM = 'konica-minolta';
const release = (version: string, more: object = {}) => ({ version, status: 'released', ...more });
const CATALOG = {
  catalog: 'bizhub.1',
  apparatus: [
    {
      model: 'bizhub C360i',
      slots: [
        { kind: 'engine', models: ['Engine'], min: 1, max: 1 },
        { kind: 'finisher', models: ['FS-539'], min: 0, max: 1 },
        { kind: 'feeder', models: ['PC-216', 'LU-302'], min: 0, max: 2 },
        { kind: 'adf', models: ['DF-714'], min: 0, max: 1 },
      ],
    },
  ],
  units: [
    {
      model: 'FS-539',
      kind: 'finisher',
      requires: [{ software: `${KM}.fs-539`, range: '>=G00-17', because: 'the new staples' }],
    },
  ],
  software: [
    {
      id: `${KM}.controller`,
      vendor: KM,
      scheme: 'text',
      on: { kind: 'apparatus' },
      releases: [release('G00-K4')],
    },
    { id: `${KM}.engine`, vendor: KM, scheme: 'text', on: { kind: 'engine' }, releases: [release('G00-K2')] },
    {
      id: `${KM}.fs-539`,
      vendor: KM,
      scheme: 'text',
      on: { kind: 'finisher' },
      releases: [release('G00-15'), release('G00-17')],
    },
    { id: `${KM}.df-714`, vendor: KM, scheme: 'text', on: { kind: 'adf' }, releases: [release('G00-08')] },
    { id: `${KM}.pc-216`, vendor: KM, scheme: 'text', on: { kind: 'feeder' }, releases: [release('G00-05')] },
    { id: `${KM}.lu-302`, vendor: KM, scheme: 'text', on: { kind: 'feeder' }, releases: [release('G00-02')] },
  ],
};
const RULES = {
  rules: 'bizhub.1',
  list: [
    {
      id: 'finisher-jam',
      title: 'Finisher entrance jams too often',
      scope: { models: ['bizhub C3*'], kind: 'finisher' },
      where: {
        all: [
          ['code', 'prefix', 'J-72'],
          ['severity', '>=', 'error'],
        ],
      },
      by: ['printer', 'unit'],
      when: { count: { ge: 2, over: 'PT72H' } },
      clear: { quiet: 'PT4S' },
      dedup: 'PT1S',
      late: 'PT0S',
    },
  ],
};

const ID = 'bizhub-7';
const PLAIN = 'eve-1';
const setting = useProduct({ catalog: CATALOG, rules: RULES });
let folder: string;
let config: string;
let ipp: IppPrinter;
/** A second printer, over IPP only, with ippeveprinter's own supplies. */
let plain: IppPrinter;
let snmp: SnmpPrinter;
let agent: ChildProcess | undefined;

beforeAll(async () => {
  folder = temporaryFolder('platen-real-');
  config = join(folder, 'agents.json');
  [ipp, plain, snmp] = await Promise.all([
    startIppPrinter(),
    startIppPrinter({ plain: true }),
    startSnmpPrinter(),
  ]);
});
afterAll(async () => {
  const stopped = await Promise.allSettled([stopAgent(), ipp.stop(), plain.stop(), snmp.stop()]);
  rmSync(folder, { recursive: true, force: true });
  expect(stopped.filter(({ status }) => status !== 'fulfilled')).toEqual([]);
});

async function startAgent(): Promise<void> {
  const root = fileURLToPath(new URL('../', import.meta.url));
  const child = spawn(
    process.execPath,
    [...WITH_TYPES, join(root, 'cli/platen.ts'), 'agent', '--config', config],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  agent = child;
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('ready')) return;
  }
  throw new Error(`platen agent ended with ${child.exitCode}`);
}

async function stopAgent(): Promise<void> {
  const child = agent;
  agent = undefined;
  if (!child) return;
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  expect(child.exitCode).toBe(0);
}

test('the printer is added by its addresses, found to be what it is, and judged', async () => {
  const { password } = await setting.operator.call('printers.enroll', { printer: ID });
  const urls = [ipp.url, `snmp://127.0.0.1:${snmp.port}`];
  const added = await platen([
    ...['agent', 'add', ...urls, '--config', config, '--printer', ID],
    ...['--password', String(password), '--broker', setting.product.mqtt, '--site', 'berlin-3', '--pin'],
  ]);
  expect(added.stderr).toBe('');
  expect(added).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(`added ${ID} (bizhub C360i, A9KEKM0001234)`),
  });
  expect(statSync(config).mode & 0o777).toBe(0o600);
  const written = JSON.parse(readFileSync(config, 'utf8')) as { printers: object[] };
  const second = await setting.operator.call('printers.enroll', { printer: PLAIN });
  const printers = [
    ...written.printers,
    { printer: PLAIN, password: String(second['password']), site: 'berlin-3', urls: [plain.url] },
  ];
  writeFileSync(config, JSON.stringify({ ...written, printers, poll: 'PT1S', full: 'PT2S' }));
  const ear = await setting.listen(`platen/v1/printers/${ID}/#`);
  await startAgent();
  const structure = await ear.hear<Structure>(`platen/v1/printers/${ID}/structure`);
  expect(structure).toMatchObject({
    reason: 'connect',
    site: 'berlin-3',
    apparatus: { model: 'bizhub C360i', serial: 'A9KEKM0001234' },
  });
  expect(
    structure.units.map(({ symbol, model, serial, software }) => [
      symbol,
      model,
      serial,
      software?.[0]?.version,
    ]),
  ).toEqual([
    ['input.1', 'PC-216', 'A1A1A1', 'G00-05'],
    ['input.2', 'LU-302', 'B2B2B2', 'G00-02'],
    ['engine', 'Engine', undefined, 'G00-K2'],
    ['finisher.1', 'FS-539', undefined, 'G00-15'],
    ['adf', 'DF-714', undefined, 'G00-08'],
  ]);
  const verdict = await ear.hear<Verdict>(`platen/v1/printers/${ID}/verdict`);
  expect(verdict.status).toBe('incompatible');
  expect(verdict.findings[0]?.message).toContain('the new staples');
  // Nothing can be installed over IPP and SNMP, but the verdict still says what a technician should bring.
  expect(verdict.remedy?.software).toEqual([
    { subject: `finisher.1:${KM}.fs-539`, from: 'G00-15', to: 'G00-17' },
  ]);
});

test('jams are entries with the maker’s code, open a trouble by the rules, and it closes when they end', async () => {
  const entries = async () => {
    const { items } = (await setting.operator.call('printers.errors', { printer: ID })) as {
      items: Record<string, unknown>[];
    };
    return items;
  };
  const jams = async () => (await entries()).filter(({ code }) => code === 'J-7218').length;
  const cleared = async () => (await entries()).filter(({ code }) => code === 'condition-cleared').length;
  for (let n = 1; n <= 2; n++) {
    snmp.set({ ...BIZHUB, ...JAM, ...TONER_LOW });
    await eventually(async () => (await jams()) === n, `jam ${n}`);
    snmp.set({ ...BIZHUB, ...TONER_LOW });
    await eventually(async () => (await cleared()) === n, `the end of jam ${n}`);
  }
  expect((await entries()).find(({ code }) => code === 'J-7218')).toMatchObject({
    severity: 'error',
    unit: 'finisher.1',
    pages: 120345,
    detail: { keyword: 'media-jam', description: 'J-7218 changed', location: 7201 },
  });
  // The toner stays low: one entry.
  expect((await entries()).filter(({ code }) => code === 'toner-low')).toHaveLength(1);
  const trouble = async () => {
    const { items } = (await setting.operator.call('troubles.list', { printer: ID })) as { items: Trouble[] };
    return items[0];
  };
  const seen = await eventually(trouble, 'the trouble');
  expect(seen).toMatchObject({ rule: 'finisher-jam', unit: 'finisher.1' });
  await eventually(async () => (await trouble())?.state === 'cleared', 'the end of the trouble');
});

test('pages and supplies of an SNMP and an IPP printer come into the reports as they change', async () => {
  const toner = (level: number) => supplyRow(4, 3, 'Toner (Black)', level);
  snmp.set({ ...BIZHUB, ...markerRow(120_345), ...toner(42), ...supplyRow(13, 4, 'Waste Toner Box', -3) });
  type Supply = Record<string, unknown>;
  const supply = async (printer: string, symbol: string, fits: (found: Supply) => boolean) =>
    eventually(async () => {
      const { items } = (await setting.operator.call('reports.supplies', { limit: 100 })) as {
        items: Supply[];
      };
      const found = items.find((item) => item['printer'] === printer && item['symbol'] === symbol);
      return found !== undefined && fits(found) && found;
    }, `${symbol} of ${printer}`);
  expect(await supply(ID, 'supply.4', ({ level }) => level === 42)).toMatchObject({
    ...{
      kind: 'toner',
      color: 'black',
      capacity: 100,
      measure: 'percent',
      known: 'exact',
      state: 'ok',
      left: 0.42,
    },
  });
  expect(await supply(ID, 'supply.13', () => true)).toMatchObject({ kind: 'waste', known: 'some' });
  snmp.set({ ...BIZHUB, ...markerRow(120_400), ...toner(0), ...supplyRow(13, 4, 'Waste Toner Box', -3) });
  await supply(ID, 'supply.4', ({ level, state }) => level === 0 && state === 'empty');

  expect(await supply(PLAIN, 'supply.2', ({ level }) => level === 75)).toMatchObject({
    ...{ kind: 'toner', color: 'black', model: 'Black Toner', state: 'ok' },
  });
  await plain.setLevels('supplies', { supply1: 5 });
  await supply(PLAIN, 'supply.2', ({ level, state }) => level === 5 && state === 'low');

  // Counting starts at the first reading.
  const pages = await eventually(async () => {
    const { items } = (await setting.operator.call('reports.pages', { by: 'printer' })) as {
      items: { name: string; pages: number }[];
    };
    const found = items.find(({ name }) => name === ID);
    return found !== undefined && found.pages >= 55 && found;
  }, 'the pages');
  expect(pages.pages).toBe(55);
});

test('an agent that was stopped says nothing twice; firmware that changed meanwhile is a change and cures the verdict', async () => {
  const count = async () =>
    ((await setting.operator.call('printers.errors', { printer: ID })) as { items: unknown[] }).items.length;
  const before = await count();
  const ear = await setting.listen(`platen/v1/printers/${ID}/verdict`);
  await stopAgent();
  await startAgent();
  await ipp.restart(
    BIZHUB_FIRMWARE.map((row) => (row[0] === 'Finisher FS-539' ? [row[0], 'G00-17', '00000017'] : row)),
  );
  await ear.hear<Verdict>(`platen/v1/printers/${ID}/verdict`, ({ status }) => status === 'compatible');
  const changes = await changesOf(setting.operator, ID);
  expect(JSON.stringify(changes)).toContain('G00-17');
  expect(await count()).toBe(before);
});
