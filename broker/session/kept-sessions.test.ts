/** Sessions with clean session 0 across a crash of the broker: whatever was acknowledged is already on the disk. */
import { copyFileSync } from 'node:fs';
import { kept, keptBrokers, resume } from '../../tests/conformance/kept-broker.ts';
import {
  connectPacket,
  packet,
  publishPacket,
  RawClient,
  subscribePacket,
  uint16,
  unsubscribePacket,
} from '../../tests/conformance/raw-client.ts';
import type { Principal } from '../broker.ts';
import { FileBackend } from '../retained/file-backend.ts';
import type { RetainedDocument } from '../retained/retained-backend.ts';

const brokers = keptBrokers();
const { start, contents } = brokers;

let role: Principal['role'];
const identity = {
  async authenticate({ username = '' }): Promise<Principal> {
    return { name: username, role };
  },
};

beforeEach(() => {
  role = 'admin';
});

async function publish(port: number, topic: string, ...payloads: string[]): Promise<void> {
  const sender = await RawClient.connected(port);
  for (const payload of payloads) await sender.send(publishPacket(topic, payload, { qos: 1, id: 1 })).next();
  await sender.disconnect();
}

test('what waits for an absent client waits for it after a crash too, in order, and nothing comes twice', async () => {
  const first = await start();
  const client = await RawClient.connected(first.port, kept('away'));
  expect(await client.subscribe(['t/+', 2], ['u', 0])).toEqual([2, 0]);
  await client.disconnect();
  await publish(first.port, 't/a', '1', '2');
  const sender = await RawClient.connected(first.port);
  expect(await sender.send(publishPacket('t/b', '3', { qos: 2, id: 7 })).nextHex()).toBe('50 0007');
  const second = await start({ from: first });
  const again = await resume(second.port, 'away');
  const got = [await again.nextPublish(), await again.nextPublish()];
  expect(got.map(({ payload, qos, dup }) => [payload, qos, dup])).toEqual([
    ['1', 1, false],
    ['2', 1, false],
  ]);
  again.send(...got.map(({ id }) => packet(0x40, uint16(id))));
  const last = await again.nextPublish();
  expect(last).toMatchObject({ payload: '3', qos: 2, dup: false });
  again.send(packet(0x50, uint16(last.id)));
  expect((await again.next()).type).toBe(6);
  again.send(packet(0x70, uint16(last.id)));
  // The subscriptions are there, and acknowledged messages are gone for good.
  await publish(second.port, 't/c', 'live');
  const live = await again.nextPublish();
  expect(live.payload).toBe('live');
  await again.send(packet(0x40, uint16(live.id)), packet(0xc0)).next();
  await second.broker.publish('flush', 'x', { qos: 1, retain: true });
  const third = await start({ from: second });
  await (await resume(third.port, 'away')).quiet();
});

test('what was in flight is sent again with DUP and its identifier; after PUBREC only PUBREL', async () => {
  const first = await start();
  const client = await RawClient.connected(first.port, kept('c'));
  await client.subscribe(['t', 2]);
  const sender = await RawClient.connected(first.port);
  sender.send(publishPacket('t', 'a', { qos: 1, id: 1 }), publishPacket('t', 'b', { qos: 2, id: 2 }));
  expect([(await sender.next()).type, (await sender.next()).type]).toEqual([4, 5]);
  const before = [await client.nextPublish(), await client.nextPublish()];
  const second = await start({ from: first });
  const again = await resume(second.port, 'c');
  const after = [await again.nextPublish(), await again.nextPublish()];
  expect(after).toEqual(before.map((one) => ({ ...one, dup: true })));
  const id = uint16(after[1]?.id as number);
  expect(await again.send(packet(0x50, id)).nextHex()).toBe(`62 ${id.toString('hex')}`);
  await second.broker.publish('flush', 'x', { qos: 1, retain: true });
  const third = await start({ from: second });
  const last = await resume(third.port, 'c');
  expect(await last.nextPublish()).toMatchObject({ payload: 'a', dup: true });
  expect(await last.nextHex()).toBe(`62 ${id.toString('hex')}`);
  await last.quiet();
});

