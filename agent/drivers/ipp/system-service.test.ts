import {
  type IppServer,
  message,
  number,
  startIppServer,
  systemMessage,
  TAG,
  wire,
  wires,
} from '../../../tests/far-sides/ipp-server.ts';
import { MappingTables } from '../../mapping/tables.ts';
import { IppReader } from './ipp-reader.ts';

// The attributes come from a program made with PAPPL 1.3 (PWG 5100.22); the bytes are ours.

const mapping = new MappingTables();
let server: IppServer | undefined;
afterEach(() => server?.stop());

const PRINTER = [
  wire(TAG.text, 'printer-make-and-model', 'Acme 7'),
  wire(TAG.text, 'printer-device-id', 'MFG:Acme;MDL:Acme 7 Pro;'),
  wire(TAG.keyword, 'printer-state-reasons', 'none'),
  wire(TAG.enum, 'printer-state', number(3)),
];
const FIRMWARE = [
  wires(TAG.name, 'system-firmware-name', ['Controller', 'Engine', 'libacme']),
  wires(TAG.text, 'system-firmware-string-version', ['3.1.0', '2.4.0', '1.3.1']),
  wires(TAG.text, 'system-firmware-patches', ['', '', '']),
  wires(TAG.octets, 'system-firmware-version', [
    Buffer.from([0, 3, 0, 1]),
    Buffer.from([0, 2, 0, 4]),
    Buffer.from([0, 1, 0, 3]),
  ]),
];
const SYSTEM = [
  wire(TAG.text, 'system-serial-number', 'ACME-0007'),
  ...FIRMWARE,
  wire(TAG.keyword, 'system-state-reasons', 'hardware-failure-error'),
  wire(TAG.integer, 'system-up-time', number(77)),
];

const software = (reader: IppReader) =>
  reader
    .read()
    .then(({ structure }) =>
      [structure.apparatus, ...structure.units].flatMap((unit) =>
        (unit.software ?? []).map(({ id, version }) => `${id} ${version}`),
      ),
    );

test('versions, serial number and state come from the System Service where the printer itself has none', async () => {
  let target = '';
  server = await startIppServer((path, response, body) => {
    if (path === '/ipp/system') target = body.toString('latin1');
    response.end(path === '/ipp/system' ? systemMessage(...SYSTEM) : message(...PRINTER));
  });
  const reader = new IppReader({ url: `${server.url}/ipp/print` }, mapping);
  const { structure, conditions, upTimeTicks, identity } = await reader.read();
  expect(target).toContain(`system-uri`);
  expect(target).toContain(`${server.url}/ipp/system`);
  expect(structure).toEqual({
    apparatus: {
      model: '7 Pro',
      serial: 'ACME-0007',
      software: [
        { id: 'acme.controller', vendor: 'acme', version: '3.1.0' },
        { id: 'acme.libacme', vendor: 'acme', version: '1.3.1' },
      ],
    },
    units: [
      {
        symbol: 'engine',
        kind: 'engine',
        model: 'Engine',
        software: [{ id: 'acme.engine', vendor: 'acme', version: '2.4.0' }],
      },
    ],
  });
  expect(conditions).toEqual([expect.objectContaining({ code: 'hardware-failure', severity: 'error' })]);
  expect(upTimeTicks).toBe(7_700);
  expect(identity.serials).toEqual({ ipp: 'ACME-0007' });
});

test('of what both name the printer’s word stands, and the system adds what it alone has', async () => {
  server = await startIppServer((path, response) => {
    response.end(
      path === '/ipp/system'
        ? systemMessage(...SYSTEM)
        : message(
            ...PRINTER,
            wires(TAG.name, 'printer-firmware-name', ['Controller', 'Finisher']),
            wires(TAG.text, 'printer-firmware-string-version', ['3.1.9', '1.1']),
          ),
    );
  });
  const reader = new IppReader({ url: `${server.url}/ipp/print` }, mapping);
  expect(await software(reader)).toEqual([
    'acme.controller 3.1.9',
    'acme.libacme 1.3.1',
    'acme.finisher 1.1',
    'acme.engine 2.4.0',
  ]);
});

test('a printer without one is asked once, not at every read', async () => {
  server = await startIppServer((path, response) => {
    if (path === '/ipp/system') response.writeHead(404);
    response.end(path === '/ipp/system' ? undefined : message(...PRINTER));
  });
  const reader = new IppReader({ url: `${server.url}/ipp/print` }, mapping);
  for (let i = 0; i < 3; i++) expect(await software(reader)).toEqual([]);
  expect(server.asked).toEqual({ '/ipp/print': 3, '/ipp/system': 1 });
});

test('one that is late is no change of the printer, and ends nothing that held', async () => {
  let late = false;
  server = await startIppServer((path, response) => {
    if (path === '/ipp/system' && late) return;
    response.end(path === '/ipp/system' ? systemMessage(...SYSTEM) : message(...PRINTER));
  });
  const reader = new IppReader({ url: `${server.url}/ipp/print`, timeoutMs: 300 }, mapping);
  const before = await reader.read();
  expect(before.conditionsWhole).toBe(true);
  late = true;
  const after = await reader.read();
  expect(after.structure).toEqual(before.structure);
  expect(after.conditionsWhole).toBe(false);
  late = false;
  expect((await reader.read()).conditionsWhole).toBe(true);
});
