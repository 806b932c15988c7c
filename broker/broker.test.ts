import { type EventEmitter, once as onceOf } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect as connectSocket } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import mqtt from 'mqtt';
import mqttPacket from 'mqtt-packet';
import pino from 'pino';
import { printerTopic } from '../schemas/topics.ts';
import { connectPacket, RawClient } from '../tests/conformance/raw-client.ts';
import { type Broker, type BrokerOptions, createBroker, type Principal } from './broker.ts';
import type { UplinkMessage } from './embedding.ts';

const log = pino({ level: process.env.LOG ?? 'silent' });
/** The next event. Also for mqtt.js clients, whose types don't declare them as emitters. */
const once = (emitter: unknown, event: string): Promise<unknown[]> => onceOf(emitter as EventEmitter, event);
const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
};
const open: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of open.splice(0).reverse()) await end();
});

const identity = {
  async authenticate({ username, password }: { username?: string; password?: Buffer }) {
    if (username === undefined || password?.toString() !== 'right') return undefined;
    const role = username.startsWith('printer') ? 'printer' : 'admin';
    return { name: username, role } as Principal;
  },
};

async function start(options: Partial<BrokerOptions> = {}): Promise<Broker> {
  const broker = await createBroker({ tcp: { host: '127.0.0.1', port: 0 }, log, identity, ...options });
  await broker.listen();
  open.push(() => broker.close());
  return broker;
}

async function connect(broker: Broker, username: string, options: mqtt.IClientOptions = {}) {
  const client = mqtt.connect(options.host ? '' : (broker.addresses.tcp as string), {
    username,
    password: 'right',
    clientId: username,
    reconnectPeriod: 0,
    ...options,
  });
  client.on('error', () => {});
  open.push(() => client.endAsync(true));
  await Promise.race([
    once(client, 'connect'),
    once(client, 'close').then(() => {
      throw new Error('closed');
    }),
  ]);
  return client;
}

test('an uplink is acknowledged only after the center took it over, and several are in flight together', async () => {
  const waiting: (() => void)[] = [];
  const heard: UplinkMessage[] = [];
  const broker = await start({
    uplink: (message) =>
      new Promise((resolve) => {
        heard.push(message);
        waiting.push(() => resolve(undefined));
      }),
  });
  const one = await connect(broker, 'printer-1');
  const two = await connect(broker, 'printer-2');
  const done: string[] = [];
  for (const [name, client] of [
    ['printer-1', one],
    ['printer-2', two],
  ] as const) {
    for (const n of [1, 2]) {
      client.publish(printerTopic.errors(name), `{"n":${n}}`, { qos: 1 }, () => done.push(`${name}:${n}`));
    }
  }
  await until(() => heard.length >= 4);
  expect(done).toEqual([]);
  expect(heard[0]?.publisher).toEqual({ name: expect.stringMatching(/^printer-/), role: 'printer' });
  for (const settle of waiting) settle();
  await until(() => done.length >= 4);
});

test('whoever answers learns that a client has gone, unless its session is kept for it', async () => {
  const heard: UplinkMessage[] = [];
  let answer = () => {};
  const answered = new Promise<undefined>((resolve) => {
    answer = () => resolve(undefined);
  });
  const broker = await start({
    uplink: (message) => {
      heard.push(message);
      return answered;
    },
  });
  const one = await connect(broker, 'printer-1');
  const two = await connect(broker, 'printer-2', { clean: false });
  one.publish(printerTopic.errors('printer-1'), '{}', { qos: 1 });
  two.publish(printerTopic.errors('printer-2'), '{}', { qos: 1 });
  await until(() => heard.length === 2);
  const of = (name: string) => heard.find(({ publisher }) => publisher?.name === name)?.source;
  expect([of('printer-1')?.gone, of('printer-2')?.gone]).toEqual([false, false]);
  await Promise.all([one.endAsync(true), two.endAsync(true)]);
  await until(() => of('printer-1')?.gone === true);
  await until(() => broker.stats().connections === 0);
  expect(of('printer-2')?.gone).toBe(false);
  answer();
});

