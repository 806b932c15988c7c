/** How one slow, silent or greedy client affects the others. */

import { connect } from 'node:net';
import pino from 'pino';
import {
  connectPacket,
  packet,
  publishPacket,
  RawClient,
  subscribePacket,
  uint16,
} from '../tests/conformance/raw-client.ts';
import { type Broker, type BrokerOptions, createBroker } from './broker.ts';

const brokers: Broker[] = [];

afterEach(async () => {
  for (const broker of brokers.splice(0)) await broker.close();
});

async function start(limits: BrokerOptions['limits'] = {}): Promise<{ broker: Broker; port: number }> {
  const broker = await createBroker({
    tcp: { host: '127.0.0.1', port: 0 },
    log: pino({ level: 'silent' }),
    identity: 'open',
    sysMs: 0,
    limits,
  });
  await broker.listen();
  brokers.push(broker);
  return { broker, port: Number(new URL(broker.addresses['tcp'] as string).port) };
}

const until = async (holds: () => boolean): Promise<void> => {
  for (let n = 0; !holds(); n++) {
    if (n > 800) throw new Error('it never came true');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};

/** Subscribes and then never reads. */
async function sleeper(port: number, filter: string): Promise<() => void> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(Buffer.concat([connectPacket({ clientId: 'sleeper' }), subscribePacket(1, [filter, 1])]));
  await new Promise((resolve) => socket.once('data', resolve));
  socket.pause();
  return () => socket.destroy();
}

test('a subscriber that reads nothing is disconnected with a reason and counted; another gets everything', async () => {
  const { broker, port } = await start({
    queuedBytesMax: 2 * 1024 * 1024,
    outboundSocketBytesMax: 64 * 1024,
  });
  const told: string[] = [];
  broker.on('refused', ({ reason, clientId }) => told.push(`${clientId} ${reason}`));
  const wake = await sleeper(port, 'flood');
  const other = await RawClient.connected(port);
  await other.subscribe(['flood', 0]);
  const sender = await RawClient.connected(port);
  const payload = 'x'.repeat(64 * 1024);
  let sent = 0;
  while (told.length === 0 && sent < 1_000) {
    for (let n = 0; n < 10; n++) sender.send(publishPacket('flood', payload));
    for (let n = 0; n < 10; n++, sent++)
      expect((await other.nextPublish()).payload.length).toBe(payload.length);
  }
  expect(told).toEqual(['sleeper slow-consumer']);
  await until(() => broker.stats().closed['slow-consumer'] === 1);
  await other.quiet();
  wake();
});

test('a subscriber that stalls with something waiting is disconnected after a while, even without a flood', async () => {
  const { broker, port } = await start({ stalledMsMax: 300, outboundSocketBytesMax: 64 * 1024 });
  const wake = await sleeper(port, 'one');
  const sender = await RawClient.connected(port);
  for (let n = 0; n < 4; n++) await broker.publish('one', 'x'.repeat(4_000_000), { qos: 0, retain: false });
  await until(() => broker.stats().closed['slow-consumer'] === 1);
  await sender.quiet();
  wake();
});

test('who asks for retained documents over and over and reads none is disconnected, not buffered for', async () => {
  const { broker, port } = await start({ replayTopicsMax: 1_000, stalledMsMax: 60_000 });
  for (let n = 0; n < 50; n++) {
    await broker.publish(`r/${n}`, 'x'.repeat(200_000), { qos: 0, retain: true });
  }
  const wake = await sleeper(port, 'r/#');
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  const again = Array.from({ length: 100 }, (_, n) => subscribePacket(n + 1, ['r/#', 0]));
  socket.write(Buffer.concat([connectPacket({ clientId: 'greedy' }), ...again]));
  socket.pause();
  await until(() => broker.stats().closed['slow-consumer'] === 1);
  wake();
  socket.destroy();
});

test('the queue of an absent client is bounded, and the oldest gives way', async () => {
  const { broker, port } = await start({ offlineMessagesMax: 3 });
  const first = await RawClient.connected(port, { clientId: 'away', clean: false });
  await first.subscribe(['t', 1]);
  await first.disconnect();
  await until(() => broker.stats().clientsConnected === 0);
  for (let n = 0; n < 5; n++) await broker.publish('t', String(n), { qos: 1, retain: false });
  expect(broker.stats()).toMatchObject({ queuedMessages: 3, dropped: { 'offline-queue-full': 2 } });
  const second = await RawClient.connected(port, { clientId: 'away', clean: false });
  for (const payload of ['2', '3', '4']) expect((await second.nextPublish()).payload).toBe(payload);
});

