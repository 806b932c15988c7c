/** How much one address or one user can take from the broker, tested with real sockets. */
import { createServer, type Server as HttpServer } from 'node:http';
import { type AddressInfo, connect as connectTcp, type Socket } from 'node:net';
import pino from 'pino';
import {
  connectPacket,
  packet,
  publishPacket,
  RawClient,
  subscribePacket,
} from '../tests/conformance/raw-client.ts';
import { hashPassword, PasswordChecker } from './access/passwords.ts';
import { type Broker, type BrokerOptions, type Credentials, createBroker, type Principal } from './broker.ts';

const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/**
 * The printers `p…` and the operators `viewer` and `lena`. Each password is the user's name, hashed like one that a
 * person chose.
 */
async function people(): Promise<BrokerOptions['identity']> {
  const checker = new PasswordChecker();
  const hashes = new Map<string, string>();
  for (const name of ['viewer', 'lena']) hashes.set(name, await hashPassword(name, 'chosen'));
  hashes.set('made', await hashPassword('made', 'generated'));
  return {
    takesTurns: true,
    async authenticate({ username = '', password, turn }: Credentials): Promise<Principal | undefined> {
      if (username.startsWith('p-')) return { name: username, role: 'printer' };
      const hash = hashes.get(username);
      if (!password) return undefined;
      const right = hash ? await checker.check(hash, password, turn) : await checker.pretend(password, turn);
      return right ? { name: username, role: 'viewer' } : undefined;
    },
  };
}

async function start(
  limits: BrokerOptions['limits'],
  options: Partial<BrokerOptions> = {},
): Promise<{ broker: Broker; port: number }> {
  const broker = await createBroker({
    tcp: { host: '127.0.0.1', port: 0 },
    log: pino({ level: 'silent' }),
    identity: await people(),
    sysMs: 0,
    limits,
    ...options,
  });
  await broker.listen();
  ends.push(() => broker.close());
  return { broker, port: Number(new URL(broker.addresses['tcp'] as string).port) };
}

/** A socket from an address of the loopback network, and the packets it receives. */
function raw(port: number, address: string, bytes?: Buffer): { socket: Socket; ended: () => boolean } {
  let ended = false;
  const socket = connectTcp({ port, host: '127.0.0.1', localAddress: address });
  socket.on('error', () => {});
  socket.on('data', () => {});
  socket.on('close', () => {
    ended = true;
  });
  if (bytes) socket.write(bytes);
  ends.push(() => socket.destroy());
  return { socket, ended: () => ended };
}

/** The return code of CONNACK, or `closed`. */
function outcome(port: number, address: string, options: Parameters<typeof connectPacket>[0]) {
  return new Promise<number | 'closed'>((resolve) => {
    const { socket } = raw(port, address, connectPacket(options));
    socket.once('data', (bytes) => resolve(bytes[3] as number));
    socket.once('close', () => resolve('closed'));
  });
}

const login = (username: string, password = username, clientId = `${username}-1`) => ({
  clientId,
  username,
  password,
});

