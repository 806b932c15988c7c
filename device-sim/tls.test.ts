/** Both transports over TLS, against a mosquitto whose certificate is signed by a private authority. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mqttTransport } from '../agent/mqtt-transport.ts';
import type { Transport } from '../agent/transport.ts';
import { issueLeaf, makeAuthority } from '../broker/access/certificates.ts';
import { type Mosquitto, startMosquitto } from '../tests/mosquitto.ts';
import { rawTransport } from './raw-transport.ts';

const HOUR_MS = 3_600_000;
const folder = mkdtempSync(join(tmpdir(), 'platen-tls-'));
let broker: Mosquitto;
let url: string;
let ca: string;

beforeAll(async () => {
  const now = Date.now();
  const authority = await makeAuthority('test', now, HOUR_MS);
  const server = await issueLeaf(authority, {
    name: 'broker',
    usage: 'server',
    hosts: ['127.0.0.1'],
    nowMs: now,
    validMs: HOUR_MS,
  });
  ca = authority.certificate;
  for (const [name, text] of Object.entries({ 'server.crt': server.certificate, 'server.key': server.key })) {
    writeFileSync(join(folder, name), text);
  }
  broker = await startMosquitto({
    config: [`certfile ${join(folder, 'server.crt')}`, `keyfile ${join(folder, 'server.key')}`],
  });
  url = broker.url.replace('mqtt:', 'mqtts:');
});
afterAll(async () => {
  await broker.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** The outcome of one connection: its own message echoed back, or the reason for none. */
function echo(transport: Transport): Promise<string> {
  return new Promise((resolve) => {
    const connection = transport.connect(
      {
        clientId: 'x',
        username: 'x',
        will: { topic: 'will', payload: 'gone' },
        filters: ['echo'],
        keepalive: 60,
        timeoutMs: 5_000,
      },
      {
        connected: () => connection.publish('echo', 'hello', true, () => {}),
        message: (_topic, payload) => {
          connection.end();
          resolve(payload.toString());
        },
        closed: (reason) => resolve(reason?.message ?? 'closed'),
      },
    );
  });
}

test('mqtts:// with the authority that signed the broker', async () => {
  const raw = rawTransport(url, ca);
  expect(await echo(raw)).toBe('hello');
  raw.close();
  expect(await echo(mqttTransport({ url, ca }))).toBe('hello');
});

test('a broker with an untrusted certificate is refused', async () => {
  const raw = rawTransport(url);
  expect(await echo(raw)).toMatch(/unable to (get local issuer|verify the first) certificate/);
  raw.close();
  expect(await echo(mqttTransport({ url }))).toMatch(
    /unable to (get local issuer|verify the first) certificate/,
  );
});
