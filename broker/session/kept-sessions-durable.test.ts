/**
 * Sessions with clean session 0: the state that CONNACK and SUBACK confirm is on the disk, and writing it costs only as
 * much as the change. Ended sessions are gone, even if the disk failed in between.
 */
import { copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { type KeptBroker, kept, keptBrokers, resume } from '../../tests/conformance/kept-broker.ts';
import {
  connectPacket,
  packet,
  publishPacket,
  RawClient,
  subscribePacket,
  uint16,
  unsubscribePacket,
} from '../../tests/conformance/raw-client.ts';
import { FileBackend } from '../retained/file-backend.ts';
import type { RetainedChange } from '../retained/retained-backend.ts';

const brokers = keptBrokers();
const { start, contents } = brokers;

/** Sends CONNECT. */
async function connecting(port: number, options: Parameters<typeof connectPacket>[0]): Promise<RawClient> {
  return (await RawClient.open(port)).send(connectPacket(options));
}

const ACCEPTED = '20 0000';
const PRESENT = '20 0100';

/** Resolves when earlier changes are on the disk. */
async function flushed({ broker }: KeptBroker): Promise<void> {
  await broker.publish('flush', String(Math.random()), { qos: 1, retain: true });
}

const hex = (id: number) => uint16(id).toString('hex');

const names = (found: Map<string, unknown>) => [...found.keys()].filter((name) => name.startsWith('#'));

describe('CONNACK', () => {
  test('waits until a new session that is kept is on the disk: it is present after a crash right behind it', async () => {
    const first = await start();
    first.backend.hold();
    const client = await connecting(first.port, kept('k'));
    await client.quiet();
    // Packets that came with CONNECT are handled after it.
    client.send(subscribePacket(1, ['t', 1]));
    await client.quiet();
    first.backend.letGo();
    expect(await client.nextHex()).toBe(ACCEPTED);
    const second = await start({ from: first });
    await resume(second.port, 'k');
    expect(await client.nextHex()).toBe('90 000101');
  });

  test('of a session that is on the disk waits for nothing, nor that of a clean one', async () => {
    const { port, backend } = await start();
    await (await RawClient.connected(port, kept('k'))).disconnect();
    backend.hold();
    await resume(port, 'k');
    expect(await (await connecting(port, { clientId: 'clean' })).nextHex()).toBe(ACCEPTED);
    // A session that was never stored needs no removal.
    expect(await (await connecting(port, { clientId: 'clean' })).nextHex()).toBe(ACCEPTED);
  });

  test('of a connection that takes over before the session is on the disk waits for it too; the first gets none, and has no will', async () => {
    const { port, backend } = await start();
    const watcher = await RawClient.connected(port);
    await watcher.subscribe(['will', 0]);
    backend.hold();
    const one = await connecting(port, { ...kept('k'), will: { topic: 'will', payload: 'x' } });
    await one.quiet();
    const two = await connecting(port, kept('k'));
    expect(await one.closed()).toEqual([]);
    await two.quiet();
    backend.letGo();
    expect(await two.nextHex()).toBe(PRESENT);
    await watcher.quiet();
  });

  test('of a clean session waits until the kept one before it is gone, also when asked twice: it is not found after a crash', async () => {
    const first = await start();
    const client = await RawClient.connected(first.port, kept('k'));
    await client.subscribe(['t', 1], ['u', 2]);
    await client.disconnect();
    await flushed(first);
    first.backend.hold();
    const one = await connecting(first.port, { clientId: 'k' });
    await one.quiet();
    one.vanish();
    const two = await connecting(first.port, { clientId: 'k' });
    await two.quiet();
    first.backend.letGo();
    expect(await two.nextHex()).toBe(ACCEPTED);
    expect(names(await contents(first))).toEqual([]);
    const second = await start({ from: first });
    expect(second.broker.stats()).toMatchObject({ sessions: 0, subscriptions: 0 });
    expect(await (await connecting(second.port, kept('k'))).nextHex()).toBe(ACCEPTED);
  });

  test('of a disk that fails is 3, service unavailable; when it works again what ended is gone and what began is there', async () => {
    const first = await start();
    const client = await RawClient.connected(first.port, kept('k'));
    await client.subscribe(['t', 1], ['u', 2]);
    await client.disconnect();
    const other = await RawClient.connected(first.port, kept('l'));
    await other.subscribe(['t', 1]);
    await other.disconnect();
    await first.broker.publish('t', 'waits', { qos: 1, retain: false });
    const watcher = await RawClient.connected(first.port);
    await watcher.subscribe(['will', 0]);
    first.backend.broken = true;
    for (const options of [{ clientId: 'k' }, { clientId: 'k' }, kept('new'), { clientId: 'l' }, kept('l')]) {
      const client = await connecting(first.port, { ...options, will: { topic: 'will', payload: 'x' } });
      expect(await client.nextHex()).toBe('20 0003');
      expect(await client.closed()).toEqual([]);
    }
    await watcher.quiet();
    first.backend.broken = false;
    // It is there, and the disk still has all of it.
    expect(names(await contents(first)).length).toBeGreaterThan(6);
    expect(await (await connecting(first.port, kept('k'))).nextHex()).toBe(ACCEPTED);
    for (const clientId of ['new', 'l']) await resume(first.port, clientId);
    const second = await start({ from: first });
    expect(second.broker.stats()).toMatchObject({ sessions: 3, subscriptions: 0, queuedMessages: 0 });
    for (const clientId of ['k', 'new', 'l']) await (await resume(second.port, clientId)).quiet();
  });
});

describe('SUBSCRIBE', () => {
  test('costs what it changes, however many subscriptions there are', async () => {
    const { port, backend } = await start();
    const client = await RawClient.connected(port, kept('k'));
    /** The bytes written by this many SUBSCRIBEs, each with a different filter. */
    const written = async (from: number, count: number) => {
      const before = backend.bytes;
      for (let n = from; n < from + count; n++) {
        await client.subscribe([`t/${String(n).padStart(6, '0')}`, 1]);
      }
      return backend.bytes - before;
    };
    const first = await written(0, 100);
    expect(await written(100, 100)).toBe(first);
    // Repeating it changes nothing, so nothing is written.
    expect(await written(0, 100)).toBe(0);
    const one = backend.bytes;
    expect(await client.send(unsubscribePacket(2, 't/000000')).nextHex()).toBe('b0 0002');
    expect(backend.bytes - one).toBeLessThan(first / 50);
  });

  test('that changes nothing is answered when what it repeats is on the disk', async () => {
    const { port, backend } = await start();
    const client = await RawClient.connected(port, kept('k'));
    backend.hold();
    client.send(
      subscribePacket(1, ['t', 1]),
      subscribePacket(2, ['t', 1]),
      subscribePacket(3, ['test/nosubscribe', 1]),
    );
    client.send(unsubscribePacket(4, 'never'));
    await client.quiet();
    backend.letGo();
    const answers = ['90 000101', '90 000201', '90 000380', 'b0 0004'];
    for (const answer of answers) expect(await client.nextHex()).toBe(answer);
    // From here on there is nothing to wait for.
    backend.hold();
    expect(await client.send(subscribePacket(5, ['t', 1])).nextHex()).toBe('90 000501');
  });

  test('with another QoS, and UNSUBSCRIBE, hold over a crash', async () => {
    const first = await start();
    const client = await RawClient.connected(first.port, kept('k'));
    expect(await client.subscribe(['a', 2], ['b', 0], ['c', 1])).toEqual([2, 0, 1]);
    expect(await client.subscribe(['a', 0], ['b', 1])).toEqual([0, 1]);
    await client.send(unsubscribePacket(2, 'c', 'd')).next();
    await client.disconnect();
    const second = await start({ from: first });
    expect(second.broker.stats()).toMatchObject({ sessions: 1, subscriptions: 2 });
    for (const topic of ['a', 'b', 'c']) await second.broker.publish(topic, topic, { qos: 1, retain: false });
    const again = await resume(second.port, 'k');
    expect(await again.nextPublish()).toMatchObject({ topic: 'b', qos: 1 });
    await again.quiet();
  });

  test.each([
    ['in number', { inboundInFlightMax: 3 }, ['t', 1], 3],
    ['in bytes', { inboundInFlightBytesMax: 500 }, ['t'.repeat(500), 1], 1],
  ] as const)(
    'is read no further than its bounds, %s, while the disk takes its time',
    async (_name, limits, filter, most) => {
      const { port, backend } = await start({ limits });
      const client = await RawClient.connected(port, kept('k'));
      backend.hold();
      const ping = packet(0xc0);
      const ids = Array.from({ length: most }, (_, index) => index + 1);
      for (const id of ids.slice(1)) client.send(subscribePacket(id, [`${filter[0]}/${id}`, 1]));
      client.send(ping);
      expect(await client.nextHex()).toBe('d0');
      client.send(subscribePacket(1, [...filter]), ping, unsubscribePacket(most + 1, filter[0]), ping);
      await client.quiet();
      backend.letGo();
      const answers = [...ids.map((id) => `90 ${hex(id)}01`), `b0 ${hex(most + 1)}`, 'd0', 'd0'];
      const came: string[] = [];
      while (came.length < answers.length) came.push(await client.nextHex());
      expect(came.sort()).toEqual(answers.sort());
    },
  );

  test('whose write failed is written with the next one that is answered', async () => {
    const first = await start();
    const client = await RawClient.connected(first.port, kept('k'));
    await client.subscribe(['old', 1]);
    first.backend.broken = true;
    client.send(subscribePacket(1, ['new', 1]), unsubscribePacket(2, 'old'));
    await client.closed();
    first.backend.broken = false;
    const again = await resume(first.port, 'k');
    // Nothing changes for the broker any more; for the disk it does.
    expect(await again.subscribe(['new', 1])).toEqual([1]);
    const second = await start({ from: first });
    await second.broker.publish('new', '1', { qos: 1, retain: false });
    await second.broker.publish('old', '2', { qos: 1, retain: false });
    const last = await resume(second.port, 'k');
    expect(await last.nextPublish()).toMatchObject({ topic: 'new', payload: '1' });
    await last.quiet();
  });
});

test('QoS 2 that could not be sent for a broken disk is sent when it works: what was acknowledged, once and in order', async () => {
  const { port, backend } = await start({ limits: { outboundInFlightMax: 1 } });
  const client = await RawClient.connected(port, kept('k'));
  await client.subscribe(['t', 2]);
  const sender = await RawClient.connected(port, kept('sender'));
  const send = (id: number) => sender.send(publishPacket('t', String(id), { qos: 2, id }));
  for (const id of [1, 2, 3]) expect(await send(id).nextHex()).toBe(`50 000${id}`);
  const first = await client.nextPublish();
  // The window opens while writes fail: the second message is on the disk, but without its identifier.
  client.send(packet(0x50, uint16(first.id)));
  expect((await client.next()).type).toBe(6);
  backend.broken = true;
  client.send(packet(0x70, uint16(first.id)));
  await client.closed();
  // Messages from here on are not acknowledged, so they will be sent again.
  send(4);
  await sender.closed();
  backend.broken = false;
  const repeating = await resume(port, 'sender');
  repeating.send(publishPacket('t', '4', { qos: 2, id: 4, dup: true }));
  expect(await repeating.nextHex()).toBe('50 0004');
  const again = await resume(port, 'k');
  for (const payload of ['2', '3', '4']) {
    const { id, ...got } = await again.nextPublish();
    expect(got).toMatchObject({ payload, qos: 2, dup: false });
    again.send(packet(0x50, uint16(id)));
    expect((await again.next()).type).toBe(6);
    again.send(packet(0x70, uint16(id)));
  }
  await again.quiet();
});

describe('records', () => {
  /** Adds records to a copy of a broker's file. */
  const with_ = async (from: { file: string }, changes: [topic: string, payload: Buffer][]) => {
    const file = brokers.path();
    copyFileSync(from.file, file);
    const backend = new FileBackend(file);
    for await (const _ of backend.load());
    const all = changes.map(([topic, payload]): RetainedChange => ({ topic, payload, qos: 0 }));
    await backend.write(all);
    await backend.close();
    return { file };
  };
  const id = (name: string) => Buffer.from(name).toString('base64url');
  const message = Buffer.from([1, 0, 0, 0, 1, 0x74, 0x78]);

  test('of a session of the version before, with all its subscriptions in one, are taken and written anew', async () => {
    const first = await start();
    await flushed(first);
    const session = {
      key: 'k',
      clientId: 'k',
      subscriptions: [
        ['a', 1],
        ['b', 2],
      ],
    };
    const old = await with_(first, [[`#session/${id('k')}`, Buffer.from(JSON.stringify(session))]]);
    const second = await start({ from: old });
    expect(second.broker.stats()).toMatchObject({ sessions: 1, subscriptions: 2 });
    const client = await resume(second.port, 'k');
    expect(await client.send(unsubscribePacket(1, 'a')).nextHex()).toBe('b0 0001');
    const third = await start({ from: second });
    await third.broker.publish('a', 'a', { qos: 1, retain: false });
    await third.broker.publish('b', 'b', { qos: 1, retain: false });
    expect((await (await resume(third.port, 'k')).nextPublish()).payload).toBe('b');
  });

  test('that belong to no session are removed at the start, counted and told once; those of others stay', async () => {
    const first = await start();
    await (await RawClient.connected(first.port, kept('k'))).subscribe(['t', 1]);
    await flushed(first);
    const sessions = names(await contents(first));
    const gone = Array.from({ length: 2_500 }, (_, n): [string, Buffer] => [
      `#message/${id(`gone-${n % 50}`)}/${n}`,
      message,
    ]);
    const orphaned = await with_(first, [
      ...gone,
      [`#received/${id('gone-1')}/7`, Buffer.from([1])],
      [`#left/${id('gone-2')}`, Buffer.from('1')],
      [`#subscription/${id('gone-3')}/x`, Buffer.from([1, 0x74])],
      [`#message/${id('k')}/1`, message],
    ]);
    const second = await start({ from: orphaned });
    expect(second.broker.stats()).toMatchObject({ sessions: 1, subscriptions: 1, queuedMessages: 1 });
    expect(brokers.log.filter(({ msg }) => msg?.includes('were removed'))).toMatchObject([
      { level: 40, records: 2_503 },
    ]);
    for (let writes = 0; writes < 5; writes++) await flushed(second);
    const left = names(await contents(second)).filter((name) => !name.startsWith('#left/'));
    expect(left.sort()).toEqual([...sessions, `#message/${id('k')}/1`].sort());
    const told = brokers.log.length;
    await start({ from: second });
    expect(brokers.log.slice(told)).toEqual([]);
  });

  test('are not written for a session that is over by what its client sent before: no successor takes its own for a duplicate', async () => {
    let answer = () => {};
    const answered = new Promise<undefined>((resolve) => {
      answer = () => resolve(undefined);
    });
    const identity = {
      authenticate: async ({ username = '' }) => ({ name: username, role: 'admin' as const }),
    };
    const options = { clientId: 'k', username: 'admin', password: 'x' };
    const request = publishPacket('platen/v1/ops/admin/request/fleet.summary', '{"id":"1"}', {
      qos: 2,
      id: 5,
    });
    let ask = () => {};
    const asked = new Promise<void>((resolve) => {
      ask = resolve;
    });
    const uplink = () => {
      ask();
      return answered;
    };
    const first = await start({ identity, uplink });
    (await RawClient.connected(first.port, { ...options, clean: false })).send(request, packet(0xc0));
    // The center's answer comes when the session is over and another has begun.
    await asked;
    await (await RawClient.connected(first.port, options)).disconnect();
    await RawClient.connected(first.port, { ...options, clean: false });
    answer();
    await answered;
    await new Promise((resolve) => setImmediate(resolve));
    await flushed(first);
    expect(names(await contents(first)).filter((name) => name.startsWith('#received/'))).toEqual([]);
  });
});

test('a QoS 2 publish is on the disk whole or not at all, wherever the power went: with what it delivers, or not known', async () => {
  const first = await start();
  const client = await RawClient.connected(first.port, kept('k'));
  await client.subscribe(['t', 2]);
  await client.disconnect();
  const sender = await RawClient.connected(first.port, kept('sender'));
  await flushed(first);
  const whole = statSync(first.file).size;
  expect(await sender.send(publishPacket('t', 'once', { qos: 2, id: 9 })).nextHex()).toBe('50 0009');
  const bytes = readFileSync(first.file);
  const counts = new Set<number>();
  const cut = { file: brokers.path() };
  for (let size = whole; size <= bytes.length; size++) {
    writeFileSync(cut.file, bytes.subarray(0, size));
    const found = names(await contents(cut));
    const of = (kind: string) => found.filter((name) => name.startsWith(kind)).length;
    expect([size, of('#message/')]).toEqual([size, of('#received/')]);
    counts.add(of('#message/'));
  }
  expect([...counts]).toEqual([0, 1]);
  // The sender never got PUBREC and sends it again; the subscriber gets it once.
  writeFileSync(cut.file, bytes.subarray(0, bytes.length - 1));
  for (const from of [cut, first]) {
    const second = await start({ from });
    const again = await resume(second.port, 'sender');
    again.send(publishPacket('t', 'once', { qos: 2, id: 9, dup: true }));
    expect(await again.nextHex()).toBe('50 0009');
    const reader = await resume(second.port, 'k');
    const { payload, id } = await reader.nextPublish();
    expect(payload).toBe('once');
    expect(await reader.send(packet(0x50, uint16(id))).nextHex()).toBe(`62 ${uint16(id).toString('hex')}`);
    await reader.send(packet(0x70, uint16(id))).quiet();
  }
});

test('a QoS 2 message that was queued and sent before its record failed comes once, when its publisher sends it again', async () => {
  const { broker, port, backend } = await start();
  const reader = await RawClient.connected(port, kept('k'));
  await reader.subscribe(['t', 2]);
  // The window of two is full.
  for (const payload of ['1', '2']) await broker.publish('t', payload, { qos: 1, retain: false });
  const [one] = [await reader.nextPublish(), await reader.nextPublish()];
  backend.hold();
  const before = broker.publish('other', 'x', { qos: 1, retain: true });
  const sender = await RawClient.connected(port);
  await new Promise((resolve) => setTimeout(resolve, 50));
  sender.send(publishPacket('t', '3', { qos: 2, id: 7 }));
  for (let n = 0; broker.stats().queuedMessages === 0 && n < 200; n++)
    await new Promise((resolve) => setTimeout(resolve, 5));
  reader.send(packet(0x40, uint16(one?.id ?? 0)));
  for (let n = 0; broker.stats().queuedMessages > 0 && n < 200; n++)
    await new Promise((resolve) => setTimeout(resolve, 5));
  expect(broker.stats().queuedMessages).toBe(0);
  // The write in progress succeeds, the one with the message fails.
  backend.letGo();
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  backend.broken = true;
  await before;
  await sender.closed();
  backend.broken = false;
  const again = await RawClient.connected(port);
  again.send(publishPacket('t', '3', { qos: 2, id: 7, dup: true }));
  expect(await again.nextHex()).toBe('50 0007');
  const resumed = await resume(port, 'k');
  const came: string[] = [];
  for (let n = 0; n < 2; n++) {
    const { payload, id, qos } = await resumed.nextPublish();
    came.push(payload);
    if (qos === 1) resumed.send(packet(0x40, uint16(id)));
  }
  await resumed.quiet();
  expect(came).toEqual(['2', '3']);
});