test('a QoS 2 publish that was taken over is not taken twice after a crash [MQTT-4.3.3-2]', async () => {
  const first = await start();
  const sender = await RawClient.connected(first.port, kept('sender'));
  expect(await sender.send(publishPacket('t', 'once', { qos: 2, id: 5 })).nextHex()).toBe('50 0005');
  const second = await start({ from: first });
  const watcher = await RawClient.connected(second.port);
  await watcher.subscribe(['t', 0]);
  const again = await resume(second.port, 'sender');
  again.send(publishPacket('t', 'once', { qos: 2, id: 5, dup: true }));
  expect(await again.nextHex()).toBe('50 0005');
  await watcher.quiet();
  expect(await again.send(packet(0x62, uint16(5))).nextHex()).toBe('70 0005');
  await second.broker.publish('flush', 'x', { qos: 1, retain: true });
  const third = await start({ from: second });
  const other = await RawClient.connected(third.port);
  await other.subscribe(['t', 0]);
  (await resume(third.port, 'sender')).send(publishPacket('t', 'new', { qos: 2, id: 5 }));
  expect((await other.nextPublish()).payload).toBe('new');
});

test('what is published between loading and listening is neither missed by sessions nor overwritten', async () => {
  const first = await start();
  const client = await RawClient.connected(first.port, kept('c'));
  await client.subscribe(['t', 1]);
  await first.broker.publish('t', 'old', { qos: 1, retain: true });
  const { id } = await client.nextPublish();
  await client.send(packet(0x40, uint16(id)), packet(0xc0)).next();
  await first.broker.publish('flush', 'x', { qos: 1, retain: true });
  const { broker } = await brokers.create({ from: first });
  await broker.load();
  await broker.publish('t', 'new', { qos: 1, retain: true });
  await broker.listen();
  const port = Number(new URL(broker.addresses['tcp'] as string).port);
  expect((await (await resume(port, 'c')).nextPublish()).payload).toBe('new');
  const other = await RawClient.connected(port);
  await other.subscribe(['t', 0]);
  expect((await other.nextPublish()).payload).toBe('new');
});

test('a QoS 2 publish that the center did not take over before a crash is taken over when it comes again', async () => {
  const topic = 'platen/v1/ops/admin/request/fleet.summary';
  const options = { ...kept('asks'), username: 'admin', password: 'x' };
  const request = (dup: boolean) => publishPacket(topic, '{"id":"1"}', { qos: 2, id: 5, dup });
  let answer = () => {};
  const answered = new Promise<undefined>((resolve) => {
    answer = () => resolve(undefined);
  });
  const first = await start({ identity, uplink: () => answered });
  const sender = await RawClient.connected(first.port, options);
  sender.send(request(false));
  // All other writes are on the disk by now.
  await first.broker.publish('flush', 'x', { qos: 1, retain: true });
  await sender.quiet();
  const taken: string[] = [];
  const second = await start({
    from: first,
    identity,
    uplink: async ({ payload }) => {
      taken.push(payload.toString());
      return undefined;
    },
  });
  answer();
  const again = await RawClient.connected(second.port, options);
  expect(await again.send(request(true)).nextHex()).toBe('50 0005');
  expect(taken).toEqual(['{"id":"1"}']);
});

