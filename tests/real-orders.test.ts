import { createHash } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { type RunningAgents, startAgents } from '../agent/process/agents.ts';
import { loadConfig } from '../agent/process/config.ts';
import { openRepository } from '../releases/repository.ts';
import { printerTopic } from '../schemas/topics.ts';
import type { FleetEvent, Order, Structure, UpdateReport, Verdict } from '../schemas/types.ts';
import { ACCESS_CODE, type BambuPrinter, SERIAL, startBambuPrinter } from './far-sides/bambu.ts';
import { type FirmwarePrinter, startFirmwarePrinter } from './far-sides/ipp-firmware.ts';
import { type IppPrinter, startIppPrinter } from './far-sides/ippeveprinter.ts';
import { type SnmpPrinter, startSnmpPrinter } from './far-sides/snmpd.ts';
import type { Ear } from './harness/ear.ts';
import { temporaryFolder } from './harness/folder.ts';
import { imageOf, sample } from './harness/samples.ts';
import { sampleSpec, useProduct } from './harness/setting.ts';

// Orders for real printers, from the verdict to the proof: one that its maker's tool can install on (the `command`
// driver), and read-only ones. The product, its release repository and the agents' process code are the real ones.

const KM = 'konica-minolta';
const EVENTS = 'platen/v1/fleet/events/order';

/** The sample catalog, with a bizhub and a Bambu that each lack one version. */
function catalog(): Record<string, unknown> {
  const { apparatus, units, software, ...rest } = sample('catalog.json') as {
    apparatus: { model: string }[];
    units: object[];
    software: object[];
  };
  const product = (id: string, kind: string, scheme: string, versions: string[]) => ({
    id,
    vendor: id.slice(0, id.indexOf('.')),
    scheme,
    on: { kind },
    releases: versions.map((version) => ({ version })),
  });
  return {
    ...rest,
    catalog: 'real-orders.1',
    apparatus: [
      ...apparatus.filter(({ model }) => model !== 'bizhub C360i'),
      { model: 'bizhub C360i' },
      { model: 'X1 Carbon' },
      {
        model: 'FW7',
        requires: [{ software: 'fwco.controller', range: '>=1.1', because: 'the new signatures' }],
      },
    ],
    units: [
      ...units,
      {
        model: 'FS-539',
        kind: 'finisher',
        requires: [{ software: `${KM}.fs-539`, range: '>=G00-17', because: 'the new staples' }],
      },
      {
        model: 'AMS',
        kind: 'ams',
        requires: [{ software: 'bambu.ams', range: '>=00.00.06.49', because: 'the new spools' }],
      },
    ],
    software: [
      ...software,
      product(`${KM}.controller`, 'apparatus', 'text', ['G00-K4']),
      product(`${KM}.engine`, 'engine', 'text', ['G00-K2']),
      product(`${KM}.fs-539`, 'finisher', 'text', ['G00-15', 'G00-17']),
      product(`${KM}.df-714`, 'adf', 'text', ['G00-08']),
      product(`${KM}.pc-216`, 'feeder', 'text', ['G00-05']),
      product(`${KM}.lu-302`, 'feeder', 'text', ['G00-02']),
      product('fwco.controller', 'apparatus', 'dotted', ['1.0', '1.1']),
      product('bambu.ota', 'apparatus', 'text', ['01.08.02.00']),
      product('bambu.mc', 'mc', 'text', ['00.00.30.70']),
      product('bambu.th', 'th', 'text', ['00.00.09.20']),
      product('bambu.ams', 'ams', 'text', ['00.00.06.44', '00.00.06.49']),
    ],
  };
}

const TOOL = fileURLToPath(new URL('far-sides/vendor-tool.mjs', import.meta.url));
const setting = useProduct({ catalog: catalog(), releases: true });
let folder: string;
let ipp: IppPrinter;
let snmp: SnmpPrinter;
let bambu: BambuPrinter;
/** No real printer has IPP Firmware Update yet, so this far side is our own. */
let updatable: FirmwarePrinter;
const running: RunningAgents[] = [];

beforeAll(async () => {
  folder = temporaryFolder('platen-real-orders-');
  [ipp, snmp, bambu, updatable] = await Promise.all([
    startIppPrinter(),
    startSnmpPrinter(),
    startBambuPrinter(),
    startFirmwarePrinter([['Controller', '1.0']], 'FWCo'),
  ]);
});
afterAll(async () => {
  const stopped = await Promise.allSettled([
    ...running.map((agents) => agents.stop()),
    ipp.stop(),
    snmp.stop(),
    bambu.stop(),
    updatable.stop(),
  ]);
  rmSync(folder, { recursive: true, force: true });
  expect(stopped.filter(({ status }) => status === 'rejected')).toEqual([]);
});