test('structure is retained after the center took it, and not when it refused it', async () => {
  const answers: ('refused' | undefined)[] = [undefined, 'refused'];
  const broker = await start({ uplink: async () => answers.shift() });
  const printer = await connect(broker, 'printer-1');
  const topic = printerTopic.structure('printer-1');
  await printer.publishAsync(topic, 'first', { qos: 1, retain: true });
  await printer.publishAsync(topic, 'second', { qos: 1, retain: true });
  const admin = await connect(broker, 'admin');
  const got = once(admin, 'message');
  await admin.subscribeAsync('platen/v1/printers/printer-1/#', { qos: 1 });
  const [gotTopic, payload, packet] = (await got) as [string, Buffer, { retain: boolean }];
  expect([gotTopic, payload.toString(), packet.retain]).toEqual([topic, 'first', true]);
});

test('MQTT-4.8.0-2: an uplink that the center cannot take is not acknowledged, the connection ends', async () => {
  const broker = await start({ uplink: () => Promise.reject(new Error('no store')) });
  const printer = await connect(broker, 'printer-1');
  const other = await connect(broker, 'printer-2');
  const came: string[] = [];
  printer.on('packetreceive', ({ cmd }) => came.push(cmd));
  printer.publish(printerTopic.errors('printer-1'), '{}', { qos: 1 });
  await once(printer, 'close');
  expect(came).toEqual([]);
  expect(other.connected).toBe(true);
});

test('MQTT-3.2.2-4: a CONNECT that is refused is told of no session, though there is one', async () => {
  const broker = await start();
  await (await connect(broker, 'printer-1', { clean: false })).endAsync();
  const { port } = new URL(broker.addresses['tcp'] as string);
  const client = await RawClient.open(Number(port));
  client.send(
    connectPacket({ clientId: 'printer-1', clean: false, username: 'printer-1', password: 'wrong' }),
  );
  expect(await client.nextHex()).toBe('20 0004');
  await client.closed();
});

test('strangers, wrong names, foreign topics [MQTT-3.3.5-2] and foreign filters are refused and told', async () => {
  const broker = await start();
  const told: string[] = [];
  const names: unknown[] = [];
  broker.on('refused', ({ reason, name, claimed }) => {
    told.push(reason);
    names.push([name, claimed]);
  });
  await expect(connect(broker, 'printer-1', { password: 'wrong' })).rejects.toThrow(/closed|refused/);
  await expect(connect(broker, 'printer-1', { clientId: 'printer-2' })).rejects.toThrow(/closed|refused/);
  const printer = await connect(broker, 'printer-1');
  const granted = await printer
    .subscribeAsync([printerTopic.order('printer-1'), printerTopic.order('printer-2')])
    .catch((error: unknown) => error);
  expect(String(granted)).toMatch(/Unspecified error|Subscribe error|128/i);
  printer.publish(printerTopic.structure('printer-2'), '{}', { qos: 1 });
  await once(printer, 'close');
  expect(told).toEqual([
    'credentials',
    'client-id-not-user',
    'subscribe-not-authorized',
    'publish-not-authorized',
  ]);
  // A wrong password proves nothing: the name is only claimed.
  expect(names).toEqual([[undefined, 'printer-1'], ...Array(3).fill(['printer-1', undefined])]);
});

test("a shared subscription is shared by its user's connections and by nobody else's", async () => {
  const broker = await start();
  const filter = '$share/work/platen/v1/fleet/events/#';
  const got: string[] = [];
  const worker = async (username: string, clientId: string) => {
    const client = await connect(broker, username, { clientId });
    client.on('message', (_, payload) => got.push(`${username} ${payload}`));
    await client.subscribeAsync(filter, { qos: 1 });
  };
  await worker('one', 'a');
  await worker('one', 'b');
  await worker('two', 'a');
  for (const n of [1, 2, 3, 4]) {
    await broker.publish('platen/v1/fleet/events/order', String(n), { qos: 1, retain: false });
  }
  await until(() => got.length >= 8);
  expect(got.sort()).toEqual(['one 1', 'one 2', 'one 3', 'one 4', 'two 1', 'two 2', 'two 3', 'two 4']);
});

