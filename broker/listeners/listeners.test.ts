import { type EventEmitter, once as onceOf } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import mqtt from 'mqtt';
import pino from 'pino';
import { connectPacket } from '../../tests/conformance/raw-client.ts';
import { Authority } from '../access/authority.ts';
import type { Credentials } from '../access/identity.ts';
import { type Broker, type BrokerOptions, createBroker } from '../broker.ts';
import { parseProxy, proxyBodyBytes } from './proxy-protocol.ts';

const log = pino({ level: 'silent' });
const ends: (() => unknown)[] = [];
const once = (emitter: unknown, event: string): Promise<unknown[]> => onceOf(emitter as EventEmitter, event);

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function start(options: Partial<BrokerOptions>): Promise<{ broker: Broker; shown: Credentials[] }> {
  const shown: Credentials[] = [];
  const broker = await createBroker({
    log,
    identity: {
      async authenticate(credentials) {
        shown.push(credentials);
        const name = credentials.certificateName ?? credentials.username;
        return name === undefined ? undefined : { name, role: 'printer' };
      },
    },
    ...options,
  });
  await broker.listen();
  ends.push(() => broker.close());
  return { broker, shown };
}

function header(address: number[], command = 1, family = 0x11): Buffer {
  const body = Buffer.from([...address, 127, 0, 0, 1, 0, 80, 0, 90]);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(body.length);
  return Buffer.concat([
    Buffer.from('0d0a0d0a000d0a515549540a', 'hex'),
    Buffer.from([0x20 | command, family]),
    length,
    body,
  ]);
}

test('PROXY v2 headers are parsed, and others are not', () => {
  const good = header([10, 1, 2, 3]);
  expect(proxyBodyBytes(good.subarray(0, 16))).toBe(12);
  expect(parseProxy(good.subarray(0, 16), good.subarray(16))).toEqual({ local: false, address: '10.1.2.3' });
  expect(parseProxy(header([10, 1, 2, 3], 0).subarray(0, 16), Buffer.alloc(0))).toEqual({ local: true });
  const six = Buffer.from(good);
  six[13] = 0x21;
  expect(parseProxy(six.subarray(0, 16), Buffer.alloc(36, 1))).toEqual({
    local: false,
    address: '101:101:101:101:101:101:101:101',
  });
  expect(parseProxy(six.subarray(0, 16), Buffer.alloc(12))).toBeUndefined();
  expect(proxyBodyBytes(Buffer.from('GET / HTTP/1.1\r\n'))).toBeUndefined();
  const v1 = Buffer.from(good);
  v1[12] = 0x11;
  expect(proxyBodyBytes(v1.subarray(0, 16))).toBeUndefined();
});

test('behind a trusted proxy the client address is the one that the header says; without a header nobody gets in', async () => {
  const { broker, shown } = await start({
    tcp: { host: '127.0.0.1', port: 0 },
    trustedProxies: ['127.0.0.1'],
  });
  const port = Number(new URL(broker.addresses['tcp'] as string).port);
  const connect = connectPacket({ clientId: 'p', username: 'p', password: 'x' });
  const socket = connectTcp(port, '127.0.0.1');
  ends.push(() => socket.destroy());
  // Cut where it hurts: within the header, and with CONNECT in the same segment.
  const bytes = Buffer.concat([header([10, 1, 2, 3]), connect]);
  socket.write(bytes.subarray(0, 7));
  await new Promise((resolve) => setTimeout(resolve, 20));
  socket.write(bytes.subarray(7));
  expect(String((await once(socket, 'data'))[0])).toBe('\x20\x02\0\0');
  expect(shown[0]?.address).toBe('10.1.2.3');
  const told = once(broker, 'refused');
  const bare = connectTcp(port, '127.0.0.1');
  bare.on('error', () => {});
  bare.write(connect);
  await once(bare, 'close');
  expect(await told).toMatchObject([{ reason: 'proxy-header' }]);
});

test('a PROXY header from an address that is not trusted is only bytes that are not MQTT', async () => {
  const { broker, shown } = await start({ tcp: { host: '127.0.0.1', port: 0 } });
  const socket = connectTcp(Number(new URL(broker.addresses['tcp'] as string).port), '127.0.0.1');
  socket.on('error', () => {});
  socket.write(
    Buffer.concat([header([10, 1, 2, 3]), connectPacket({ clientId: 'p', username: 'p', password: 'x' })]),
  );
  await once(socket, 'close');
  expect(shown).toEqual([]);
});