test('sessions of absent clients end after their time, the one away longest first; never under a connection [MQTT-4.1.0-2]', async () => {
  const { broker, port } = await start({ offlineSecondsMax: 1, offlineSessionsMax: 2 });
  const staying = await RawClient.connected(port, { clientId: 'staying', clean: false });
  await staying.subscribe(['t', 1]);
  const leave = async (clientId: string) =>
    (await RawClient.connected(port, { clientId, clean: false })).disconnect();
  const present = async (clientId: string) => {
    const client = await RawClient.open(port);
    client.send(connectPacket({ clientId, clean: false }));
    const { body } = await client.next();
    await client.disconnect();
    return body[0] === 1;
  };
  await leave('one');
  for (const clientId of ['two', 'three', 'one']) await leave(clientId);
  // `two` has now been absent longest, although `one` was created first.
  await until(() => broker.stats().dropped['session-expired'] === 1);
  expect([await present('one'), await present('three')]).toEqual([true, true]);
  await until(() => broker.stats().sessions === 1);
  await broker.publish('t', 'still', { qos: 1, retain: false });
  expect((await staying.nextPublish()).payload).toBe('still');
});

test('packets over the limit end the connection: before CONNECT, and after it', async () => {
  const { broker, port } = await start({ packetBytesMax: 10_000, connectPacketBytesMax: 1_000 });
  const early = await RawClient.open(port);
  // Only the header: the broker doesn't wait for a payload that it won't accept.
  early.send(Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f]));
  expect(await early.closed()).toEqual([]);
  const late = await RawClient.connected(port);
  late.send(publishPacket('t', 'x'.repeat(9_000)), packet(0xc0));
  expect(await late.nextHex()).toBe('d0');
  late.send(Buffer.from([0x30, 0x80, 0x80, 0x01]));
  expect(await late.closed()).toEqual([]);
  await until(() => broker.stats().closed['packet-too-large'] === 2);
});

test('a client that sends no CONNECT in time is closed', async () => {
  const { broker, port } = await start({ connectMsMax: 150 });
  const silent = await RawClient.open(port);
  silent.send(Buffer.from([0x10]));
  await silent.closed();
  await until(() => broker.stats().closed['connect-timeout'] === 1);
});

test('each end of a connection is counted with its own reason', async () => {
  const { broker, port } = await start({});
  const ends = async (client: RawClient, reason: string, times: number) => {
    await client.closed();
    await until(() => broker.stats().closed[reason] === times);
  };
  await ends((await RawClient.open(port)).send(packet(0xc0)), 'malformed', 1);
  await ends((await RawClient.connected(port)).send(connectPacket()), 'malformed', 2);
  await ends((await RawClient.connected(port)).send(packet(0xe0)), 'disconnected', 1);
  (await RawClient.open(port)).vanish();
  await until(() => broker.stats().closed['peer-closed'] === 1);
  expect(broker.stats().closed).toEqual({ malformed: 2, disconnected: 1, 'peer-closed': 1 });
});

test('messages beyond the rate are read later, none is lost', async () => {
  const { port } = await start({ publishesPerSecondMax: 100 });
  const client = await RawClient.connected(port);
  const started = Date.now();
  for (let n = 0; n < 60; n++) client.send(publishPacket('t', '', { qos: 1, id: n + 1 }));
  for (let n = 0; n < 60; n++) expect(await client.nextHex()).toBe(`40 ${uint16(n + 1).toString('hex')}`);
  expect(Date.now() - started).toBeGreaterThan(250);
});

test('thousands of filters in one packet are answered, counted, and told once', async () => {
  const { broker, port } = await start({ subscriptionsMax: 100, packetBytesMax: 1024 * 1024 });
  const told: string[] = [];
  broker.on('refused', ({ reason }) => told.push(reason));
  const client = await RawClient.connected(port);
  const filters = Array.from({ length: 20_000 }, (_, n): [string, number] => [`f/${n}`, 0]);
  const codes = await client.subscribe(...filters);
  expect([codes.length, codes.filter((code) => code === 0).length]).toEqual([20_000, 100]);
  expect(told).toEqual(['subscriptions']);
  expect(broker.stats().refused['subscriptions']).toBe(19_900);
  expect(broker.stats().subscriptions).toBe(100);
});

test('subscriptions, topic length and client ids have limits', async () => {
  const { port } = await start({ subscriptionsMax: 2, topicBytesMax: 20, clientIdBytesMax: 5 });
  const client = await RawClient.connected(port, { clientId: 'ok' });
  expect(await client.subscribe(['a', 0], ['b', 0], ['c', 0], ['a', 1])).toEqual([0, 0, 0x80, 1]);
  client.send(publishPacket('x'.repeat(21), ''));
  await client.closed();
  const long = await RawClient.open(port);
  long.send(connectPacket({ clientId: 'too-long' }));
  expect((await long.next()).body[1]).toBe(2);
});
