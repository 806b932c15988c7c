import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { gzipSync } from 'node:zlib';
import { pino } from 'pino';
import { type IppServer, message, startIppServer, TAG, wire } from '../../../tests/far-sides/ipp-server.ts';
import { MappingTables } from '../../mapping/tables.ts';
import { PolledDriver } from '../polled-driver.ts';
import { IppReader } from './ipp-reader.ts';

// Printers with special request requirements are still read, or the error says what to do.

const mapping = new MappingTables();
let server: IppServer | undefined;
afterEach(async () => {
  await server?.stop();
  server = undefined;
});

const GOOD = message(
  wire(TAG.text, 'printer-make-and-model', 'Acme P7'),
  wire(TAG.keyword, 'printer-state-reasons', 'media-jam-error'),
);
const refusal = (status: number) => Buffer.from([2, 0, status >> 8, status & 255, 0, 0, 0, 1, 1, 3]);
const version = (body: Buffer) => `${body[0]}.${body[1]}`;
const names = (body: Buffer) => body.includes('requesting-user-name');

type Habit = (body: Buffer, response: ServerResponse) => void;
const refuses =
  (status: number, when: (body: Buffer) => boolean): Habit =>
  (body, response) =>
    response.end(when(body) ? refusal(status) : GOOD);

const READ: Record<string, Habit> = {
  'knows only 1.1 and says 0x0503': refuses(0x0503, (body) => version(body) !== '1.1'),
  'knows only 1.1 and says 0x0400': refuses(0x0400, (body) => version(body) !== '1.1'),
  'knows only 1.0': refuses(0x0503, (body) => version(body) !== '1.0'),
  'says HTTP 400 for version 2.0': (body, response) => {
    if (version(body) === '2.0') response.statusCode = 400;
    response.end(version(body) === '2.0' ? '' : GOOD);
  },
  'refuses the list of attributes': refuses(0x0400, (body) => body.includes('requested-attributes')),
  'refuses a user name': refuses(0x0403, names),
  'compresses though nobody asked': (_, response) => {
    response.setHeader('content-encoding', 'gzip');
    response.end(gzipSync(GOOD));
  },
};

test.each(Object.entries(READ))('a printer that %s is read', async (_, habit) => {
  server = await startIppServer((_path, response, body) => habit(body, response));
  const reader = new IppReader({ url: `${server.url}/ipp/print`, timeoutMs: 2_000 }, mapping);
  const { structure, conditions } = await reader.read();
  expect(structure.apparatus.model).toBe('Acme P7');
  expect(conditions.map(({ code }) => code)).toEqual(['media-jam']);
  // It is remembered: the next read sends one request (and doesn't try the System Service again).
  const before = server.asked['/ipp/print'] ?? 0;
  await reader.read();
  expect(server.asked['/ipp/print']).toBe(before + 1);
});

/** Answers with a status, an encoding and bytes. */
const says = (bytes: Buffer, { status = 200, encoding }: { status?: number; encoding?: string } = {}) =>
  ((_, response) => {
    response.statusCode = status;
    if (encoding !== undefined) response.setHeader('content-encoding', encoding);
    response.end(bytes);
  }) satisfies Habit;

test.each<[string, Habit, RegExp]>([
  ['HTTP 426', says(Buffer.alloc(0), { status: 426 }), /use ipps:/],
  ['0x0503 for every version', says(refusal(0x0503)), /read it over SNMP/],
  ['0x0402', says(refusal(0x0402)), /ipp\.user and ipp\.password/],
  ['an encoding that nobody knows', says(GOOD, { encoding: 'br2' }), /encoding "br2"/],
  ['a bomb', says(gzipSync(Buffer.alloc(64 << 20)), { encoding: 'gzip' }), /can.t be unpacked/],
])('a printer that answers %s: the reason says what to do', async (_, answer, reason) => {
  server = await startIppServer((_path, response, body) => answer(body, response));
  const reader = new IppReader({ url: `${server.url}/ipp/print`, timeoutMs: 5_000 }, mapping);
  await expect(reader.read()).rejects.toThrow(reason);
});

test('two Content-Lengths that agree are one', async () => {
  const far = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      const length = `Content-Length: ${GOOD.length}\r\n`;
      const head = `HTTP/1.1 200 OK\r\nContent-Type: application/ipp\r\n${length}${length}\r\n`;
      socket.end(Buffer.concat([Buffer.from(head), GOOD]));
    });
  });
  await new Promise<void>((resolve) => far.listen(0, '127.0.0.1', resolve));
  const url = `ipp://127.0.0.1:${(far.address() as AddressInfo).port}/ipp/print`;
  const { structure } = await new IppReader({ url, timeoutMs: 2_000 }, mapping).read();
  expect(structure.apparatus.model).toBe('Acme P7');
  await new Promise((resolve) => far.close(resolve));
});

test('an error answer is no silence: nobody is told that the printer does not answer', async () => {
  let broken = false;
  server = await startIppServer((_path, response) => response.end(broken ? refusal(0x0500) : GOOD));
  const told: string[] = [];
  let nowMs = Date.now();
  const driver = new PolledDriver(
    new IppReader({ url: `${server.url}/ipp/print`, timeoutMs: 2_000 }, mapping),
    {
      pollMs: 20,
      fullMs: 20,
      silentMs: 1_000,
      log: pino({ level: 'silent' }),
      random: () => 0,
      now: () => nowMs,
    },
  );
  await driver.start({ error: ({ code }) => told.push(code), changed: () => {} });
  await driver.readStructure();
  for (let i = 0; i < 1_500 && told.length < 1; i++) await new Promise((resolve) => setTimeout(resolve, 20));
  broken = true;
  const asked = () => server?.asked['/ipp/print'] ?? 0;
  const before = asked();
  for (let i = 0; i < 200 && asked() < before + 12; i++) {
    nowMs += 1_000;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await driver.stop();
  expect(told).toEqual(['media-jam']);
});
