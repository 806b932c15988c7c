import { pino } from 'pino';
import { BIZHUB_FIRMWARE, type IppPrinter, startIppPrinter } from '../../../tests/far-sides/ippeveprinter.ts';
import type { PrinterEvent } from '../../driver.ts';
import { MappingTables } from '../../mapping/tables.ts';
import { PolledDriver } from '../polled-driver.ts';
import { IppReader } from './ipp-reader.ts';

const mapping = new MappingTables();
let printer: IppPrinter;

beforeAll(async () => {
  printer = await startIppPrinter();
});
afterAll(() => printer.stop());

test.each([
  ['at its address', (port: number) => ({ url: `ipp://localhost:${port}/ipp/print` })],
  ['without a path', (port: number) => ({ url: `ipp://localhost:${port}` })],
  ['over TLS with its own certificate', (port: number) => ({ url: `ipps://localhost:${port}/ipp/print` })],
])('ippeveprinter is read %s', async (_, access) => {
  const reading = await new IppReader(access(printer.port), mapping).read();
  expect(reading.structure).toEqual({
    apparatus: {
      model: 'bizhub C360i',
      serial: 'A9KEKM0001234',
      software: [{ id: 'konica-minolta.controller', vendor: 'konica-minolta', version: 'G00-K4' }],
    },
    units: [
      {
        symbol: 'engine',
        kind: 'engine',
        model: 'Engine',
        software: [{ id: 'konica-minolta.engine', vendor: 'konica-minolta', version: 'G00-K2' }],
      },
      {
        symbol: 'finisher.1',
        kind: 'finisher',
        model: 'FS-539',
        software: [{ id: 'konica-minolta.fs-539', vendor: 'konica-minolta', version: 'G00-15' }],
      },
      {
        symbol: 'adf',
        kind: 'adf',
        model: 'DF-714',
        software: [{ id: 'konica-minolta.df-714', vendor: 'konica-minolta', version: 'G00-08' }],
      },
    ],
  });
  expect(reading).toMatchObject({ conditions: [], conditionsWhole: true, counters: { printing: false } });
});

test('another certificate than the pinned one is refused before anything is asked', async () => {
  const reader = new IppReader(
    { url: `ipps://localhost:${printer.port}/ipp/print`, fingerprint: '00'.repeat(32) },
    mapping,
  );
  await expect(reader.read()).rejects.toThrow(/pinned/);
});

test('a jam raised by the engine is told and goes; other firmware after a restart is a change', async () => {
  const told: PrinterEvent[] = [];
  let changes = 0;
  const driver = new PolledDriver(new IppReader({ url: printer.url }, mapping), {
    pollMs: 50,
    fullMs: 50,
    silentMs: 60_000,
    log: pino({ level: 'silent' }),
    random: () => 0,
  });
  const until = async (what: string, holds: () => boolean) => {
    for (let i = 0; i < 2_000 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 25));
    if (!holds()) throw new Error(`not seen: ${what}; told ${JSON.stringify(told)}`);
  };
  // ippeveprinter calls a reason a warning while it prints and a report once it is idle; a jam is an error by the table.
  await driver.start({ error: (event) => told.push(event), changed: () => changes++ });
  await driver.readStructure();
  await printer.print(['STATE: +media-jam,cover-open']);
  await until('the jam', () => told.length >= 2);
  expect(told).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ code: 'media-jam', severity: 'error' }),
      expect.objectContaining({ code: 'cover-open', severity: expect.stringMatching(/^(warning|info)$/) }),
    ]),
  );
  await printer.print(['STATE: none']);
  await until('the end of the jam', () =>
    told.some(
      (event) =>
        event.code === 'condition-cleared' && (event.detail as { code: string }).code === 'media-jam',
    ),
  );
  expect(changes).toBe(0);
  await printer.restart([
    ...BIZHUB_FIRMWARE.slice(0, 1),
    ['Engine', 'G00-K9', '00000049'],
    ...BIZHUB_FIRMWARE.slice(2),
  ]);
  await until('the change', () => changes > 0);
  expect((await driver.readStructure()).units[0]?.software?.[0]?.version).toBe('G00-K9');
  await driver.stop();
});

test('where nobody listens the reason is told', async () => {
  await expect(
    new IppReader({ url: 'ipp://127.0.0.1:1/ipp/print', timeoutMs: 500 }, mapping).read(),
  ).rejects.toThrow(/ECONNREFUSED/);
});
