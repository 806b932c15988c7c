/** The QoS 2 handshakes alone, and which connections have any. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import pino from 'pino';
import { acknowledgement, PINGRESP } from '../mqtt/encode.ts';
import { type PublishPacket, TYPE } from '../mqtt/packet.ts';
import {
  connectPacket,
  packet,
  publishPacket,
  RawClient,
  subscribePacket,
} from '../tests/conformance/raw-client.ts';
import { AedesBroker, type HandshakePacket, type Handshakes } from './aedes.ts';
import { ConnectQueue } from './connection/connect-queue.ts';
import { Hub } from './hub.ts';
import { DEFAULT_LIMITS, OPEN_LIMITS } from './limits.ts';
import { RetainedStore } from './retained/retained-store.ts';

const PUBLISH: PublishPacket = {
  cmd: 'publish',
  topic: 'a',
  payload: Buffer.from('1'),
  qos: 2,
  retain: false,
  dup: false,
  messageId: 7,
};

const ends: (() => unknown)[] = [];

afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** A peer that records what it is asked and accepts publishes when `take` is called. */
async function begin(durable?: Promise<void>) {
  const broker = new AedesBroker();
  await broker.start();
  ends.push(() => broker.close());
  const sent: Buffer[] = [];
  const asked: string[] = [];
  const taken = new Set<number>();
  let take: (error?: Error) => void = () => {};
  const handshakes: Handshakes = broker.open({
    send: (bytes) => sent.push(bytes),
    publish: (publish, done) => {
      taken.add(publish.messageId);
      take = done;
    },
    isTaken: (id) => taken.has(id),
    release: (id) => {
      taken.delete(id);
      asked.push(`release ${id}`);
      return durable;
    },
    received: (id) => {
      asked.push(`received ${id}`);
      return durable;
    },
    completed: (id) => asked.push(`completed ${id}`),
  });
  const handle = (next: HandshakePacket) =>
    new Promise<Error | null | undefined>((resolve) => handshakes.handle(next, resolve));
  return { handshakes, handle, sent, asked, take: (error?: Error) => take(error) };
}

const turn = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));

test('PUBREC follows when the publish was taken over, PUBCOMP when its identifier is released', async () => {
  const { handle, sent, asked, take } = await begin();
  const handled = handle(PUBLISH);
  await turn();
  expect(sent).toEqual([]);
  take();
  expect(await handled).toBeNull();
  expect(sent).toEqual([acknowledgement(TYPE.pubrec, 7)]);
  expect(await handle({ cmd: 'pubrel', messageId: 7 })).toBeNull();
  expect(asked).toEqual(['release 7']);
  expect(sent[1]).toEqual(acknowledgement(TYPE.pubcomp, 7));
  // Repeated because its PUBCOMP was lost: answered again, released only once.
  await handle({ cmd: 'pubrel', messageId: 7 });
  expect(asked).toEqual(['release 7']);
  expect(sent[2]).toEqual(acknowledgement(TYPE.pubcomp, 7));
});

test('a publish that is not taken over gets no PUBREC', async () => {
  const { handle, sent, take } = await begin();
  const handled = handle(PUBLISH);
  take(new Error('not authorized'));
  expect(await handled).toMatchObject({ message: 'not authorized' });
  await turn();
  expect(sent).toEqual([]);
});

test.each([
  ['pubrec', TYPE.pubrel],
  ['pubrel', TYPE.pubcomp],
] as const)('the answer to %s waits until what it promises is durable', async (cmd, answer) => {
  let written = () => {};
  const durable = new Promise<void>((resolve) => {
    written = resolve;
  });
  const { handle, sent, take } = await begin(durable);
  const published = handle({ ...PUBLISH, messageId: 300 });
  take();
  await published;
  sent.length = 0;
  const handled = handle({ cmd, messageId: 300 });
  await turn();
  expect(sent).toEqual([]);
  written();
  expect(await handled).toBeNull();
  expect(sent).toEqual([acknowledgement(answer, 300)]);
});

test('PUBCOMP ends the handshake of a message that was sent', async () => {
  const { handle, asked } = await begin();
  await handle({ cmd: 'pubcomp', messageId: 9 });
  expect(asked).toEqual(['completed 9']);
});

test('after the end of the connection nothing is written', async () => {
  const { handshakes, handle, sent, take } = await begin();
  const handled = handle(PUBLISH);
  handshakes.close();
  take();
  expect(await handled).toMatchObject({ message: 'connection closed' });
  expect(sent).toEqual([]);
});

test('a connection has an Aedes client from its first QoS 2 packet on', async () => {
  const limits = { ...DEFAULT_LIMITS, ...OPEN_LIMITS };
  const hub = new Hub({
    limits,
    log: pino({ level: 'silent' }),
    identity: 'open',
    retained: new RetainedStore(limits, undefined),
    connectQueue: new ConnectQueue(limits, performance.now(), { clients: () => 0, room: () => 1 }),
    uplink: undefined,
  });
  await hub.start();
  const server = createServer((socket) =>
    hub.serve(socket, { listener: 'tcp', address: '127.0.0.1', certificateName: undefined }),
  ).listen(0, '127.0.0.1');
  ends.push(
    () => server.close(),
    () => hub.closeAll(),
  );
  await once(server, 'listening');
  const client = await RawClient.open((server.address() as AddressInfo).port);
  client.send(connectPacket({ clientId: 'a', will: { topic: 'gone', payload: 'a' } }));
  client.send(subscribePacket(1, ['a', 1]), publishPacket('a', '1', { qos: 1, id: 2 }));
  expect(await client.nextHex()).toBe('20 0000');
  expect(await client.nextHex()).toBe('90 000101');
  const answers = [await client.next(), await client.next()].map(({ type }) => type);
  expect(answers.sort()).toEqual([TYPE.publish, TYPE.puback]);
  client.send(acknowledgement(TYPE.puback, 1), packet(0xc0));
  expect((await client.next()).type).toBe((PINGRESP[0] as number) >> 4);
  const [connection] = hub.connections;
  expect(connection).toMatchObject({ connected: true, handshakes: undefined });
  client.send(publishPacket('b', '1', { qos: 2, id: 3 }));
  expect(await client.nextHex()).toBe('50 0003');
  expect(connection?.handshakes).toBeDefined();
});