const until = async (holds: () => boolean): Promise<void> => {
  for (let n = 0; !holds(); n++) {
    if (n > 2_000) throw new Error('it never came true');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};

test('silent sockets of one address, or of many, never take the places of clients', async () => {
  const { broker, port } = await start({ connectionsMax: 50, strangersMax: 40, strangersPerAddressMax: 20 });
  const silent = Array.from({ length: 100 }, () => raw(port, '127.0.0.2'));
  await until(() => silent.filter(({ ended }) => ended()).length === 80);
  for (let n = 0; n < 100; n++) silent.push(raw(port, `127.0.1.${n + 1}`));
  await until(() => silent.filter(({ ended }) => ended()).length === 160);
  for (let n = 0; n < 10; n++) {
    // Also from the bad address itself.
    expect(await outcome(port, n % 2 === 0 ? '127.0.0.1' : '127.0.0.2', login(`p-${n}`, 'x', `p-${n}`))).toBe(
      0,
    );
  }
  const { refused, clientsConnected } = broker.stats();
  expect(refused['strangers-per-address']).toBeGreaterThanOrEqual(80);
  expect(refused['strangers']).toBeGreaterThanOrEqual(60);
  expect(clientsConnected).toBe(10);
});

async function httpOf(broker: Broker): Promise<number> {
  const http: HttpServer = createServer();
  broker.attachWebSocket(http, '/mqtt');
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  ends.push(() => {
    http.closeAllConnections();
    return new Promise((resolve) => http.close(resolve));
  });
  return (http.address() as AddressInfo).port;
}

test.each(['/', '/ws', '/mqtt/', '/MQTT', '/mqtt%20', '//mqtt', '*'])(
  'a WebSocket upgrade to %s is answered 404, closed at once and counted',
  async (path) => {
    const { broker } = await start({});
    const port = await httpOf(broker);
    const upgrade = `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n`;
    const { socket, ended } = raw(port, '127.0.0.1', Buffer.from(upgrade));
    const came: Buffer[] = [];
    socket.on('data', (bytes) => came.push(bytes));
    await until(ended);
    expect(String(Buffer.concat(came))).toMatch(/^HTTP\/1\.1 404 /);
    expect(broker.stats().refused).toEqual({ 'web-socket-path': 1 });
  },
);

test('one operator has a bounded number of connections and others get in; a takeover needs no place', async () => {
  const { broker, port } = await start({ connectionsPerUserMax: 3 });
  const codes = [];
  for (let n = 0; n < 5; n++)
    codes.push(await outcome(port, '127.0.0.1', login('viewer', 'viewer', `v-${n}`)));
  expect(codes).toEqual([0, 0, 0, 3, 3]);
  expect(await outcome(port, '127.0.0.1', login('viewer', 'viewer', 'v-0'))).toBe(0);
  expect(await outcome(port, '127.0.0.1', login('lena'))).toBe(0);
  expect(broker.stats().refused).toEqual({ 'connections-per-user': 2 });
});

test('one operator has a bounded number of kept sessions: the one that left first gives way', async () => {
  const { broker, port } = await start({ sessionsPerUserMax: 2 });
  const visit = async (clientId: string) => {
    const client = await RawClient.open(port);
    client.send(connectPacket({ ...login('viewer', 'viewer', clientId), clean: false }));
    const { body } = await client.next();
    await client.disconnect();
    await until(() => broker.stats().clientsConnected === 0);
    return [...body];
  };
  for (const id of ['a', 'b', 'c']) expect(await visit(id)).toEqual([0, 0]);
  expect(broker.stats()).toMatchObject({ sessions: 2, dropped: { 'session-displaced': 1 } });
  expect(await visit('c')).toEqual([1, 0]);
  expect(await visit('a')).toEqual([0, 0]);
});

test('what waits for the sessions of one user together is bounded, and what waits for all', async () => {
  const { broker, port } = await start({ queuedBytesPerUserMax: 30_000, queuedBytesTotalMax: 50_000 });
  const topic = 'platen/v1/fleet/events/order';
  for (const [user, id] of [
    ['viewer', 'a'],
    ['viewer', 'b'],
    ['lena', 'c'],
    ['made', 'd'],
  ] as const) {
    const client = await RawClient.open(port);
    client.send(connectPacket({ ...login(user, user, id), clean: false }), subscribePacket(1, [topic, 1]));
    expect([(await client.next()).type, (await client.next()).type]).toEqual([2, 9]);
    await client.disconnect();
  }
  await until(() => broker.stats().clientsConnected === 0);
  for (let n = 0; n < 40; n++) await broker.publish(topic, 'x'.repeat(1_000), { qos: 1, retain: false });
  expect(broker.stats().queuedBytes).toBeLessThanOrEqual(50_000);
  expect(broker.stats().queuedBytes).toBeGreaterThan(45_000);
  expect(broker.stats().dropped['offline-queue-full']).toBeGreaterThan(40);
});

/** Wrong logins from `address`, with the given concurrency, repeated until stopped. */
function flood(port: number, address: string, atOnce: number, name: (n: number) => string): Flood {
  let going = true;
  let tries = 0;
  let checked = 0;
  const one = async () => {
    while (going) {
      const n = tries++;
      const code = await outcome(port, address, { ...login(name(n), `wrong ${n}`, `w-${n}`) });
      if (code === 4) checked++;
    }
  };
  for (let n = 0; n < atOnce; n++) void one();
  return {
    checked: () => checked,
    stop: () => {
      going = false;
    },
  };
}

interface Flood {
  /** The number of passwords that were checked and wrong. */
  checked(): number;
  stop(): void;
}

test('a flood of wrong passwords from one address keeps nobody else out, nor its honest neighbours', async () => {
  const { broker, port } = await start({});
  // Lena logged in from the bad address before; only that fact is remembered.
  expect(await outcome(port, '127.0.0.2', login('lena'))).toBe(0);
  const { checked, stop } = flood(port, '127.0.0.2', 300, (n) => `name-${n}`);
  await until(() => (broker.stats().refused['checks-waiting'] ?? 0) > 100);
  const before = checked();
  expect(await outcome(port, '127.0.0.1', login('viewer'))).toBe(0);
  expect(await outcome(port, '127.0.0.2', login('lena', 'lena', 'again'))).toBe(0);
  // Generated passwords can't be guessed.
  expect(await outcome(port, '127.0.0.2', login('made'))).toBe(0);
  // Of the 300 that wait at the bad address only some have had their turn by now.
  expect(checked() - before).toBeLessThan(100);
  stop();
});

test('tries are counted when they begin: making them all at once gains nothing', async () => {
  const { broker, port } = await start({ failuresMax: 5 });
  const codes = await Promise.all(
    Array.from({ length: 60 }, (_, n) => outcome(port, '127.0.0.2', login('lena', `wrong ${n}`, `w-${n}`))),
  );
  const looked = codes.filter((code) => code === 4).length;
  expect(looked).toBeLessThanOrEqual(7);
  expect(codes.filter((code) => code === 0)).toEqual([]);
  expect(broker.stats().refused['failures']).toBe(1);
  // Lena from another address.
  expect(await outcome(port, '127.0.0.1', login('lena'))).toBe(0);
});

test('a refusal takes as long for an unknown name as for a known one, however its password was made', async () => {
  const step = 3_000;
  const { port } = await start({ refusalStepMs: step });
  const tries: [string, string][] = [
    ['made', 'wrong'],
    ['made', 'x'.repeat(24)],
    ['lena', 'wrong'],
    ['nobody', 'wrong'],
    ['nobody', 'x'.repeat(24)],
  ];
  const times = await Promise.all(
    tries.map(async ([username, password], n) => {
      const began = performance.now();
      expect(await outcome(port, `127.0.0.${n + 2}`, login(username, password))).toBe(4);
      return performance.now() - began;
    }),
  );
  for (const time of times) {
    expect(time).toBeGreaterThan(step - 100);
    expect(time).toBeLessThan(2 * step - 100);
  }
});

/** The median round trip of a ping beside other traffic, in ms. */
async function pings(client: RawClient, count: number): Promise<number> {
  const times: number[] = [];
  for (let n = 0; n < count; n++) {
    const began = performance.now();
    client.send(packet(0xc0));
    await client.next();
    times.push(performance.now() - began);
  }
  return times.sort((a, b) => a - b)[count >> 1] as number;
}

const printer = (name: string) => ({ clientId: name, username: name, password: 'x' });

test('SUBSCRIBEs without end are read at their rate: others are served as usual', async () => {
  const { broker, port } = await start({});
  const greedy = await RawClient.connected(port, printer('p-greedy'));
  const other = await RawClient.connected(port, printer('p-other'));
  const alone = await pings(other, 50);
  const packets = Buffer.concat(Array.from({ length: 20_000 }, () => subscribePacket(1, ['a', 0])));
  greedy.send(packets);
  const beside = await pings(other, 50);
  expect(beside).toBeLessThan(alone + 200);
  // Only as much was read as the rate allows.
  expect(broker.stats().refused['subscribe-not-authorized']).toBeLessThan(5_000);
  greedy.vanish();
});

test('thousands of filters in one SUBSCRIBE are charged one by one, and refused without being looked at', async () => {
  const { broker, port } = await start({});
  const greedy = await RawClient.connected(port, printer('p-greedy'));
  const other = await RawClient.connected(port, printer('p-other'));
  const filters = Array.from({ length: 17_000 }, (_, n): [string, number] => [`platen/v1/f/${n}`, 0]);
  const codes = await greedy.subscribe(...filters);
  expect(codes.length).toBe(17_000);
  expect(broker.stats().refused).toEqual({ 'subscribe-not-authorized': 1_000, filters: 16_000 });
  // The next packet waits until the rate allows for the filters.
  greedy.send(packet(0xc0));
  await greedy.quiet();
  expect(await pings(other, 20)).toBeLessThan(200);
  greedy.vanish();
});

test('acknowledgements of what was sent are free', async () => {
  const { broker, port } = await start({ packetsPerSecondMax: 10, packetBurstSeconds: 1 });
  const reader = await RawClient.connected(port, printer('p-reader'));
  const topic = 'platen/v1/printers/p-reader/errors/ack';
  expect(await reader.subscribe([topic, 1])).toEqual([1]);
  for (let n = 0; n < 200; n++) void broker.publish(topic, `${n}`, { qos: 1, retain: false });
  for (let n = 0; n < 200; n++) {
    const { id, payload } = await reader.nextPublish();
    expect(payload).toBe(String(n));
    reader.send(packet(0x40, Buffer.from([id >> 8, id & 0xff])));
  }
  // Other packets are charged: the eleventh ping waits.
  for (let n = 0; n < 20; n++) reader.send(packet(0xc0));
  for (let n = 0; n < 5; n++) expect(await reader.nextHex()).toBe('d0');
  const began = performance.now();
  for (let n = 0; n < 15; n++) expect(await reader.nextHex()).toBe('d0');
  expect(performance.now() - began).toBeGreaterThan(300);
  reader.send(publishPacket('platen/v1/printers/p-reader/presence', '{}'));
  reader.vanish();
});

test('what waits for the center is bounded in bytes over all clients, and goes on when the center answers', async () => {
  const answers: (() => void)[] = [];
  const { broker, port } = await start(
    { inboundInFlightBytesTotalMax: 20_000, printerPublishesPerSecondMax: 0 },
    { uplink: () => new Promise((resolve) => answers.push(() => resolve(undefined))) },
  );
  const printers = await Promise.all([1, 2, 3].map((n) => RawClient.connected(port, printer(`p-${n}`))));
  printers.forEach((client, index) => {
    for (let id = 1; id <= 20; id++) {
      const topic = `platen/v1/printers/p-${index + 1}/errors`;
      client.send(publishPacket(topic, 'x'.repeat(4_000), { qos: 1, id }));
    }
  });
  await until(() => answers.length >= 5);
  await new Promise((resolve) => setTimeout(resolve, 100));
  // Five fill the limit; a client with nothing in flight may always have one.
  expect(answers.length).toBeLessThanOrEqual(8);
  let answered = 0;
  const going = setInterval(() => {
    for (const answer of answers.splice(0)) answer();
  }, 1);
  for (const client of printers) {
    for (let id = 1; id <= 20; id++, answered++) expect(await client.nextHex()).toMatch(/^40/);
  }
  clearInterval(going);
  expect([answered, broker.stats().queuedBytes]).toEqual([60, 0]);
  for (const client of printers) client.vanish();
});