test('SUBACK, UNSUBACK, PUBACK and PUBREC wait until what they promise is on the disk', async () => {
  const { port, backend } = await start();
  /** The answer comes after the disk is released, not before. */
  const answered = async (client: RawClient, bytes: Buffer, answer: string): Promise<void> => {
    backend.hold();
    client.send(bytes);
    await client.quiet();
    backend.letGo();
    expect(await client.nextHex()).toBe(answer);
  };
  const client = await RawClient.connected(port, kept('k'));
  await answered(client, subscribePacket(1, ['t', 1], ['u', 1]), '90 00010101');
  await answered(client, unsubscribePacket(2, 'u'), 'b0 0002');
  const sender = await RawClient.connected(port, kept('sender'));
  // To a connected client, to an absent one, and the identifier of QoS 2.
  await answered(sender, publishPacket('t', 'x', { qos: 1, id: 3 }), '40 0003');
  expect((await client.nextPublish()).payload).toBe('x');
  await client.disconnect();
  await answered(sender, publishPacket('t', 'y', { qos: 1, id: 4 }), '40 0004');
  await answered(sender, publishPacket('nobody', 'z', { qos: 2, id: 5 }), '50 0005');
  // Clients that have nothing to do with a kept session don't wait.
  backend.hold();
  const other = await RawClient.connected(port);
  expect(await other.subscribe(['v', 1])).toEqual([1]);
  expect(await other.send(publishPacket('nobody', 'z', { qos: 1, id: 6 })).nextHex()).toBe('40 0006');
});

test('a session that ended, and what gave way in a full queue, is not found again', async () => {
  const first = await start();
  await (await RawClient.connected(first.port, kept('gone'))).disconnect();
  const client = await RawClient.connected(first.port, kept('full'));
  await client.subscribe(['t', 1], ['w', 1]);
  expect((await client.send(packet(0xa2, uint16(3), Buffer.from([0, 1, 0x77]))).next()).type).toBe(11);
  await client.disconnect();
  await publish(first.port, 't', '1', '2', '3', '4', '5', '6');
  await publish(first.port, 'w', 'not');
  await (await RawClient.connected(first.port, { clientId: 'gone', clean: true })).disconnect();
  await first.broker.publish('flush', 'x', { qos: 1, retain: true });
  const second = await start({ from: first });
  expect(second.broker.stats()).toMatchObject({
    sessions: 1,
    subscriptions: 1,
    queuedMessages: 4,
    retained: 1,
  });
  const again = await resume(second.port, 'full');
  for (const payload of ['3', '4', '5', '6']) {
    const { id, payload: got } = await again.nextPublish();
    expect(got).toBe(payload);
    again.send(packet(0x40, uint16(id)));
  }
  await again.quiet();
});

test('whose session it is stays known, so that it gets what its user may receive', async () => {
  const first = await start({ identity });
  const topic = 'platen/v1/fleet/events/order';
  const options = { ...kept('x'), username: 'admin', password: 'x' };
  const client = await RawClient.connected(first.port, options);
  expect(await client.subscribe([topic, 1])).toEqual([1]);
  const second = await start({ from: first, identity });
  await second.broker.publish(topic, 'event', { qos: 1, retain: false });
  const again = await RawClient.connected(second.port, options);
  expect((await again.nextPublish()).payload).toBe('event');
});

/** A copy of a broker's file with other records in it. */
async function spoiled(
  { file }: { file: string },
  spoil: (documents: Map<string, RetainedDocument>) => [topic: string, payload: Buffer][],
): Promise<{ file: string }> {
  const copy = brokers.path();
  copyFileSync(file, copy);
  const changes = spoil(await contents({ file }));
  const backend = new FileBackend(copy);
  for await (const _ of backend.load());
  await backend.write(changes.map(([topic, payload]) => ({ topic, payload, qos: 0 })));
  await backend.close();
  return { file: copy };
}

