/** What MQTT 3.1.1 says about flows, on raw bytes. Each test is named after the statement it holds. */
import pino from 'pino';
import { type Broker, createBroker } from '../../broker/broker.ts';
import {
  type ConnectOptions,
  connectPacket,
  packet,
  published,
  publishPacket,
  RawClient,
  subscribePacket,
  uint16,
  unsubscribePacket,
} from './raw-client.ts';

let broker: Broker;
let port: number;
let sequence = 0;

beforeAll(async () => {
  broker = await createBroker({
    tcp: { host: '127.0.0.1', port: 0 },
    log: pino({ level: 'silent' }),
    identity: 'open',
    limits: { outboundInFlightMax: 5 },
  });
  await broker.listen();
  port = Number(new URL(broker.addresses['tcp'] as string).port);
});

afterAll(() => broker.close());

/** A name that no other test uses. */
const fresh = (what: string) => `${what}-${++sequence}`;
const connected = (options?: ConnectOptions) => RawClient.connected(port, options);

/** CONNACK as bytes: flags, code. */
async function connack(options: ConnectOptions): Promise<[RawClient, number[]]> {
  const client = await RawClient.open(port);
  client.send(connectPacket(options));
  const { type, body } = await client.next();
  expect(type).toBe(2);
  return [client, [...body]];
}

describe('connecting', () => {
  test('MQTT-3.2.0-1, MQTT-3.2.2-1: CONNACK is the first packet, without session present for a clean session', async () => {
    const [, answer] = await connack({ clientId: fresh('c') });
    expect(answer).toEqual([0, 0]);
  });

  test('MQTT-3.1.3-6, MQTT-3.1.3-7: an empty client id with a clean session is accepted, twice at once', async () => {
    const [one, two] = [await connected(), await connected()];
    await one.quiet();
    await two.quiet();
  });

  test('3.1: MQTT 3.1 (MQIsdp, level 3) is served too', async () => {
    const [, answer] = await connack({ name: 'MQIsdp', level: 3, clientId: fresh('c') });
    expect(answer).toEqual([0, 0]);
  });

  test('MQTT-3.1.4-5: packets that follow CONNECT at once are handled after it, in order', async () => {
    const topic = fresh('t');
    const client = await RawClient.open(port);
    const many = Array.from({ length: 100 }, (_, n) => publishPacket(topic, String(n)));
    client.send(
      connectPacket({ clientId: fresh('c') }),
      subscribePacket(1, [topic, 0]),
      ...many,
      packet(0xc0),
    );
    expect((await client.next()).type).toBe(2);
    expect((await client.next()).type).toBe(9);
    const got: string[] = [];
    for (let n = 0; n < 101; n++) {
      const next = await client.next();
      if (next.type === 3) got.push(published(next).payload);
    }
    expect(got).toEqual(many.map((_, n) => String(n)));
  });

  test('MQTT-3.2.2-2, MQTT-3.1.2-4: a session is present when it was kept, even without subscriptions', async () => {
    const clientId = fresh('c');
    const [first, before] = await connack({ clientId, clean: false });
    expect(before).toEqual([0, 0]);
    await first.disconnect();
    const [second, after] = await connack({ clientId, clean: false });
    expect(after).toEqual([1, 0]);
    await second.disconnect();
  });

  test('MQTT-3.1.2-6: a clean session ends what was kept, and ends with its connection', async () => {
    const clientId = fresh('c');
    const topic = fresh('t');
    const first = await connected({ clientId, clean: false });
    await first.subscribe([topic, 1]);
    await first.disconnect();
    const [clean, answer] = await connack({ clientId, clean: true });
    expect(answer).toEqual([0, 0]);
    clean.send(publishPacket(topic, 'x'));
    await clean.quiet();
    await clean.disconnect();
    const [last, again] = await connack({ clientId, clean: false });
    expect(again).toEqual([0, 0]);
    await last.quiet();
  });

  test('MQTT-3.1.4-2: a second connection of a client ends the first', async () => {
    const clientId = fresh('c');
    const first = await connected({ clientId });
    const second = await connected({ clientId });
    await first.closed();
    await second.quiet();
    // The end of the first must not unregister the second.
    const topic = fresh('t');
    await second.subscribe([topic, 0]);
    (await connected()).send(publishPacket(topic, 'still'));
    expect((await second.nextPublish()).payload).toBe('still');
  });

  test('MQTT-3.1.2-24: a silent client is ended after one and a half keepalives', async () => {
    const client = await connected({ keepalive: 1 });
    const started = Date.now();
    await client.closed();
    expect(Date.now() - started).toBeGreaterThan(1_300);
  });

  test('MQTT-3.12.4-1: PINGREQ is answered', async () => {
    const client = await connected();
    expect(await client.send(packet(0xc0)).nextHex()).toBe('d0');
  });
});

