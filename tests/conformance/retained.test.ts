/** Retained messages (3.3.1.3), on raw bytes. Each test is named after the statement that it checks. */
import { openBroker } from './open-broker.ts';
import { packet, publishPacket, uint16 } from './raw-client.ts';

const { connected, fresh } = openBroker({ outboundInFlightMax: 5 });

describe('retained messages', () => {
  test('MQTT-3.3.1-5, MQTT-3.3.1-6, MQTT-3.3.1-8, MQTT-3.1.2-7: the last one is kept and sent with RETAIN to a new subscription', async () => {
    const topic = fresh('t');
    const sender = await connected();
    for (const [id, payload] of [
      [1, 'old'],
      [2, 'new'],
    ] as const) {
      await sender.send(publishPacket(topic, payload, { qos: 1, id, retain: true })).next();
    }
    // A retained message is not part of the session that published it.
    await sender.disconnect();
    const client = await connected();
    await client.subscribe([topic, 2]);
    expect(await client.nextPublish()).toMatchObject({ payload: 'new', retain: true, qos: 1 });
    await client.quiet();
  });

  test('MQTT-3.3.1-7: one with QoS 0 takes the place of one with QoS 1', async () => {
    const topic = fresh('t');
    const client = await connected();
    await client.send(publishPacket(topic, 'old', { qos: 1, id: 1, retain: true })).next();
    client.send(publishPacket(topic, 'new', { retain: true }));
    await client.subscribe([topic, 1]);
    expect(await client.nextPublish()).toMatchObject({ payload: 'new', qos: 0 });
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
