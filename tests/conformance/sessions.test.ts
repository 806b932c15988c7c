/**
 * Sessions: state that outlives a connection (3.1.2.4, 4.1, 4.4, 4.5), on raw bytes. Each test is named after the
 * statement that it checks.
 */
import { openBroker } from './open-broker.ts';
import { packet, published, publishPacket, uint16 } from './raw-client.ts';

const { connected, fresh } = openBroker({ outboundInFlightMax: 5 });

describe('sessions', () => {
  test('MQTT-3.1.2-4, MQTT-4.1.0-1, MQTT-3.1.2-5, MQTT-4.5.0-1: QoS 1 and 2 wait for an absent client, QoS 0 does not; in order', async () => {
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

  test('MQTT-4.5.0-1: a message joins the session of everybody whose filters match, there or away, once', async () => {
    const topic = fresh('t');
    const filters = [`${topic}/a`, `${topic}/#`, `${topic}/+`, `+/a`, topic, `${topic}/b`];
    const ids = filters.map(() => fresh('c'));
    for (const [n, filter] of filters.entries()) {
      const client = await connected({ clientId: ids[n] as string, clean: false });
      await client.subscribe([filter, 1]);
      // Every other client is offline.
      if (n % 2 === 0) await client.disconnect();
    }
    await (await connected()).send(publishPacket(`${topic}/a`, 'm', { qos: 1, id: 1 })).next();
    for (const [n, clientId] of ids.entries()) {
      const client = await connected({ clientId, clean: false });
      if (n < 4) expect([n, (await client.nextPublish()).payload]).toEqual([n, 'm']);
      await client.quiet();
    }
  });

  test('MQTT-4.6.0-5, MQTT-4.6.0-6: a topic keeps its order when the window is full and messages wait, whatever their QoS', async () => {
    const topic = fresh('t');
    const client = await connected();
    await client.subscribe([`${topic}/#`, 2]);
    const sender = await connected();
    const all = Array.from({ length: 30 }, (_, n) => n);
    for (const n of all) sender.send(publishPacket(`${topic}/x`, String(n), { qos: n % 3, id: n + 1 }));
    // Nothing is acknowledged before the window is full and the rest is queued.
    for (const n of all) if (n % 3 > 0) await sender.next();
    const got: string[] = [];
    while (got.length < all.length) {
      const next = await client.next();
      if (next.type === 6) {
        client.send(packet(0x70, next.body));
        continue;
      }
      const { payload, qos, id } = published(next);
      got.push(payload);
      if (qos > 0) client.send(packet(qos === 1 ? 0x40 : 0x50, uint16(id)));
    }
    expect(got).toEqual(all.map(String));
  });

  test("MQTT-4.4.0-1, MQTT-4.6.0-1, MQTT-3.3.1-1: what wasn't acknowledged is sent again with DUP, same identifier, same order", async () => {
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

  test('MQTT-4.3.3-1, MQTT-2.2.2-1: QoS 2: PUBREL after PUBREC, as often as it comes; the identifier is free after PUBCOMP and not before', async () => {
    const topic = fresh('t');
    const client = await connected();
    await client.subscribe([topic, 2]);
    const sender = await connected();
    for (let n = 1; n <= 6; n++) sender.send(publishPacket(topic, String(n), { qos: 2, id: n }));
    const ids: number[] = [];
    for (let n = 1; n <= 5; n++) {
      const { id, payload, qos, dup } = await client.nextPublish();
      expect([payload, qos, dup]).toEqual([String(n), 2, false]);
      ids.push(id);
    }
    const released = (id: number) => `62 ${uint16(id).toString('hex')}`;
    for (const id of [...ids, ...ids]) {
      expect(await client.send(packet(0x50, uint16(id))).nextHex()).toBe(released(id));
    }
    // The window is five: the sixth arrives when one of them is complete.
    await client.quiet();
    const [done] = ids as [number];
    client.send(packet(0x70, uint16(done)));
    const sixth = await client.nextPublish();
    expect([sixth.payload, ids.slice(1).includes(sixth.id)]).toEqual(['6', false]);
  });

  test("a window bounds what is in flight; identifiers in use aren't used again [MQTT-2.3.1-4], [MQTT-4.3.2-1]", async () => {
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
    // The acknowledgement of its own publish may come first or second.
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