describe('publishing', () => {
  test('MQTT-3.3.4-1: QoS 0 has no answer, QoS 1 PUBACK, QoS 2 PUBREC and PUBCOMP', async () => {
    const client = await connected();
    client.send(publishPacket('a', 'b'));
    await client.quiet();
    expect(await client.send(publishPacket('a', 'b', { qos: 1, id: 0x1234 })).nextHex()).toBe('40 1234');
    expect(await client.send(publishPacket('a', 'b', { qos: 2, id: 0xfffe })).nextHex()).toBe('50 fffe');
    expect(await client.send(packet(0x62, uint16(0xfffe))).nextHex()).toBe('70 fffe');
  });

  test('MQTT-4.6.0-2, MQTT-4.6.0-5: acknowledgements come in the order of the publishes', async () => {
    const client = await connected();
    const ids = [7, 3, 9, 1, 8];
    client.send(...ids.map((id) => publishPacket('a', 'b', { qos: 1, id })));
    for (const id of ids) expect(await client.nextHex()).toBe(`40 000${id}`);
  });

  test('MQTT-4.3.3-2: QoS 2 sent again before PUBREL is delivered once, after PUBREL it is a new message', async () => {
    const topic = fresh('t');
    const subscriber = await connected();
    await subscriber.subscribe([topic, 0]);
    const client = await connected({ clientId: fresh('c') });
    expect(await client.send(publishPacket(topic, 'one', { qos: 2, id: 5 })).nextHex()).toBe('50 0005');
    expect(await client.send(publishPacket(topic, 'one', { qos: 2, id: 5, dup: true })).nextHex()).toBe(
      '50 0005',
    );
    expect(await client.send(packet(0x62, uint16(5))).nextHex()).toBe('70 0005');
    expect(await client.send(packet(0x62, uint16(5))).nextHex()).toBe('70 0005');
    expect(await client.send(publishPacket(topic, 'two', { qos: 2, id: 5 })).nextHex()).toBe('50 0005');
    expect((await subscriber.nextPublish()).payload).toBe('one');
    expect((await subscriber.nextPublish()).payload).toBe('two');
    await subscriber.quiet();
  });

  test('MQTT-4.3.3-2: the identifier of a QoS 2 publish is remembered over a reconnect of the session', async () => {
    const topic = fresh('t');
    const clientId = fresh('c');
    const subscriber = await connected();
    await subscriber.subscribe([topic, 0]);
    const first = await connected({ clientId, clean: false });
    await first.send(publishPacket(topic, 'once', { qos: 2, id: 5 })).next();
    first.vanish();
    const second = await connected({ clientId, clean: false });
    expect(await second.send(publishPacket(topic, 'once', { qos: 2, id: 5, dup: true })).nextHex()).toBe(
      '50 0005',
    );
    await second.send(packet(0x62, uint16(5))).next();
    expect((await subscriber.nextPublish()).payload).toBe('once');
    await subscriber.quiet();
  });

  test("MQTT-3.3.1-3: DUP isn't passed on; MQTT-4.3.2-2: QoS 1 sent again is delivered again", async () => {
    const topic = fresh('t');
    const subscriber = await connected();
    await subscriber.subscribe([topic, 1]);
    const client = await connected();
    client.send(
      publishPacket(topic, 'a', { qos: 1, id: 1 }),
      publishPacket(topic, 'a', { qos: 1, id: 1, dup: true }),
    );
    expect(await subscriber.nextPublish()).toMatchObject({ payload: 'a', dup: false });
    expect(await subscriber.nextPublish()).toMatchObject({ payload: 'a', dup: false });
  });

  test('MQTT-3.3.1-12: no message is lost when retained and plain QoS 0 come in one segment', async () => {
    const topic = fresh('t');
    const subscriber = await connected();
    await subscriber.subscribe([`${topic}/#`, 0]);
    const client = await connected();
    const bytes = Array.from({ length: 200 }, (_, n) => [
      publishPacket(`${topic}/r`, `r${n}`, { retain: true }),
      publishPacket(`${topic}/p`, `p${n}`),
    ]).flat();
    client.send(...bytes);
    const got: string[] = [];
    for (let n = 0; n < 400; n++) got.push((await subscriber.nextPublish()).payload);
    expect(got).toEqual(Array.from({ length: 200 }, (_, n) => [`r${n}`, `p${n}`]).flat());
  });

  test('a large packet arrives whole, in one piece and in many', async () => {
    const topic = fresh('t');
    const payload = 'x'.repeat(300_000);
    const subscriber = await connected();
    await subscriber.subscribe([topic, 0]);
    const client = await connected();
    const bytes = publishPacket(topic, payload);
    client.send(bytes);
    for (let at = 0; at < bytes.length; at += 50_000) {
      client.send(bytes.subarray(at, at + 50_000));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await subscriber.nextPublish()).payload).toBe(payload);
    expect((await subscriber.nextPublish()).payload).toBe(payload);
  });

  test('bytes that come one by one make the same packets', async () => {
    const topic = fresh('t');
    const client = await connected();
    for (const byte of Buffer.concat([subscribePacket(1, [topic, 0]), publishPacket(topic, 'slow')])) {
      client.send(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await client.next()).type).toBe(9);
    expect((await client.nextPublish()).payload).toBe('slow');
  });
});

