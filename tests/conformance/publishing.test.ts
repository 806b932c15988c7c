/**
 * PUBLISH and its replies (3.3 to 3.7), the flows of QoS 0, 1 and 2 (4.3), their order (4.6), on raw bytes. Each test
 * is named after the statement that it checks.
 */
import { openBroker } from './open-broker.ts';
import { packet, publishPacket, subscribePacket, text, uint16 } from './raw-client.ts';

const { connected, fresh } = openBroker();

describe('publishing', () => {
  test('MQTT-3.3.4-1, MQTT-2.3.1-6, MQTT-2.2.2-1: QoS 0 has no answer, QoS 1 PUBACK, QoS 2 PUBREC and PUBCOMP', async () => {
    const client = await connected();
    client.send(publishPacket('a', 'b'));
    await client.quiet();
    expect(await client.send(publishPacket('a', 'b', { qos: 1, id: 0x1234 })).nextHex()).toBe('40 1234');
    expect(await client.send(publishPacket('a', 'b', { qos: 2, id: 0xfffe })).nextHex()).toBe('50 fffe');
    expect(await client.send(packet(0x62, uint16(0xfffe))).nextHex()).toBe('70 fffe');
  });

  test('MQTT-4.3.1-1, MQTT-2.3.1-5: QoS 0 is delivered with QoS 0, DUP 0 and no identifier', async () => {
    const topic = fresh('t');
    const client = await connected();
    await client.subscribe([topic, 2]);
    const bytes = Buffer.concat([text(topic), Buffer.from('payload')]);
    expect(await client.send(packet(0x30, bytes)).nextHex()).toBe(`30 ${bytes.toString('hex')}`);
  });

  test('4.3.3: who subscribes to what it publishes with QoS 2 gets PUBREC before its own message', async () => {
    const topic = fresh('t');
    const client = await connected();
    await client.subscribe([topic, 2]);
    const other = await connected();
    client.send(publishPacket(topic, 'own', { qos: 2, id: 9 }));
    expect(await client.nextHex()).toBe('50 0009');
    expect(await client.nextPublish()).toMatchObject({ payload: 'own', qos: 2 });
    // Messages that others publish meanwhile stay behind it.
    client.send(publishPacket(topic, 'first', { qos: 2, id: 10 }));
    expect(await client.nextHex()).toBe('50 000a');
    other.send(publishPacket(topic, 'second', { qos: 0 }));
    expect((await client.nextPublish()).payload).toBe('first');
    expect((await client.nextPublish()).payload).toBe('second');
  });

  test('MQTT-3.3.5-2: what nobody may publish is acknowledged, and goes nowhere', async () => {
    const client = await connected();
    await client.subscribe(['$SYS/made/up', 0], ['$share/x', 0]);
    expect(await client.send(publishPacket('$SYS/made/up', 'x', { qos: 1, id: 1 })).nextHex()).toBe(
      '40 0001',
    );
    expect(await client.send(publishPacket('$SYS/made/up', 'x', { qos: 2, id: 2 })).nextHex()).toBe(
      '50 0002',
    );
    await client.quiet();
  });

  test('MQTT-4.6.0-2, MQTT-4.6.0-3, MQTT-4.6.0-5: acknowledgements come in the order of the publishes', async () => {
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

  test('MQTT-2.3.1-4, MQTT-4.3.2-1: an identifier that is in use is left out when all others have been used', async () => {
    const topic = fresh('t');
    const subscriber = await connected();
    await subscriber.subscribe([topic, 1]);
    const sender = await connected();
    const round = Array.from({ length: 1_000 }, (_, n) => publishPacket(topic, '', { qos: 1, id: n + 1 }));
    // The first one is never acknowledged.
    sender.send(publishPacket(topic, 'first', { qos: 1, id: 1 }));
    const { id: first } = await subscriber.nextPublish();
    const used = new Set<number>();
    for (let sent = 0; sent < 66_000; sent += round.length) {
      sender.send(...round);
      for (let n = 0; n < round.length; n++) {
        const { id } = await subscriber.nextPublish();
        used.add(id);
        subscriber.send(packet(0x40, uint16(id)));
        await sender.next();
      }
    }
    expect([used.size, used.has(first), used.has(0)]).toEqual([65_534, false, false]);
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
