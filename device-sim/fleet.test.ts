/**
 * The fleet over raw sockets against a real mosquitto.
 */
import { createServer, type Server, type Socket } from 'node:net';
import mqtt, { type MqttClient } from 'mqtt';
import { systemClock } from '../agent/clock.ts';
import { PREFIX, printerTopic } from '../schemas/topics.ts';
import type { ErrorBatch, Order, Presence, Scenario, Structure, UpdateReport } from '../schemas/types.ts';
import { schemaFault } from '../schemas/validate.ts';
import { type Mosquitto, startMosquitto } from '../tests/mosquitto.ts';
import { type SimulatedFleet, startFleet } from './fleet.ts';
import { rawTransport } from './raw-transport.ts';
import { checkScenario, planFleet } from './scenario.ts';

let broker: Mosquitto;
let center: MqttClient;
let fleets: SimulatedFleet[] = [];
let heard: { topic: string; body: unknown }[] = [];
let count = 0;

beforeAll(async () => {
  broker = await startMosquitto();
  center = await mqtt.connectAsync(broker.url, { reconnectPeriod: 20 });
  center.on('message', (topic, payload) => {
    if (payload.length > 0) heard.push({ topic, body: JSON.parse(payload.toString()) });
  });
});
afterAll(async () => {
  await center.endAsync();
  await broker.stop();
});
beforeEach(async () => {
  count++;
  heard = [];
  await center.subscribeAsync(`${PREFIX}printers/+/#`, { qos: 1 });
});
afterEach(async () => {
  for (const fleet of fleets) await fleet.stop();
  fleets = [];
  await center.unsubscribeAsync(`${PREFIX}printers/+/#`);
});