describe('subscribing', () => {
  test('MQTT-3.8.4-1, MQTT-3.8.4-5: SUBACK has a code for every filter, also for one named twice', async () => {
    const client = await connected();
    const [a, b] = [fresh('t'), fresh('t')];
    expect(await client.subscribe([a, 0], [b, 1], [a, 2])).toEqual([0, 1, 2]);
  });

  test('MQTT-3.9.3-2: a filter that is refused has code 0x80, the others count', async () => {
    const client = await connected();
    expect(await client.subscribe(['test/nosubscribe', 2], [fresh('t'), 2])).toEqual([0x80, 2]);
  });

  test('MQTT-3.8.4-6: a delivery has the lower of the QoS of publish and subscription, for wildcards too', async () => {
    for (const [granted, sent] of [
      [0, 2],
      [1, 2],
      [2, 1],
      [2, 2],
      [1, 0],
    ] as const) {
      const topic = fresh('t');
      const client = await connected();
      await client.subscribe([`${topic}/+`, granted]);
      (await connected()).send(publishPacket(`${topic}/x`, '', { qos: sent, id: 1 }));
      const { qos, id } = await client.nextPublish();
      expect(qos).toBe(Math.min(granted, sent));
      expect(id > 0).toBe(qos > 0);
    }
  });

  test('MQTT-3.3.5-1: overlapping subscriptions deliver once, with the highest QoS', async () => {
    const topic = fresh('t');
    const client = await connected();
    await client.subscribe([`${topic}/#`, 0], [`${topic}/+`, 2], [`${topic}/x`, 1]);
    (await connected()).send(publishPacket(`${topic}/x`, 'once', { qos: 2, id: 1 }));
    expect(await client.nextPublish()).toMatchObject({ payload: 'once', qos: 2 });
    await client.quiet();
  });

  test('MQTT-3.8.4-3: a repeated subscription replaces the first, and its retained messages are sent again', async () => {
    const topic = fresh('t');
    const client = await connected();
    await client.send(publishPacket(topic, 'kept', { qos: 1, id: 1, retain: true })).next();
    for (const qos of [0, 1, 1]) {
      expect(await client.subscribe([topic, qos])).toEqual([qos]);
      expect(await client.nextPublish()).toMatchObject({ payload: 'kept', retain: true, qos });
    }
    client.send(publishPacket(topic, 'live'));
    expect(await client.nextPublish()).toMatchObject({ payload: 'live', retain: false });
    await client.quiet();
  });

  test('MQTT-4.7.1-2, MQTT-4.7.1-3: # matches the parent and below, + one level, empty ones too', async () => {
    const root = fresh('t');
    const cases: [string, string, boolean][] = [
      ['/#', '', true],
      ['/#', '/a/b', true],
      ['/+', '', false],
      ['/+', '/', true],
      ['/+', '/a', true],
      ['/+', '/a/b', false],
      ['/+/b', '/a/b', true],
      ['/+/b', '//b', true],
      ['/+/+', '//', true],
      ['/a/#', '/a', true],
      ['/a/#', '/ab', false],
    ];
    for (const [filter, topic, matches] of cases) {
      const client = await connected();
      await client.subscribe([root + filter, 0]);
      client.send(publishPacket(root + topic, 'm'), packet(0xc0));
      expect([filter, topic, (await client.next()).type]).toEqual([filter, topic, matches ? 3 : 13]);
      await client.disconnect();
    }
  });

  test("MQTT-4.7.2-1: wildcards in the first level don't match topics that begin with $", async () => {
    const client = await connected();
    const name = fresh('d');
    await client.subscribe(['#', 0], ['+/x', 0], [`$${name}/#`, 0]);
    client.send(publishPacket(`$${name}/x`, ''), packet(0xc0));
    const topics: string[] = [];
    for (let next = await client.next(); next.type === 3; next = await client.next()) {
      topics.push(published(next).topic);
    }
    // Retained messages of other tests come for `#`; none begins with $, and the explicit filter got its own once.
    expect(topics.filter((topic) => topic.startsWith('$'))).toEqual([`$${name}/x`]);
  });

  test('4.7.3: topics are case sensitive, spaces count, a leading slash makes another topic', async () => {
    const topic = fresh('Topic x');
    const client = await connected();
    await client.subscribe([topic, 0]);
    client.send(
      publishPacket(topic.toLowerCase(), ''),
      publishPacket(`/${topic}`, ''),
      publishPacket(topic, 'it'),
    );
    expect((await client.nextPublish()).topic).toBe(topic);
    await client.quiet();
  });

  test('MQTT-1.5.3-3: U+FEFF is kept', async () => {
    const topic = `\ufeff${fresh('t')}\u{1F5A8}`;
    const client = await connected();
    await client.subscribe([topic, 0]);
    client.send(publishPacket(topic, ''));
    expect((await client.nextPublish()).topic).toBe(topic);
  });

  test('MQTT-3.10.4-1, MQTT-3.10.4-4, MQTT-3.10.4-5: UNSUBSCRIBE is always answered and ends the deliveries', async () => {
    const topic = fresh('t');
    const client = await connected();
    await client.subscribe([topic, 0]);
    expect(await client.send(unsubscribePacket(9, topic, 'never')).nextHex()).toBe('b0 0009');
    client.send(publishPacket(topic, ''));
    await client.quiet();
  });

  test('MQTT-3.10.4-1: UNSUBSCRIBE ends a subscription of a session that was resumed', async () => {
    const topic = fresh('t');
    const clientId = fresh('c');
    const first = await connected({ clientId, clean: false });
    await first.subscribe([topic, 1]);
    await first.disconnect();
    const second = await connected({ clientId, clean: false });
    expect(await second.send(unsubscribePacket(9, topic)).nextHex()).toBe('b0 0009');
    second.send(publishPacket(topic, ''));
    await second.quiet();
  });

  test('MQTT-4.6.0-6: the order of a topic is kept, whatever the QoS', async () => {
    const topic = fresh('t');
    const client = await connected();
    await client.subscribe([`${topic}/#`, 2]);
    const sender = await connected();
    for (let n = 0; n < 4; n++)
      sender.send(publishPacket(`${topic}/a`, String(n), { qos: n % 3, id: n + 1 }));
    for (let n = 0; n < 4; n++) expect((await client.nextPublish()).payload).toBe(String(n));
  });
});