/** A printer that the vendor's tool drives, and the file that is its printer. */
function toolPrinter(printer: string) {
  const file = join(folder, `${printer}.printer.json`);
  const { structure } = sampleSpec({ 'acme.engine': '2.4.0' });
  // Its finisher would have the same symbol as the bizhub's, whose software it does not have.
  const units = structure.units.filter(({ symbol }) => symbol === 'engine');
  writeFileSync(file, JSON.stringify({ structure: { ...structure, units }, pages: 120_000 }));
  return {
    entry: {
      printer,
      urls: ['command://vendor-tool'],
      command: { run: [process.execPath, TOOL, file] },
    },
    read: () =>
      JSON.parse(readFileSync(file, 'utf8')) as {
        structure: Structure;
        installed?: { to: string; sha256: string }[];
      },
  };
}

/** Enrols printers and runs their agents as `platen agent` does. @returns what is received from each, in order */
async function speakFor(name: string, printers: { printer: string; urls: string[] }[], root: boolean) {
  const config = join(folder, `${name}.json`);
  if (root) {
    const bytes = openRepository(join(setting.product.data, 'repository')).rootBytes();
    if (!bytes) throw new Error('the product has no release repository');
    writeFileSync(join(folder, '1.root.json'), bytes);
  }
  const enrolled: object[] = [];
  for (const printer of printers) {
    const { password } = await setting.operator.call('printers.enroll', { printer: printer.printer });
    enrolled.push({ ...printer, password: String(password) });
  }
  writeFileSync(
    config,
    JSON.stringify({
      broker: { url: setting.product.mqtt },
      data: join(folder, name),
      ...(root ? { root: '1.root.json' } : {}),
      poll: 'PT1S',
      printers: enrolled,
    }),
  );
  const ears: Ear[] = [];
  for (const { printer } of printers) ears.push(await setting.listen(`platen/v1/printers/${printer}/#`));
  const agents = await startAgents(loadConfig(config), pino({ level: 'silent' }), {
    reconnectMs: { first: 50, most: 500 },
  });
  running.push(agents);
  expect(agents.printers).toBe(printers.length);
  return ears;
}

/** The order that follows from the verdict, and the printer's first final report on it. */
async function orderAndEnd(ear: Ear, id: string, ...ends: UpdateReport['state'][]) {
  const order = await ear.hear<Order>(printerTopic.order(id));
  const told: UpdateReport[] = [];
  for (;;) {
    const report = await ear.hear<UpdateReport>(printerTopic.update(id));
    expect(report).toMatchObject({ execution: order.execution, attempt: order.attempt });
    told.push(report);
    if (ends.includes(report.state)) return { order, told, end: report };
  }
}

test('an agent that was given no root installs nothing, and says what it lacks', async () => {
  const id = 'tool-2';
  const tool = toolPrinter(id);
  const [ear] = (await speakFor('without-root', [tool.entry], false)) as [Ear];
  const { end } = await orderAndEnd(ear, id, 'claimed', 'failed', 'rejected');
  expect(end).toMatchObject({ state: 'rejected', error: { code: 'update/no-root' } });
  expect(tool.read().installed).toBeUndefined();
  expect(tool.read().structure.units[0]?.software?.[0]?.version).toBe('2.4.0');
});

test('the maker’s tool installs: verdict → order → download → installed → claimed → proven by a new session', async () => {
  const id = 'tool-1';
  const events = await setting.listen(EVENTS);
  const tool = toolPrinter(id);
  const [ear] = (await speakFor('with-root', [tool.entry], true)) as [Ear];
  const judged = await ear.hear<Structure>(printerTopic.structure(id));
  const verdict = await ear.hear<Verdict>(printerTopic.verdict(id));
  expect(verdict.status).toBe('incompatible');
  const to = verdict.remedy?.software?.[0]?.to ?? '';
  expect(verdict.remedy?.software).toEqual([{ subject: 'engine:acme.engine', from: '2.4.0', to }]);

  const { order, told } = await orderAndEnd(ear, id, 'claimed', 'failed', 'rejected', 'rolled-back');
  const states = told.map(({ state }) => state).filter((state, i, all) => state !== all[i - 1]);
  expect(states).toEqual(['accepted', 'downloading', 'verified', 'installing', 'self-testing', 'claimed']);
  // The tool received the images as published, in the order's steps.
  expect(tool.read().installed).toEqual(
    order.steps.map((step) => ({
      to: step.to,
      sha256: createHash('sha256')
        .update(imageOf(`acme.engine ${step.to}`))
        .digest('hex'),
    })),
  );

  const after = await ear.hear<Structure>(printerTopic.structure(id), (s) => s.session !== judged.session);
  expect(after.units[0]?.software).toMatchObject([{ id: 'acme.engine', version: to }]);
  const proven = await events.hear<FleetEvent>(
    EVENTS,
    ({ printer, what }) => printer === id && what === 'proven',
  );
  expect(proven.printer).toBe(id);
});