test('records that say nothing are set aside with one line in the log; all others are taken, and the broker starts', async () => {
  const first = await start();
  for (const name of ['whole', 'torn']) {
    const client = await RawClient.connected(first.port, kept(name));
    await client.subscribe(['t', 1]);
    await client.disconnect();
  }
  await publish(first.port, 't', '1', '2');
  const id = (name: string) => Buffer.from(name).toString('base64url');
  const spoilt = await spoiled(first, (documents) => {
    const [message] = [...documents.keys()].filter((topic) => topic.startsWith(`#message/${id('whole')}/`));
    return [
      [`#session/${id('torn')}`, Buffer.from('{"key":"torn","clie')],
      [`#session/${id('null')}`, Buffer.from('null')],
      [`#session/${id('other')}`, Buffer.from('{"key":"whole","clientId":"x","subscriptions":[]}')],
      [`#session/${id('qos')}`, Buffer.from('{"key":"qos","clientId":"qos","subscriptions":[["t",3]]}')],
      [`#subscription/${id('whole')}/x`, Buffer.from([1, 0x74])],
      [message as string, Buffer.from([1, 0])],
      [`#message/${id('whole')}/x`, Buffer.from([1, 0, 0, 0, 1, 0x74])],
      [`#received/${id('whole')}/-1`, Buffer.from([1])],
      [`#left/${id('whole')}`, Buffer.from('yesterday')],
      ['#what/is/this', Buffer.from('x')],
    ];
  });
  const second = await start({ from: spoilt });
  expect(second.broker.stats()).toMatchObject({ sessions: 1, subscriptions: 1, queuedMessages: 1 });
  const lines = brokers.log.filter(({ msg }) => msg?.includes('set aside'));
  // The ten, plus two messages, a subscription and the leave time of an unreadable session.
  expect(lines).toMatchObject([{ records: 14, reason: expect.any(String) }]);
  await second.broker.publish('flush', 'x', { qos: 1, retain: true });
  const after = await contents(second);
  expect(after.get(`#aside/#session/${id('torn')}`)?.payload.toString()).toBe('{"key":"torn","clie');
  // A client with the name of a session that was set aside starts fresh, also after the next restart.
  const torn = await RawClient.open(second.port);
  expect((await torn.send(connectPacket(kept('torn'))).next()).body.toString('hex')).toBe('0000');
  await second.broker.publish('flush', 'y', { qos: 1, retain: true });
  const before = brokers.log.length;
  const third = await start({ from: second });
  expect(brokers.log.slice(before)).toEqual([]);
  await (await resume(third.port, 'torn')).quiet();
  expect(await (await resume(third.port, 'whole')).nextPublish()).toMatchObject({ payload: '2' });
});

test('how long a client is away goes on over restarts; whoever was there until the end left at the end', async () => {
  const limits = { offlineSecondsMax: 100 };
  const first = await start({ limits });
  for (const name of ['old', 'recent']) {
    await (await RawClient.connected(first.port, kept(name))).disconnect();
  }
  await RawClient.connected(first.port, kept('there'));
  await first.broker.publish('flush', 'x', { qos: 1, retain: true });
  const left = (name: string) => `#left/${Buffer.from(name).toString('base64url')}`;
  expect((await contents(first)).has(left('there'))).toBe(false);
  const second = await start({
    from: await spoiled(first, () => [
      [left('old'), Buffer.from(String(Date.now() - 101_000))],
      [left('recent'), Buffer.from(String(Date.now() - 90_000))],
    ]),
    limits,
  });
  const until = Date.now() + 60_000;
  while (second.broker.stats().sessions > 2 && Date.now() < until) {
    await new Promise((resume) => setTimeout(resume, 20));
  }
  expect(second.broker.stats()).toMatchObject({ sessions: 2, dropped: { 'session-expired': 1 } });
  await resume(second.port, 'recent');
  await second.broker.publish('flush', 'y', { qos: 1, retain: true });
  const after = await contents(second);
  // A client that is back isn't absent; one that was connected at the crash is absent from the restart on.
  expect([after.has(left('old')), after.has(left('recent'))]).toEqual([false, false]);
  expect(Date.now() - Number(after.get(left('there'))?.payload)).toBeLessThan(60_000);
});