describe('retained messages', () => {
  test('MQTT-3.3.1-5, MQTT-3.3.1-8: the last one is kept and sent with RETAIN to a new subscription', async () => {
    const topic = fresh('t');
    const sender = await connected();
    for (const [id, payload] of [
      [1, 'old'],
      [2, 'new'],
    ] as const) {
      await sender.send(publishPacket(topic, payload, { qos: 1, id, retain: true })).next();
    }
    const client = await connected();
    await client.subscribe([topic, 2]);
    expect(await client.nextPublish()).toMatchObject({ payload: 'new', retain: true, qos: 1 });
    await client.quiet();
  });

  test('MQTT-3.3.1-9: an existing subscription gets it without RETAIN', async () => {
    const topic = fresh('t');
    const client = await connected();
    await client.subscribe([topic, 0]);
    client.send(publishPacket(topic, 'x', { retain: true }));
    expect(await client.nextPublish()).toMatchObject({ payload: 'x', retain: false });
  });

  test('MQTT-3.3.1-10, MQTT-3.3.1-11: an empty payload removes it, and is delivered to who subscribes now', async () => {
    const topic = fresh('t');
    const client = await connected();
    await client.send(publishPacket(topic, 'x', { qos: 1, id: 1, retain: true })).next();
    await client.subscribe([topic, 0]);
    await client.nextPublish();
    client.send(publishPacket(topic, '', { retain: true }));
    expect(await client.nextPublish()).toMatchObject({ payload: '', retain: false });
    const late = await connected();
    await late.subscribe([topic, 0]);
    await late.quiet();
  });

  test("MQTT-3.3.1-12: a message without RETAIN doesn't touch what is retained", async () => {
    const topic = fresh('t');
    const client = await connected();
    client.send(publishPacket(topic, 'kept', { retain: true }), publishPacket(topic, 'plain'));
    await client.subscribe([topic, 0]);
    expect((await client.nextPublish()).payload).toBe('kept');
  });

  test('3.1.2.4: a session that is resumed gets no retained messages for its old subscriptions', async () => {
    const topic = fresh('t');
    const clientId = fresh('c');
    const first = await connected({ clientId, clean: false });
    await first.send(publishPacket(topic, 'x', { qos: 1, id: 1, retain: true })).next();
    await first.subscribe([topic, 0]);
    await first.nextPublish();
    await first.disconnect();
    const second = await connected({ clientId, clean: false });
    await second.quiet();
  });

  test('many of them pass a small window, all of them once', async () => {
    const topic = fresh('t');
    const sender = await connected();
    for (let n = 0; n < 40; n++)
      sender.send(publishPacket(`${topic}/${n}`, String(n), { qos: 1, id: n + 1, retain: true }));
    for (let n = 0; n < 40; n++) await sender.next();
    const client = await connected();
    await client.subscribe([`${topic}/#`, 1]);
    const got = new Set<string>();
    for (let n = 0; n < 40; n++) {
      const { id, payload } = await client.nextPublish();
      got.add(payload);
      client.send(packet(0x40, uint16(id)));
    }
    expect(got.size).toBe(40);
    await client.quiet();
  });
});