test('a PROXY header that never comes to its end is waited for as long as CONNECT is', async () => {
  const { broker } = await start({
    tcp: { host: '127.0.0.1', port: 0 },
    trustedProxies: ['127.0.0.1'],
    limits: { connectMsMax: 150 },
  });
  const told = once(broker, 'refused');
  const socket = connectTcp(Number(new URL(broker.addresses['tcp'] as string).port), '127.0.0.1');
  socket.on('error', () => {});
  socket.write(header([10, 1, 2, 3]).subarray(0, 20));
  await once(socket, 'close');
  expect(await told).toMatchObject([{ reason: 'proxy-header' }]);
});

describe('TLS', () => {
  let folder: string;
  let authority: Authority;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'platen-ca-'));
    authority = await Authority.open(folder, Date.now);
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  async function secure(
    limits: BrokerOptions['limits'] = {},
  ): Promise<{ broker: Broker; shown: Credentials[]; url: string }> {
    const { key, cert } = await authority.server(['127.0.0.1', 'localhost']);
    const tls = {
      host: '127.0.0.1',
      port: 0,
      key,
      cert,
      clientAuthority: authority.certificate,
      isRevoked: authority.isRevoked,
    };
    const started = await start({ tls, limits });
    return { ...started, url: started.broker.addresses['tls'] as string };
  }

  const options = (extra: mqtt.IClientOptions): mqtt.IClientOptions => ({
    ca: authority.certificate,
    clientId: 'printer-1',
    reconnectPeriod: 0,
    ...extra,
  });

  async function outcome(url: string, extra: mqtt.IClientOptions): Promise<string> {
    const client = mqtt.connect(url, options(extra));
    ends.push(() => client.endAsync(true));
    client.on('error', () => {});
    return Promise.race([once(client, 'connect').then(() => 'in'), once(client, 'close').then(() => 'out')]);
  }

  test('a printer is known by its certificate, until that is revoked', async () => {
    const { url, shown } = await secure();
    const { key, certificate: cert, serial } = await authority.issue('printer-1');
    expect(await outcome(url, { key, cert })).toBe('in');
    expect(shown[0]).toMatchObject({ certificateName: 'printer-1' });
    const renewed = await authority.issue('printer-1');
    authority.revoke(serial);
    expect(await outcome(url, { key, cert })).toBe('out');
    expect(await outcome(url, { key: renewed.key, cert: renewed.certificate })).toBe('in');
    authority.revoke('printer-1');
    expect(await outcome(url, { key: renewed.key, cert: renewed.certificate })).toBe('out');
  });

  test('a password does without a certificate; a certificate of another authority does not', async () => {
    const { url, shown } = await secure();
    expect(await outcome(url, { username: 'printer-1', password: 'x' })).toBe('in');
    expect(shown[0]?.certificateName).toBeUndefined();
    const other = mkdtempSync(join(tmpdir(), 'platen-ca-'));
    ends.push(() => rmSync(other, { recursive: true }));
    const { key, certificate: cert } = await (await Authority.open(other, Date.now)).issue('printer-1');
    expect(await outcome(url, { key, cert })).toBe('out');
  });

  test('a handshake that is never finished is ended in time, counted, and leaves its place to others', async () => {
    const { broker, url } = await secure({ connectMsMax: 200, connectionsPerAddressMax: 2 });
    const port = Number(new URL(url).port);
    const reasons: string[] = [];
    broker.on('refused', ({ reason }) => reasons.push(reason));
    // One says nothing, one begins a ClientHello (RFC 8446, 5.1) of 512 bytes.
    const slow = [Buffer.alloc(0), Buffer.from('1603010200', 'hex')].map((bytes) => {
      const socket = connectTcp(port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(bytes);
      return once(socket, 'close');
    });
    await Promise.all(slow);
    expect(reasons).toEqual(['tls-handshake', 'tls-handshake']);
    expect(await outcome(url, { username: 'printer-1', password: 'x' })).toBe('in');
  });

  test('TLS 1.1 is refused', async () => {
    const { url } = await secure();
    const socket = connectTls({
      host: '127.0.0.1',
      port: Number(new URL(url).port),
      ca: authority.certificate,
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    });
    const [error] = (await once(socket, 'error')) as [Error];
    expect(error.message).toMatch(/version|alert|ECONNRESET/i);
  });
});
