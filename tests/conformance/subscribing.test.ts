/**
 * SUBSCRIBE and UNSUBSCRIBE (3.8 to 3.11), topic names and filters (4.7), on raw bytes. Each test is named after the
 * statement that it checks.
 */
import { openBroker } from './open-broker.ts';
import {
  packet,
  published,
  publishPacket,
  subscribePacket,
  uint16,
  unsubscribePacket,
} from './raw-client.ts';

const { connected, fresh } = openBroker();

describe('subscribing', () => {
  test('MQTT-3.8.4-1, MQTT-3.8.4-4, MQTT-3.8.4-5, MQTT-3.9.3-1: SUBACK has a code for every filter in order, also for one named twice', async () => {
    const client = await connected();
    const [a, b] = [fresh('t'), fresh('t')];
    expect(await client.subscribe([a, 0], [b, 1], [a, 2])).toEqual([0, 1, 2]);
  });

  test('MQTT-3.8.4-4: many filters in one SUBSCRIBE are as many subscriptions, each with its QoS; named twice, the last counts', async () => {
    const client = await connected();
    const [a, b, c] = [fresh('t'), fresh('t'), fresh('t')];
    expect(await client.subscribe([a, 2], [b, 0], [`${c}/+`, 1], [a, 1])).toEqual([2, 0, 1, 1]);
    const sender = await connected();
    for (const [n, topic] of [a, b, `${c}/x`].entries()) {
      sender.send(publishPacket(topic, String(n), { qos: 2, id: n + 1 }));
    }
    const got = [await client.nextPublish(), await client.nextPublish(), await client.nextPublish()];
    expect(got.map(({ topic, qos }) => [topic, qos])).toEqual([
      [a, 1],
      [b, 0],
      [`${c}/x`, 1],
    ]);
    await client.quiet();
  });

  test('MQTT-3.8.4-2, MQTT-2.3.1-7: SUBACK and UNSUBACK have the identifier of what they answer', async () => {
    const client = await connected();
    const topic = fresh('t');
    for (const id of [1, 0x1234, 0xffff]) {
      const hex = uint16(id).toString('hex');
      expect(await client.send(subscribePacket(id, [topic, 1])).nextHex()).toBe(`90 ${hex}01`);
      expect(await client.send(unsubscribePacket(id, topic)).nextHex()).toBe(`b0 ${hex}`);
    }
  });

  test('MQTT-3.9.3-2: a filter that is refused has code 0x80, the others count', async () => {
    const client = await connected();
    const filters: [string, number][] = [
      ['test/nosubscribe', 2],
      [fresh('t'), 2],
      ['nosubscribe', 0],
    ];
    expect(await client.subscribe(...filters)).toEqual([0x80, 2, 0x80]);
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
    const sender = await connected();
    sender.send(publishPacket(topic, 'live', { qos: 2, id: 1 }));
    expect(await client.nextPublish()).toMatchObject({ payload: 'live', retain: false, qos: 1 });
    await client.subscribe([topic, 0]);
    await client.nextPublish();
    sender.send(publishPacket(topic, 'lower', { qos: 1, id: 2 }));
    expect(await client.nextPublish()).toMatchObject({ payload: 'lower', qos: 0 });
    await client.quiet();
  });

  test('MQTT-3.8.4-3: no message is missed while a subscription is replaced', async () => {
    const topic = fresh('t');
    const client = await connected();
    await client.subscribe([topic, 1]);
    const sender = await connected();
    // In one TCP segment, so that each subscription falls between two messages.
    const own = Array.from({ length: 50 }, (_, n) => [
      publishPacket(topic, `own ${n}`),
      subscribePacket(n + 1, [topic, n % 3]),
    ]).flat();
    const others = Array.from({ length: 50 }, (_, n) => publishPacket(topic, `other ${n}`));
    client.send(...own);
    sender.send(...others);
    const got: string[] = [];
    for (let n = 0; n < 150; n++) {
      const next = await client.next();
      if (next.type === 3) got.push(published(next).payload);
    }
    const of = (who: string) => got.filter((payload) => payload.startsWith(who));
    expect(of('own')).toEqual(Array.from({ length: 50 }, (_, n) => `own ${n}`));
    expect(of('other')).toEqual(Array.from({ length: 50 }, (_, n) => `other ${n}`));
  });

  test('MQTT-3.3.2-3, MQTT-4.7.1-2, MQTT-4.7.1-3: # matches the parent and below, + one level, empty ones too', async () => {
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
    // A separate client, because overlapping subscriptions would be merged into one delivery.
    const explicit = await connected();
    await explicit.subscribe([`$${name}/#`, 0], [`$${name}/y`, 1]);
    client.send(publishPacket(`$${name}/y`, 'retained', { qos: 1, id: 1, retain: true }));
    expect(await client.nextHex()).toBe('40 0001');
    await client.subscribe(['#', 0], ['+/x', 0], ['+/#', 0], ['+/+', 0]);
    client.send(publishPacket(`$${name}/x`, 'live'), packet(0xc0));
    const topics: string[] = [];
    for (let next = await client.next(); next.type === 3; next = await client.next()) {
      topics.push(published(next).topic);
    }
    // Retained messages of other tests may arrive; none begins with $.
    expect(topics.filter((topic) => topic.startsWith('$'))).toEqual([]);
    expect([(await explicit.nextPublish()).payload, (await explicit.nextPublish()).payload]).toEqual([
      'retained',
      'live',
    ]);
    const late = await connected();
    await late.subscribe([`$${name}/+`, 0]);
    expect(await late.nextPublish()).toMatchObject({ payload: 'retained', retain: true });
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

  test('MQTT-4.7.3-4: nothing is normalised: forms of a letter that look the same are two', async () => {
    const topic = fresh('t');
    const client = await connected();
    await client.subscribe([`${topic}/\u00e9`, 0]);
    client.send(publishPacket(`${topic}/e\u0301`, 'apart'), publishPacket(`${topic}/\u00e9`, 'one'));
    expect((await client.nextPublish()).payload).toBe('one');
    await client.quiet();
  });

  test('MQTT-4.7.3-3: a topic may have 65,535 bytes', async () => {
    const topic = fresh('t').padEnd(65_535, 'x');
    const client = await connected();
    expect(await client.subscribe([topic, 0])).toEqual([0]);
    client.send(publishPacket(topic, 'long'));
    expect(await client.nextPublish()).toMatchObject({ topic, payload: 'long' });
  });

  test('MQTT-1.5.3-3: U+FEFF is kept', async () => {
    const topic = `\ufeff${fresh('t')}\u{1F5A8}`;
    const client = await connected();
    await client.subscribe([topic, 0]);
    client.send(publishPacket(topic, ''));
    expect((await client.nextPublish()).topic).toBe(topic);
  });

  test('MQTT-3.10.4-1, MQTT-3.10.4-2, MQTT-3.10.4-4, MQTT-3.10.4-5: UNSUBSCRIBE is always answered and ends the deliveries', async () => {
    const topic = fresh('t');
    const client = await connected();
    await client.subscribe([topic, 0]);
    expect(await client.send(unsubscribePacket(9, topic, 'never')).nextHex()).toBe('b0 0009');
    client.send(publishPacket(topic, ''));
    await client.quiet();
    for (const never of [topic, 'never']) {
      expect(await client.send(unsubscribePacket(10, never)).nextHex()).toBe('b0 000a');
    }
  });

  test('MQTT-3.10.4-1: UNSUBSCRIBE ends the very filter and none that matches the same topics, nor one in other letters', async () => {
    const topic = fresh('t');
    const client = await connected();
    await client.subscribe([`${topic}/#`, 0]);
    const others = [`${topic}/+`, `${topic}/x`, `${topic}`, `${topic}/`, `${topic.toUpperCase()}/#`, '#'];
    expect(await client.send(unsubscribePacket(9, ...others)).nextHex()).toBe('b0 0009');
    client.send(publishPacket(`${topic}/x`, 'still'));
    expect((await client.nextPublish()).payload).toBe('still');
  });

  test('MQTT-3.10.4-6: many filters are ended by one UNSUBSCRIBE with one UNSUBACK', async () => {
    const [a, b, c] = [fresh('t'), fresh('t'), fresh('t')];
    const client = await connected();
    await client.subscribe([a, 0], [`${b}/#`, 0], [c, 0]);
    expect(await client.send(unsubscribePacket(9, a, `${b}/#`, `${b}/+`)).nextHex()).toBe('b0 0009');
    client.send(publishPacket(a, ''), publishPacket(`${b}/x`, ''), publishPacket(c, 'left'));
    expect((await client.nextPublish()).payload).toBe('left');
    await client.quiet();
  });

  test('MQTT-3.10.4-3: a delivery that began is completed after UNSUBSCRIBE', async () => {
    const topic = fresh('t');
    const clientId = fresh('c');
    const client = await connected({ clientId, clean: false });
    await client.subscribe([topic, 2]);
    (await connected()).send(publishPacket(topic, 'two', { qos: 2, id: 1 }));
    const { id } = await client.nextPublish();
    expect(await client.send(unsubscribePacket(9, topic)).nextHex()).toBe('b0 0009');
    client.vanish();
    const again = await connected({ clientId, clean: false });
    expect(await again.nextPublish()).toMatchObject({ payload: 'two', id, dup: true });
    const hex = uint16(id).toString('hex');
    expect(await again.send(packet(0x50, uint16(id))).nextHex()).toBe(`62 ${hex}`);
    again.send(packet(0x70, uint16(id)));
    await again.quiet();
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