describe('wills', () => {
  const will = (topic: string) => ({ topic, payload: 'gone', qos: 1, retain: true });

  test('MQTT-3.1.2-8, MQTT-3.1.2-17: published when the connection breaks, retained when it says so', async () => {
    const topic = fresh('t');
    const watcher = await connected();
    await watcher.subscribe([topic, 2]);
    (await connected({ clientId: fresh('c'), will: will(topic) })).vanish();
    expect(await watcher.nextPublish()).toMatchObject({ payload: 'gone', qos: 1, retain: false });
    const late = await connected();
    await late.subscribe([topic, 0]);
    expect(await late.nextPublish()).toMatchObject({ payload: 'gone', retain: true });
  });

  test('MQTT-3.1.2-8: published too for a protocol error, a takeover and a keepalive that ran out', async () => {
    const topic = fresh('t');
    const watcher = await connected();
    await watcher.subscribe([topic, 0]);
    const wrong = await connected({ clientId: fresh('c'), will: will(topic) });
    wrong.send(packet(0xf0));
    expect((await watcher.nextPublish()).payload).toBe('gone');
    const clientId = fresh('c');
    await connected({ clientId, will: will(topic) });
    const successor = await connected({ clientId, keepalive: 1, will: will(topic) });
    expect((await watcher.nextPublish()).payload).toBe('gone');
    await successor.closed();
    expect((await watcher.nextPublish()).payload).toBe('gone');
  });

  test('MQTT-3.14.4-3, MQTT-3.1.2-10: DISCONNECT forgets it', async () => {
    const topic = fresh('t');
    const watcher = await connected();
    await watcher.subscribe([topic, 0]);
    await (await connected({ clientId: fresh('c'), will: will(topic) })).disconnect();
    await watcher.quiet();
  });

  test('3.1.2.5: an empty will is a message', async () => {
    const topic = fresh('t');
    const watcher = await connected();
    await watcher.subscribe([topic, 0]);
    (await connected({ clientId: fresh('c'), will: { topic, payload: '' } })).vanish();
    expect(await watcher.nextPublish()).toMatchObject({ topic, payload: '' });
  });
});