async function until<T>(what: string, probe: () => T | undefined | false, ms = 60_000): Promise<T> {
  const end = Date.now() + ms;
  for (;;) {
    const found = probe();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > end) throw new Error(`waited in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** What the printers of this test published under `kind`. */
function said<T>(kind: string): { printer: string; body: T }[] {
  return heard
    .filter(
      ({ topic }) =>
        topic.startsWith(`${PREFIX}printers/t${count}-`) && topic.split('/').slice(4).join('/') === kind,
    )
    .map(({ topic, body }) => ({ printer: topic.split('/')[3] ?? '', body: body as T }));
}

function scenario(change: object = {}, timeline: Scenario['timeline'] = []): Scenario {
  return checkScenario({
    scenario: 'test',
    populations: [
      {
        name: `t${count}`,
        count: 3,
        apparatus: { model: 'C360', software: [{ id: 'acme.controller', version: '3.1.0' }] },
        units: [
          {
            symbol: 'engine',
            kind: 'engine',
            model: 'EN-36',
            software: [{ id: 'acme.engine', version: '2.4.0' }],
          },
          { symbol: 'finisher.1', kind: 'finisher', model: 'FS-539' },
        ],
        install: { takes: 'PT0.1S', restart: 'PT0.1S', selfTest: 'PT0.1S' },
        ...change,
      },
    ],
    timeline,
  });
}

function start(given: Scenario, total?: number): SimulatedFleet {
  const fleet = startFleet({
    plan: planFleet(given, total),
    url: broker.url,
    connectsPerSecond: 2_000,
    reconnectMs: { first: 20, most: 100 },
  });
  fleets.push(fleet);
  return fleet;
}

const ORDER: Order = {
  execution: 'e-1',
  attempt: 1,
  repository: 'http://127.0.0.1:1/',
  steps: [
    {
      subject: 'engine:acme.engine',
      from: '2.4.0',
      to: '2.5.0',
      target: 'acme.engine/2.5.0.bin',
      length: 1,
      sha256: '0'.repeat(64),
    },
  ],
};

test('300 printers connect, send valid reports and disconnect cleanly', async () => {
  const fleet = start(scenario(), 300);
  await until('300 structures', () => said('structure').length === 300);
  expect(fleet.refresh()).toMatchObject({ online: 300, connects: 300, structures: 300, disconnects: 0 });
  for (const { body } of said<Structure>('structure')) expect(schemaFault('structure', body)).toBeUndefined();
  await fleet.stop();
  await until(
    'farewells',
    () => said<Presence>('presence').filter(({ body }) => body.state === 'offline').length === 300,
  );
});

test('the timeline happens: unit removed, added, swapped, version changed, errors, plug pulled', async () => {
  const ids = [`t${count}-01`];
  start(
    scenario({}, [
      { at: 'PT0.3S', do: 'remove-unit', symbol: 'finisher.1', printers: { ids } },
      {
        at: 'PT0.5S',
        do: 'add-unit',
        unit: { symbol: 'feeder.1', kind: 'feeder', model: 'PF-1' },
        printers: { ids },
      },
      { at: 'PT0.7S', do: 'swap-unit', symbol: 'engine', printers: { ids } },
      { at: 'PT0.9S', do: 'set-version', subject: 'engine:acme.engine', version: '2.5.0', printers: { ids } },
      { at: 'PT0.9S', do: 'emit-errors', code: 'J-7201', entries: 3, printers: { ids } },
      { at: 'PT1.1S', do: 'power-off', for: 'PT0.3S', printers: { ids } },
    ]),
  );
  const mine = () => said<Structure>('structure').filter(({ printer }) => printer === ids[0]);
  await until('the new session', () => new Set(mine().map(({ body }) => body.session)).size === 2);
  const [first, removed, added, swapped, changed, last] = mine().map(({ body }) => body);
  expect(removed?.units.map(({ symbol }) => symbol)).toEqual(['engine']);
  expect(added?.units[1]).toMatchObject({ symbol: 'feeder.1', serial: expect.any(String) });
  expect(swapped?.units[0]?.serial).not.toBe(first?.units[0]?.serial);
  expect(changed?.units[0]?.software?.[0]?.version).toBe('2.5.0');
  expect([removed, added, swapped, changed].map((one) => one?.reason)).toEqual(Array(4).fill('change'));
  expect(last).toMatchObject({ reason: 'connect', revision: 1 });
  expect(
    new Set(said<ErrorBatch>('errors').flatMap(({ body }) => body.entries.map(({ seq }) => seq))),
  ).toEqual(new Set([1, 2, 3]));
  expect(
    said<Presence>('presence').some(({ printer, body }) => printer === ids[0] && body.state === 'offline'),
  ).toBe(true);
});

test('a log memory that overflows: the loss is told through first and counted, never hidden', async () => {
  const fleet = start(
    scenario({ count: 1, memory: { entries: 16 } }, [
      { at: 'PT0.2S', do: 'cut-connection' },
      { at: 'PT0.2S', do: 'overflow-log', code: 'J-1' },
    ]),
  );
  const { body } = await until('a batch', () => said<ErrorBatch>('errors')[0]);
  expect(body.first).toBe(17);
  expect(body.entries.map(({ seq }) => seq)).toEqual(Array.from({ length: 16 }, (_, index) => index + 17));
  expect(fleet.refresh()).toMatchObject({ entriesLogged: 32, entriesLost: 16 });
});

test('a waiting order is carried out on connect, reported, and proven by a structure of a new session', async () => {
  const printer = `t${count}-01`;
  await center.publishAsync(printerTopic.order(printer), JSON.stringify(ORDER), { qos: 1, retain: true });
  const fleet = start(scenario({ count: 1 }));
  const shown = await until('the new version', () =>
    said<Structure>('structure').find(({ body }) => body.units[0]?.software?.[0]?.version === '2.5.0'),
  );
  expect(shown.body.session).not.toBe(said<Structure>('structure')[0]?.body.session);
  await until('claimed', () => said<UpdateReport>('update').some(({ body }) => body.state === 'claimed'));
  const reports = said<UpdateReport>('update').map(({ body }) => body);
  expect(reports.map(({ seq }) => seq)).toEqual([...reports.map(({ seq }) => seq)].sort((a, b) => a - b));
  for (const report of reports) expect(schemaFault('update', report)).toBeUndefined();
  expect([...new Set(reports.map(({ state }) => state))]).toEqual([
    'accepted',
    'installing',
    'self-testing',
    'claimed',
  ]);
  // The order is still retained: reconnecting must not install it again.
  fleet.agent(printer)?.cutConnection();
  await until('reconnected', () => fleet.refresh().connects >= 3);
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(fleet.figures.reports).toMatchObject({ accepted: 1, claimed: 1 });
  await center.publishAsync(printerTopic.order(printer), '', { qos: 1, retain: true });
});

test('a printer that an order kills stays silent: its will is the last word', async () => {
  const printer = `t${count}-01`;
  await center.publishAsync(printerTopic.order(printer), JSON.stringify(ORDER), { qos: 1, retain: true });
  const fleet = start(scenario({ count: 1, install: { takes: 'PT0.1S', bricks: 1 } }));
  await until('the will', () => said<Presence>('presence').some(({ body }) => body.state === 'offline'));
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(fleet.refresh()).toMatchObject({ online: 0, bricked: 1, connects: 1 });
  await center.publishAsync(printerTopic.order(printer), '', { qos: 1, retain: true });
});

test('all printers reconnect after the broker was down', async () => {
  const own = await startMosquitto();
  const fleet = startFleet({
    plan: planFleet(scenario(), 100),
    url: own.url,
    connectsPerSecond: 2_000,
    reconnectMs: { first: 20, most: 100 },
  });
  try {
    await until('online', () => fleet.refresh().online === 100);
    await own.restart();
    await until('back', () => fleet.refresh().connects >= 200 && fleet.refresh().online === 100);
    expect(fleet.figures.disconnects).toBeGreaterThanOrEqual(100);
  } finally {
    await fleet.stop();
    await own.stop();
  }
});

test('wrong credentials are reported with the reason, and retried slowly', async () => {
  const own = await startMosquitto({ users: { someone: 'right' } });
  const fleet = startFleet({ plan: planFleet(scenario(), 3), url: own.url, passwords: 'wrong' });
  try {
    await until('refused', () => fleet.figures.disconnects >= 3);
    expect(Object.keys(fleet.figures.reasons)).toEqual(['the broker does not authorize this printer']);
    expect(fleet.refresh().online).toBe(0);
  } finally {
    await fleet.stop();
    await own.stop();
  }
});

describe('the raw transport', () => {
  const options = {
    clientId: 'x',
    username: 'x',
    will: { topic: 'w', payload: 'gone' },
    filters: ['a'],
    keepalive: 1,
    timeoutMs: 1_500,
  };

  /** A broker that does only what the test tells it to. */
  async function listen(
    onData: (socket: Socket, data: Buffer) => void,
  ): Promise<{ server: Server; url: string }> {
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.on('data', (data) => onData(socket, data));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    return { server, url: `mqtt://127.0.0.1:${typeof address === 'object' ? address?.port : 0}` };
  }

  async function endOf(
    onData: (socket: Socket, data: Buffer) => void,
  ): Promise<{ error?: Error; types: number[] }> {
    const types: number[] = [];
    const { server, url } = await listen((socket, data) => {
      types.push((data[0] ?? 0) & 0xf0);
      onData(socket, data);
    });
    const transport = rawTransport(url);
    const error = await new Promise<Error | undefined>((resolve) => {
      transport.connect(options, { connected() {}, message() {}, closed: resolve });
    });
    transport.close();
    server.close();
    return { error, types };
  }

  const CONNACK = Buffer.from([0x20, 2, 0, 0]);

  test('pings when idle, and gives up on a silent broker', async () => {
    const { error, types } = await endOf((socket, data) => {
      if (data[0] === 0x10) socket.write(CONNACK);
    });
    expect(error?.message).toBe('the broker stopped answering');
    expect(types).toContain(0xc0);
  });

  test('gives up on a broker that never accepts', async () => {
    expect((await endOf(() => {})).error?.message).toBe('the broker does not answer');
  });

  test.each([
    ['a refusal', [0x20, 2, 0, 5], 'the broker does not authorize this printer'],
    ['a refused subscription', [0x20, 2, 0, 0, 0x90, 3, 0, 2, 0x80], 'the broker refuses a subscription'],
    [
      'a malformed length',
      [0x20, 2, 0, 0, 0x30, 0xff, 0xff, 0xff, 0xff, 1],
      'the broker sent a malformed packet length',
    ],
    [
      'a packet too large',
      [0x20, 2, 0, 0, 0x30, 0xff, 0xff, 0xff, 0x7f],
      'the broker sent a packet of 268435455 bytes',
    ],
  ])('%s ends the connection with its reason', async (_name, bytes, reason) => {
    const { error } = await endOf((socket, data) => {
      if (data[0] === 0x10) socket.write(Buffer.from(bytes));
    });
    expect(error?.message).toBe(reason);
  });

  test('reassembles packets however they were split', async () => {
    const topic = Buffer.from([0, 1, 0x61]);
    const body = Buffer.concat([topic, Buffer.from([0, 7]), Buffer.from('x'.repeat(200))]);
    const publish = Buffer.concat([Buffer.from([0x32, 0x80 | (body.length & 0x7f), body.length >> 7]), body]);
    const { server, url } = await listen((socket, data) => {
      if (data[0] !== 0x10) return;
      const bytes = [...Buffer.concat([CONNACK, publish, publish])];
      const next = () => {
        const byte = bytes.shift();
        if (byte === undefined) return;
        socket.write(Buffer.from([byte]), () => systemClock.after(0, next));
      };
      socket.setNoDelay(true);
      next();
    });
    const transport = rawTransport(url);
    const messages: string[] = [];
    await new Promise<void>((resolve) => {
      const connection = transport.connect(options, {
        connected() {},
        message(name, payload) {
          messages.push(`${name} ${payload.length}`);
          if (messages.length < 2) return;
          connection.end();
          resolve();
        },
        closed() {},
      });
    });
    expect(messages).toEqual(['a 200', 'a 200']);
    transport.close();
    server.close();
  });

  test('an invalid address is refused', () => {
    expect(() => rawTransport('http://127.0.0.1')).toThrow(
      expect.objectContaining({ code: 'setting/invalid' }),
    );
  });
});
