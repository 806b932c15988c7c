/** Incoming publishes on raw bytes: order, acknowledgements, publishes in flight, and the effects of a failure. */
import { afterEach, expect, test } from '@jest/globals';
import pino from 'pino';
import { printerTopic } from '../../schemas/topics.ts';
import { packet, publishPacket, RawClient, uint16 } from '../../tests/conformance/raw-client.ts';
import { type Broker, createBroker, type Principal, type Uplink } from '../broker.ts';

const SEED = Number(process.env['INBOUND_SEED'] ?? 20261125);
const WINDOW = 20;
const TOPIC = printerTopic.errors('p');

let broker: Broker | undefined;

afterEach(() => broker?.close());

/** Pseudo-random, so that a failure can be repeated. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

const identity = {
  async authenticate({ username = '' }): Promise<Principal> {
    return { name: username, role: username === 'p' ? 'printer' : 'admin' };
  },
};

async function start(uplink: Uplink): Promise<number> {
  broker = await createBroker({
    tcp: { host: '127.0.0.1', port: 0 },
    log: pino({ level: 'silent' }),
    identity,
    uplink,
    sysMs: 0,
    limits: { inboundInFlightMax: WINDOW, printerPublishesPerSecondMax: 0 },
  });
  await broker.listen();
  return Number(new URL(broker.addresses['tcp'] as string).port);
}

const connect = (port: number, name: string) =>
  RawClient.connected(port, { clientId: name, username: name, password: 'x' });

test(`mixed QoS keeps its order, its acknowledgements theirs, and no more than the window is under way (seed ${SEED})`, async () => {
  const next = random(SEED);
  let underWay = 0;
  let most = 0;
  const port = await start(async () => {
    most = Math.max(most, ++underWay);
    await new Promise((resume) => setTimeout(resume, next() * 4));
    underWay--;
    return undefined;
  });
  const watcher = await connect(port, 'watcher');
  await watcher.subscribe([TOPIC, 2]);
  const sender = await connect(port, 'p');
  const sent = Array.from({ length: 600 }, (_, index) => ({ id: index + 1, qos: Math.floor(next() * 3) }));
  // A few per write, a few writes per turn, with PUBRELs in between.
  const sending = (async () => {
    for (let at = 0; at < sent.length; ) {
      const count = 1 + Math.floor(next() * 40);
      const some = sent.slice(at, at + count);
      sender.send(...some.map(({ id, qos }) => publishPacket(TOPIC, `${id}`, { qos, id })));
      at += count;
      if (next() < 0.3) await new Promise((resume) => setTimeout(resume, 1));
    }
  })();
  const answers: Record<number, number[]> = { 4: [], 5: [], 7: [] };
  const expected = (qos: number) => sent.filter((one) => one.qos === qos).map(({ id }) => id);
  const acknowledging = (async () => {
    for (let left = expected(1).length + 2 * expected(2).length; left > 0; left--) {
      const { type, body } = await sender.next();
      answers[type]?.push(body.readUInt16BE(0));
      if (type === 5) sender.send(packet(0x62, body));
    }
  })();
  const came: { id: number; qos: number }[] = [];
  while (came.length < sent.length) {
    const { type, flags, body } = await watcher.next();
    if (type === 6) {
      watcher.send(packet(0x70, body));
      continue;
    }
    const qos = (flags >> 1) & 3;
    const idAt = 2 + body.readUInt16BE(0);
    came.push({ id: Number(body.toString('utf8', idAt + (qos > 0 ? 2 : 0))), qos });
    if (qos > 0) watcher.send(packet(qos === 1 ? 0x40 : 0x50, body.subarray(idAt, idAt + 2)));
  }
  await Promise.all([sending, acknowledging]);
  expect(came).toEqual(sent);
  // [MQTT-4.6.0-2], [MQTT-4.6.0-3], [MQTT-4.6.0-4]
  expect(answers).toEqual({ 4: expected(1), 5: expected(2), 7: expected(2) });
  expect(most).toBeGreaterThan(WINDOW / 2);
  expect(most).toBeLessThanOrEqual(WINDOW);
});

test('from an uplink that failed on nothing is acknowledged, and its connection ends', async () => {
  let asked = 0;
  const port = await start(async ({ payload }) => {
    asked++;
    await new Promise((resume) => setTimeout(resume, payload.toString() === '7' ? 1 : 10));
    if (payload.toString() === '7') throw new Error('no store');
    return undefined;
  });
  const sender = await connect(port, 'p');
  sender.send(
    ...Array.from({ length: 15 }, (_, index) =>
      publishPacket(TOPIC, `${index + 1}`, { qos: 1, id: index + 1 }),
    ),
  );
  const answers = await sender.closed();
  expect(answers.map(({ type, body }) => [type, body.readUInt16BE(0)])).toEqual(
    [1, 2, 3, 4, 5, 6].map((id) => [4, id]),
  );
  expect(asked).toBe(15);
  while (broker?.stats().connections) await new Promise((resume) => setTimeout(resume, 5));
  expect(broker?.stats().closed).toEqual({ 'uplink-failed': 1 });
});

test('connecting again buys no room in the line, and does not leave the successor waiting for ever', async () => {
  const waiting: (() => void)[] = [];
  const port = await start(() => new Promise((resolve) => waiting.push(() => resolve(undefined))));
  const publish = (id: number) => publishPacket(TOPIC, '', { qos: 1, id });
  const until = async (count: number) => {
    const end = Date.now() + 30_000;
    while (waiting.length < count && Date.now() < end) await new Promise((resume) => setTimeout(resume, 5));
  };
  const first = await connect(port, 'p');
  for (let id = 1; id <= WINDOW + 5; id++) first.send(publish(id));
  await until(WINDOW);
  for (let takeover = 1; takeover <= 3; takeover++) {
    const next = await connect(port, 'p');
    next.send(packet(0xc0));
    expect((await next.next()).type).toBe(13);
    for (let id = 1; id <= WINDOW; id++) next.send(publish(id));
    await until(WINDOW + takeover);
    await next.quiet();
    // Each has one in flight, although nothing was answered.
    expect(waiting.length).toBe(WINDOW + takeover);
    if (takeover < 3) continue;
    const answered = (async () => {
      for (let id = 1; id <= WINDOW; id++)
        expect(await next.nextHex()).toBe(`40 ${uint16(id).toString('hex')}`);
    })();
    let done = false;
    void answered.finally(() => {
      done = true;
    });
    while (!done) {
      for (const answer of waiting.splice(0)) answer();
      await new Promise((resume) => setTimeout(resume, 1));
    }
    await answered;
  }
});