test('IPP Firmware Update: order → accepted → installing → claimed → proven by its own structure', async () => {
  const id = 'ipp-fw-1';
  const events = await setting.listen(EVENTS);
  updatable.repository = [['Controller', '1.1']];
  const printer = {
    printer: id,
    urls: [updatable.url],
    ipp: { firmwareUpdate: { repositories: ['https://firmware.acme.example/fw7'], pollMs: 50 } },
  };
  const [ear] = (await speakFor('ipp-firmware', [printer], true)) as [Ear];
  const judged = await ear.hear<Structure>(printerTopic.structure(id));
  expect(judged.apparatus.software).toMatchObject([{ id: 'fwco.controller', version: '1.0' }]);
  const { order, told } = await orderAndEnd(ear, id, 'claimed', 'failed', 'rejected', 'rolled-back');
  expect(order.steps).toMatchObject([{ subject: 'apparatus:fwco.controller', from: '1.0', to: '1.1' }]);
  const states = told.map(({ state }) => state).filter((state, i, all) => state !== all[i - 1]);
  expect(states).toEqual(['accepted', 'downloading', 'verified', 'installing', 'self-testing', 'claimed']);
  expect(updatable.asked.map(({ operation }) => operation)).toEqual([0x6b, 0x6c]);
  const after = await ear.hear<Structure>(printerTopic.structure(id), (s) => s.session !== judged.session);
  expect(after.apparatus.software).toMatchObject([{ id: 'fwco.controller', version: '1.1' }]);
  await events.hear<FleetEvent>(EVENTS, ({ printer: of, what }) => of === id && what === 'proven');
});

test('printers that are only read reject their order in words for an operator; the verdict names what to bring', async () => {
  const events = await setting.listen(EVENTS);
  const finisher = { subject: `finisher.1:${KM}.fs-539`, from: 'G00-15', to: 'G00-17' };
  const printers = [
    { printer: 'read-snmp', urls: [`snmp://127.0.0.1:${snmp.port}`], bring: finisher, kind: 'SNMP' },
    { printer: 'read-ipp', urls: [ipp.url], bring: finisher, kind: 'IPP' },
    {
      printer: 'read-bambu',
      urls: [`bambu://${SERIAL}@127.0.0.1:${bambu.port}`],
      bambu: { accessCode: ACCESS_CODE, fingerprint: bambu.fingerprint },
      bring: { subject: 'ams.0:bambu.ams', from: '00.00.06.44', to: '00.00.06.49' },
      kind: 'BAMBU',
    },
  ];
  const ears = await speakFor(
    'read-only',
    printers.map(({ bring: _, kind: __, ...printer }) => printer),
    true,
  );
  for (const [i, { printer, bring, kind }] of printers.entries()) {
    const ear = ears[i]!;
    const { order, end } = await orderAndEnd(ear, printer, 'claimed', 'failed', 'rejected');
    expect(order.steps.map(({ subject, to }) => ({ subject, to }))).toEqual([
      { subject: bring.subject, to: bring.to },
    ]);
    expect(end).toMatchObject({ state: 'rejected', error: { code: 'update/cannot-install' } });
    expect(end.error?.message).toContain(`${kind} only reads this printer. A technician`);
    const event = await events.hear<FleetEvent>(
      EVENTS,
      (told) => told.printer === printer && told.what === 'rejected',
    );
    expect(JSON.stringify(event)).toContain(`${kind} only reads this printer`);
  }
  // The retained verdict is what a technician reads.
  for (const { printer, bring } of printers) {
    const later = await setting.listen(printerTopic.verdict(printer));
    const verdict = await later.hear<Verdict>(printerTopic.verdict(printer));
    expect(verdict).toMatchObject({ status: 'incompatible', remedy: { software: [bring] } });
    const { verdictDocument } = (await setting.operator.call('printers.get', { printer })) as {
      verdictDocument: Verdict;
    };
    expect(verdictDocument.remedy?.software).toEqual([bring]);
  }
  // A repeated structure does not bring back an order that the printer rejected as impossible.
  for (const [i, { printer }] of printers.entries()) {
    await setting.operator.call('structure.request', { printer });
    await ears[i]!.hear<Structure>(printerTopic.structure(printer), ({ reason }) => reason === 'request');
  }
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  for (const [i, { printer }] of printers.entries()) {
    expect(ears[i]!.all(printerTopic.order(printer))).toEqual([]);
  }
  expect(new Set(bambu.asked)).toEqual(new Set(['get_version', 'pushall']));
});