describe('sessions', () => {
  test('MQTT-3.1.2-5, MQTT-4.5.0-1: QoS 1 and 2 wait for an absent client, QoS 0 does not; in order', async () => {
    const topic = fresh('t');
    const clientId = fresh('c');
    const first = await connected({ clientId, clean: false });
    await first.subscribe([topic, 2]);
    await first.disconnect();
    const sender = await connected();
    for (let n = 0; n < 5; n++) sender.send(publishPacket(topic, String(n), { qos: n % 3, id: n + 1 }));
    await sender.send(packet(0xc0)).next();
    const second = await connected({ clientId, clean: false });
    const got = [await second.nextPublish(), await second.nextPublish(), await second.nextPublish()];
    expect(got.map(({ payload, qos, dup }) => [payload, qos, dup])).toEqual([
      ['1', 1, false],
      ['2', 2, false],
      ['4', 1, false],
    ]);
    await second.quiet();
  });

  test("MQTT-4.4.0-1, MQTT-3.3.1-1: what wasn't acknowledged is sent again with DUP, same identifier, same order", async () => {
    const topic = fresh('t');
    const clientId = fresh('c');
    const first = await connected({ clientId, clean: false });
    await first.subscribe([topic, 2]);
    const sender = await connected();
    sender.send(publishPacket(topic, 'a', { qos: 1, id: 1 }), publishPacket(topic, 'b', { qos: 2, id: 2 }));
    const before = [await first.nextPublish(), await first.nextPublish()];
    first.vanish();
    const second = await connected({ clientId, clean: false });
    const after = [await second.nextPublish(), await second.nextPublish()];
    expect(after).toEqual(before.map((one) => ({ ...one, dup: true })));
    // [MQTT-4.3.3-1]: after PUBREC only PUBREL is repeated.
    second.send(packet(0x40, uint16(after[0]?.id ?? 0)), packet(0x50, uint16(after[1]?.id ?? 0)));
    const id = uint16(after[1]?.id ?? 0).toString('hex');
    expect(await second.nextHex()).toBe(`62 ${id}`);
    second.vanish();
    const third = await connected({ clientId, clean: false });
    expect(await third.nextHex()).toBe(`62 ${id}`);
    third.send(packet(0x70, uint16(after[1]?.id ?? 0)));
    await third.quiet();
    await third.disconnect();
    await (await connected({ clientId, clean: false })).quiet();
  });

  test("a window bounds what is in flight; identifiers in use aren't used again [MQTT-2.3.1-2]", async () => {
    const topic = fresh('t');
    const client = await connected();
    await client.subscribe([topic, 1]);
    const sender = await connected();
    for (let n = 0; n < 12; n++) sender.send(publishPacket(topic, String(n), { qos: 1, id: n + 1 }));
    const got = [];
    for (let n = 0; n < 5; n++) got.push(await client.nextPublish());
    await client.quiet();
    expect(new Set(got.map(({ id }) => id)).size).toBe(5);
    for (let n = 5; n < 12; n++) {
      client.send(packet(0x40, uint16((got[n - 5] as { id: number }).id)));
      got.push(await client.nextPublish());
    }
    expect(got.map(({ payload }) => payload)).toEqual(Array.from({ length: 12 }, (_, n) => String(n)));
  });

  test.each([
    ['PUBREC for QoS 1', 1, [0x50]],
    ['PUBCOMP for QoS 1', 1, [0x70]],
    ['PUBACK for QoS 2', 2, [0x40]],
    ['PUBCOMP before PUBREC', 2, [0x70]],
    ['PUBACK after PUBREC', 2, [0x50, 0x40]],
  ])('MQTT-4.8.0-1: %s ends the connection', async (_wrong, qos, answers) => {
    const topic = fresh('t');
    const client = await connected();
    await client.subscribe([topic, 2]);
    client.send(publishPacket(topic, '', { qos, id: 1 }));
    // The answer to the own publish comes first or second.
    const came = [await client.next(), await client.next()].find(({ type }) => type === 3);
    const { id } = published(came as Parameters<typeof published>[0]);
    client.send(...answers.map((first) => packet(first, uint16(id))));
    await client.closed();
  });

  test('an acknowledgement of something never sent does no harm', async () => {
    const client = await connected();
    client.send(packet(0x40, uint16(77)), packet(0x70, uint16(78)), packet(0xc0));
    expect(await client.nextHex()).toBe('d0');
  });
});

