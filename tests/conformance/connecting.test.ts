/**
 * CONNECT, CONNACK, keepalive, PINGREQ (3.1, 3.2, 3.12), on raw bytes. Each test is named after the statement that it
 * checks.
 */
import { openBroker } from './open-broker.ts';
import {
  connectPacket,
  packet,
  published,
  publishPacket,
  subscribePacket,
  unsubscribePacket,
} from './raw-client.ts';

const { connack, connected, fresh, open } = openBroker();

describe('connecting', () => {
  test('MQTT-3.2.0-1, MQTT-3.1.4-4, MQTT-3.2.2-1: CONNACK 0 is the first packet, no session present for a clean one', async () => {
    const [, answer] = await connack({ clientId: fresh('c') });
    expect(answer).toEqual([0, 0]);
  });

  test('MQTT-3.1.3-6, MQTT-3.1.3-7: an empty client id with a clean session is accepted, twice at once', async () => {
    const [one, two] = [await connected(), await connected()];
    await one.quiet();
    await two.quiet();
  });

  test('MQTT-3.1.3-5: ids of 1 to 23 letters and digits are allowed, all of these', async () => {
    const letters = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
    for (const clientId of ['0', 'Z', letters.slice(0, 23), letters.slice(23, 46), letters.slice(46)]) {
      const [client, answer] = await connack({ clientId });
      expect([clientId, answer]).toEqual([clientId, [0, 0]]);
      await client.disconnect();
    }
  });

  test('MQTT-3.1.3-2: a session belongs to its client id and to no other', async () => {
    const clientId = fresh('c');
    const topic = fresh('t');
    const first = await connected({ clientId, clean: false });
    await first.subscribe([topic, 0]);
    await first.disconnect();
    const [other, answer] = await connack({ clientId: clientId.toUpperCase(), clean: false });
    expect(answer).toEqual([0, 0]);
    other.send(publishPacket(topic, ''));
    await other.quiet();
  });

  test('3.1.4: packets that follow CONNECT at once are handled after it, in order', async () => {
    const topic = fresh('t');
    const client = await open();
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

  test('MQTT-3.1.4-5: what follows a CONNECT that is refused is not processed', async () => {
    const topic = fresh('t');
    const watcher = await connected();
    await watcher.subscribe([topic, 0]);
    const client = await open();
    client.send(connectPacket({ clean: false }), publishPacket(topic, 'x'), subscribePacket(1, [topic, 0]));
    expect((await client.closed()).map(({ type, body }) => [type, ...body])).toEqual([[2, 0, 2]]);
    await watcher.quiet();
  });

  test('MQTT-3.2.2-2, MQTT-3.2.2-3, MQTT-3.1.2-4, MQTT-3.1.4-3, MQTT-4.1.0-1: a session is present when it was kept, even without subscriptions', async () => {
    const clientId = fresh('c');
    const [first, before] = await connack({ clientId, clean: false });
    expect(before).toEqual([0, 0]);
    await first.disconnect();
    const [second, after] = await connack({ clientId, clean: false });
    expect(after).toEqual([1, 0]);
    await second.disconnect();
  });

  test('MQTT-3.1.2-6, MQTT-3.1.4-3: a clean session ends what was kept, and ends with its connection', async () => {
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
    // Closing the first must not unregister the second.
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

  test('MQTT-3.1.2-24: every packet is a sign of life, SUBSCRIBE and UNSUBSCRIBE too; longer packets while they come', async () => {
    const client = await connected({ keepalive: 1 });
    // A fifth of the time after which the connection is closed, so that a busy machine has headroom.
    const pause = () => new Promise((resolve) => setTimeout(resolve, 300));
    const topic = fresh('t');
    for (let round = 0; round < 3; round++) {
      await pause();
      await client.subscribe([topic, 0]);
      await pause();
      expect(await client.send(unsubscribePacket(2, topic)).nextHex()).toBe('b0 0002');
    }
    await pause();
    const bytes = publishPacket(topic, 'slow', { qos: 1, id: 3 });
    for (let at = 0; at < bytes.length; at += 6) {
      client.send(bytes.subarray(at, at + 6));
      await pause();
    }
    expect(await client.nextHex()).toBe('40 0003');
  });

  test('MQTT-3.12.4-1: PINGREQ is answered', async () => {
    const client = await connected();
    expect(await client.send(packet(0xc0)).nextHex()).toBe('d0');
  });
});
