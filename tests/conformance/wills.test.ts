/** Wills (3.1.2.5), on raw bytes. Each test is named after the statement that it checks. */
import { openBroker } from './open-broker.ts';
import { packet, publishPacket } from './raw-client.ts';

const { connected, fresh } = openBroker();

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

  test.each([
    ['with flags', Buffer.from([0xe1, 0])],
    ['with a body', packet(0xe0, [0])],
  ])(
    'MQTT-3.14.1-1: DISCONNECT %s is none: the connection ends and the will is published',
    async (_, bytes) => {
      const topic = fresh('t');
      const watcher = await connected();
      await watcher.subscribe([topic, 0]);
      const client = await connected({ clientId: fresh('c'), will: will(topic) });
      expect(await client.send(bytes).closed()).toEqual([]);
      expect((await watcher.nextPublish()).payload).toBe('gone');
    },
  );

  test('MQTT-3.1.2-10: one that was published is gone: the next connection of its session has none', async () => {
    const topic = fresh('t');
    const clientId = fresh('c');
    const watcher = await connected();
    await watcher.subscribe([topic, 0]);
    (await connected({ clientId, clean: false, will: will(topic) })).vanish();
    expect((await watcher.nextPublish()).payload).toBe('gone');
    (await connected({ clientId, clean: false })).vanish();
    await watcher.quiet();
  });

  test('MQTT-3.1.2-16: without will retain nothing stays', async () => {
    const topic = fresh('t');
    const watcher = await connected();
    await watcher.subscribe([topic, 0]);
    (await connected({ clientId: fresh('c'), will: { topic, payload: 'gone', qos: 1 } })).vanish();
    expect(await watcher.nextPublish()).toMatchObject({ payload: 'gone', retain: false });
    const late = await connected();
    await late.subscribe([topic, 0]);
    await late.quiet();
  });

  test('MQTT-3.1.2-12: without a will nothing is published; one of an earlier connection is not kept', async () => {
    const topic = fresh('t');
    const clientId = fresh('c');
    // No topic at all may receive one; retained messages of other tests arrive first.
    const watcher = await connected();
    await watcher.subscribe(['#', 0]);
    watcher.send(packet(0xc0));
    while ((await watcher.next()).type !== 13);
    await (await connected({ clientId, clean: false, will: will(topic) })).disconnect();
    (await connected({ clientId, clean: false })).vanish();
    await watcher.quiet();
  });

  test('MQTT-3.1.2-8: a session that is taken over by one of its own publishes the will of the first connection', async () => {
    const topic = fresh('t');
    const clientId = fresh('c');
    const watcher = await connected();
    await watcher.subscribe([topic, 0]);
    const first = await connected({ clientId, clean: false, will: will(topic) });
    const second = await connected({ clientId, clean: false });
    await first.closed();
    // The will of the first connection arrives before messages of the second.
    second.send(publishPacket(topic, 'here'));
    expect((await watcher.nextPublish()).payload).toBe('gone');
    expect((await watcher.nextPublish()).payload).toBe('here');
  });

  test('3.1.2.5: an empty will is a message', async () => {
    const topic = fresh('t');
    const watcher = await connected();
    await watcher.subscribe([topic, 0]);
    (await connected({ clientId: fresh('c'), will: { topic, payload: '' } })).vanish();
    expect(await watcher.nextPublish()).toMatchObject({ topic, payload: '' });
  });
});