describe('shared subscriptions', () => {
  test('each message goes to one member, in turn; those of a member that leaves go to another', async () => {
    const topic = fresh('t');
    const filter = `$share/g/${topic}/#`;
    const [one, two, plain] = [await connected(), await connected(), await connected()];
    expect(await one.subscribe([filter, 1])).toEqual([1]);
    expect(await two.subscribe([filter, 1])).toEqual([1]);
    await plain.subscribe([`${topic}/#`, 0]);
    const sender = await connected();
    for (let n = 0; n < 4; n++)
      await sender.send(publishPacket(`${topic}/x`, String(n), { qos: 1, id: 1 })).next();
    const ones = [await one.nextPublish(), await one.nextPublish()];
    const twos = [await two.nextPublish(), await two.nextPublish()];
    expect([...ones, ...twos].map(({ payload }) => payload).sort()).toEqual(['0', '1', '2', '3']);
    for (let n = 0; n < 4; n++) expect((await plain.nextPublish()).payload).toBe(String(n));
    one.send(packet(0x40, uint16(ones[0]?.id ?? 0)));
    one.vanish();
    expect((await two.nextPublish()).payload).toBe(ones[1]?.payload);
    await two.quiet();
  });

  test('a malformed one is refused', async () => {
    const client = await connected();
    expect(await client.subscribe(['$share//a', 0], ['$share/g', 0], ['$share/+/a', 0])).toEqual([
      0x80, 0x80, 0x80,
    ]);
  });
});