test('PUBREL and PUBCOMP wait until it is on the disk that the identifier is free', async () => {
  const first = await start();
  const client = await RawClient.connected(first.port, kept('k'));
  await client.subscribe(['t', 2]);
  const sender = await RawClient.connected(first.port, kept('sender'));
  expect(await sender.send(publishPacket('t', 'x', { qos: 2, id: 9 })).nextHex()).toBe('50 0009');
  const { id } = await client.nextPublish();
  first.backend.hold();
  client.send(packet(0x50, uint16(id)));
  sender.send(packet(0x62, uint16(9)));
  await client.quiet();
  await sender.quiet();
  first.backend.letGo();
  expect(await client.nextHex()).toBe(`62 ${uint16(id).toString('hex')}`);
  expect(await sender.nextHex()).toBe('70 0009');
  // Nothing was written after PUBREL and PUBCOMP: they hold even if a crash follows at once.
  const second = await start({ from: first });
  expect(await (await resume(second.port, 'k')).nextHex()).toBe(`62 ${uint16(id).toString('hex')}`);
  const watcher = await RawClient.connected(second.port);
  await watcher.subscribe(['t', 0]);
  (await resume(second.port, 'sender')).send(publishPacket('t', 'next', { qos: 2, id: 9 }));
  expect((await watcher.nextPublish()).payload).toBe('next');
});

test('what was queued, or sent and not acknowledged, is not sent to a client whose rights went meanwhile', async () => {
  const { port, broker } = await start({ identity });
  const topic = 'platen/v1/fleet/events/order';
  const options = { ...kept('x'), username: 'x', password: 'x' };
  const client = await RawClient.connected(port, options);
  expect(await client.subscribe([topic, 1])).toEqual([1]);
  // Two fill the window, the third and the fourth wait.
  for (const payload of ['1', '2', '3', '4']) await broker.publish(topic, payload, { qos: 1, retain: false });
  expect([(await client.nextPublish()).payload, (await client.nextPublish()).payload]).toEqual(['1', '2']);
  role = 'printer';
  expect(broker.revoke('x', 'rights-changed')).toBe(1);
  await client.closed();
  const again = await RawClient.connected(port, options);
  await again.quiet();
  expect(broker.stats()).toMatchObject({ queuedMessages: 0, dropped: { 'not-authorized': 4 } });
  // Its own message arrives, and the window is free for it.
  const own = 'platen/v1/printers/x/request/identify';
  expect(await again.subscribe([own, 1])).toEqual([1]);
  for (const payload of ['a', 'b']) await broker.publish(own, payload, { qos: 1, retain: false });
  expect([(await again.nextPublish()).payload, (await again.nextPublish()).payload]).toEqual(['a', 'b']);
});

test('whoever gets the name of somebody who was removed gets nothing of its session, over a restart neither', async () => {
  let enrolment = 'first';
  const identity = {
    authenticate: async ({ username = '' }) => ({ name: username, role: 'printer' as const, enrolment }),
  };
  const topic = 'platen/v1/printers/k/errors/ack';
  const login = { ...kept('k'), username: 'k', password: 'x' };
  const begin = async (port: number) => {
    const client = await RawClient.open(port);
    client.send(connectPacket(login));
    const { body } = await client.next();
    return { client, present: body[0] === 1 };
  };
  const first = await start({ identity });
  const { client } = await begin(first.port);
  await client.subscribe([topic, 1]);
  await client.disconnect();
  await first.broker.publish(topic, 'for the first', { qos: 1, retain: false });
  const second = await start({ from: first, identity });
  // The same session continues.
  const again = await begin(second.port);
  expect(again.present).toBe(true);
  expect((await again.client.nextPublish()).payload).toBe('for the first');
  await again.client.disconnect();
  enrolment = 'second';
  for (const { port, broker } of [second, await start({ from: second, identity })]) {
    const anew = await begin(port);
    expect(anew.present).toBe(false);
    await anew.client.quiet();
    expect(broker.stats()).toMatchObject({ subscriptions: 0, queuedMessages: 0 });
  }
});