test('a printer beyond its rates is read later, also after it connected again; others are not touched', async () => {
  const broker = await start({
    limits: { printerPublishesPerSecondMax: 20, printerBurstSeconds: 1 },
    uplink: async () => undefined,
  });
  const admin = await connect(broker, 'admin');
  const topic = printerTopic.errors('printer-1');
  const send = async (client: mqtt.MqttClient, count: number): Promise<number> => {
    const started = performance.now();
    await Promise.all(Array.from({ length: count }, () => client.publishAsync(topic, '{}', { qos: 1 })));
    return performance.now() - started;
  };
  // The burst is 20; messages beyond it take time.
  const first = await connect(broker, 'printer-1');
  const began = performance.now();
  await send(first, 20);
  await first.endAsync();
  const second = await connect(broker, 'printer-1');
  await send(second, 30);
  expect(performance.now() - began).toBeGreaterThan(1_300);
  const other = await connect(broker, 'printer-2');
  const quick = performance.now();
  await other.publishAsync(printerTopic.errors('printer-2'), '{}', { qos: 1 });
  for (let n = 0; n < 100; n++) {
    await admin.publishAsync('platen/v1/ops/admin/request/fleet.summary', '{}', { qos: 1 });
  }
  // At a printer's rate it would take four seconds.
  expect(performance.now() - quick).toBeLessThan(3_000);
});

test('the center speaks to a printer, over TCP and over WebSocket', async () => {
  const broker = await start();
  const http = createServer();
  broker.attachWebSocket(http, '/mqtt');
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  open.push(async () => {
    http.closeAllConnections();
    http.close();
  });
  await broker.publish(printerTopic.order('printer-1'), 'retained', { qos: 1, retain: true });
  const url = `ws://127.0.0.1:${(http.address() as AddressInfo).port}/mqtt`;
  for (const address of [broker.addresses.tcp as string, url]) {
    const printer = mqtt.connect(address, {
      username: 'printer-1',
      password: 'right',
      clientId: 'printer-1',
    });
    open.push(() => printer.endAsync(true));
    await once(printer, 'connect');
    const got = once(printer, 'message');
    await printer.subscribeAsync('platen/v1/printers/printer-1/order', { qos: 1 });
    expect(String((await got)[1])).toBe('retained');
    const next = once(printer, 'message');
    await broker.publish(printerTopic.order('printer-1'), 'live', { qos: 1, retain: false });
    expect(String((await next)[1])).toBe('live');
    await printer.endAsync();
  }
});

test('sessions tell their coming and going; a takeover never looks like a leave', async () => {
  const broker = await start();
  const states: string[] = [];
  broker.on('session', ({ name, role, state, reason }) =>
    states.push(`${role} ${name} ${state} ${reason ?? ''}`.trim()),
  );
  const first = await connect(broker, 'printer-1');
  const ended = once(first, 'close');
  const second = await connect(broker, 'printer-1');
  await ended;
  await second.endAsync();
  await until(() => states.length >= 3);
  expect(states).toEqual([
    'printer printer-1 connected',
    'printer printer-1 connected',
    'printer printer-1 disconnected disconnected',
  ]);
  expect(broker.stats()).toMatchObject({ sessions: 0, subscriptions: 0 });
});

test('rights that are withdrawn end the live connection', async () => {
  const broker = await start();
  const printer = await connect(broker, 'printer-1');
  expect(broker.revoke('printer-1', 'revoked')).toBe(1);
  await once(printer, 'close');
});

test('rights that are withdrawn while CONNECT is being answered count for that CONNECT', async () => {
  const known = new Set(['printer-1']);
  const answers: (() => void)[] = [];
  const broker = await start({
    identity: {
      async authenticate({ username = '' }) {
        const principal: Principal | undefined = known.has(username)
          ? { name: username, role: 'printer' }
          : undefined;
        await new Promise<void>((resolve) => answers.push(resolve));
        return principal;
      },
    },
  });
  const outcome = connect(broker, 'printer-1').then(
    () => 'in',
    () => 'out',
  );
  await until(() => answers.length === 1);
  known.delete('printer-1');
  broker.revoke('printer-1', 'rights-changed');
  answers[0]?.();
  await until(() => answers.length === 2);
  answers[1]?.();
  expect(await outcome).toBe('out');
});

test('who left while CONNECT was being answered gets no session, and what it tried is told all the same', async () => {
  const answers: ((principal: Principal | undefined) => void)[] = [];
  const broker = await start({
    identity: { authenticate: () => new Promise((resolve) => answers.push(resolve)) },
  });
  const told: string[] = [];
  broker.on('session', ({ name, state }) => told.push(`${name} ${state}`));
  broker.on('refused', ({ claimed, reason }) => told.push(`${claimed} ${reason}`));
  for (const name of ['printer-1', 'printer-2']) {
    const asked = answers.length + 1;
    const socket = connectSocket(Number(new URL(broker.addresses.tcp as string).port), '127.0.0.1');
    const connect = {
      cmd: 'connect',
      clientId: name,
      username: name,
      password: Buffer.from('x'),
      clean: true,
    } as const;
    socket.write(mqttPacket.generate({ ...connect, keepalive: 0, protocolId: 'MQTT', protocolVersion: 4 }));
    await until(() => answers.length === asked);
    socket.resetAndDestroy();
    await until(() => broker.stats().connections === 0);
  }
  answers[0]?.({ name: 'printer-1', role: 'printer' });
  answers[1]?.(undefined);
  await until(() => told.length > 0);
  expect(told).toEqual(['printer-2 credentials']);
  expect(broker.stats()).toMatchObject({ sessions: 0, connections: 0 });
});

test('a will that its client may not publish is refused with CONNECT; nor may it name another by case', async () => {
  const broker = await start();
  const told: unknown[] = [];
  broker.on('refused', ({ reason, topic }) => told.push([reason, topic]));
  const topics = [
    printerTopic.presence('printer-2'),
    printerTopic.presence('PRINTER-1'),
    printerTopic.order('printer-1'),
    '$SYS/broker/uptime',
  ];
  for (const topic of topics) {
    const will = { topic, payload: Buffer.from('{}'), qos: 1, retain: true } as const;
    await expect(connect(broker, 'printer-1', { will })).rejects.toThrow(/closed|refused/);
  }
  expect(told).toEqual(topics.map((topic) => ['will-not-authorized', topic]));
});

test('a session resumes: what came meanwhile is delivered, in order', async () => {
  const broker = await start();
  const topic = printerTopic.errorsAck('printer-1');
  const first = await connect(broker, 'printer-1', { clean: false });
  await first.subscribeAsync(topic, { qos: 1 });
  await first.endAsync();
  for (const n of [1, 2, 3]) await broker.publish(topic, String(n), { qos: 1, retain: false });
  const got: string[] = [];
  const second = mqtt.connect(broker.addresses.tcp as string, {
    username: 'printer-1',
    password: 'right',
    clientId: 'printer-1',
    clean: false,
  });
  open.push(() => second.endAsync(true));
  second.on('message', (_, payload) => got.push(payload.toString()));
  const [connack] = (await once(second, 'connect')) as [{ sessionPresent: boolean }];
  expect(connack.sessionPresent).toBe(true);
  await until(() => got.length >= 3);
  expect(got).toEqual(['1', '2', '3']);
});
