/**
 * The agent over mqtt.js against a real mosquitto, a plain MQTT client playing the center.
 */
import mqtt, { type MqttClient } from 'mqtt';
import { pino } from 'pino';
import { seededRandom } from '../base/random.ts';
import { PREFIX, printerTopic } from '../schemas/topics.ts';
import type { ErrorBatch, Policy, Presence, Structure } from '../schemas/types.ts';
import { schemaFault } from '../schemas/validate.ts';
import { type Mosquitto, startMosquitto } from '../tests/mosquitto.ts';
import { type Agent, type AgentOptions, createAgent } from './agent.ts';
import { systemClock } from './clock.ts';
import { SimulatedDriver } from './drivers/simulated/driver.ts';
import type { EffectivePolicy } from './policy.ts';

interface Heard {
  topic: string;
  body: unknown;
  retained: boolean;
}

/** Plays the center: records what printers send, and publishes to them. */
class Center {
  readonly heard: Heard[] = [];
  readonly client: MqttClient;

  constructor(client: MqttClient) {
    this.client = client;
    client.on('message', (topic, payload, packet) => {
      if (payload.length === 0) return;
      this.heard.push({ topic, body: JSON.parse(payload.toString()), retained: packet.retain });
    });
  }

  of<T>(kind: string): T[] {
    return this.heard
      .filter(({ topic }) => topic === `${PREFIX}printers/P-${count}/${kind}`)
      .map(({ body }) => body as T);
  }

  async say(topic: string, body: object | '', retain = false): Promise<void> {
    const payload = body === '' ? '' : JSON.stringify(body);
    await this.client.publishAsync(topic, payload, { qos: 1, retain });
  }
}

const SPEC = {
  structure: {
    apparatus: { model: 'C360', serial: 'A1', software: [{ id: 'acme.controller', version: '3.1.0' }] },
    units: [
      {
        symbol: 'engine',
        kind: 'engine',
        model: 'EN-36',
        serial: 'E1',
        software: [{ id: 'acme.engine', vendor: 'acme', version: '2.4.0' }],
      },
    ],
  },
  pages: 1_000,
};

let broker: Mosquitto;
let center: Center;
let agents: Agent[] = [];
let count = 0;

beforeAll(async () => {
  broker = await startMosquitto();
});
afterAll(async () => {
  await broker.stop();
});
beforeEach(async () => {
  const client = await mqtt.connectAsync(broker.url, { reconnectPeriod: 50 });
  center = new Center(client);
  await client.subscribeAsync(`${PREFIX}printers/+/#`, { qos: 1 });
});
afterEach(async () => {
  for (const agent of agents) await agent.stop();
  agents = [];
  await center.client.endAsync();
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

function make(options: Partial<AgentOptions> = {}) {
  count++;
  const printer = `P-${count}`;
  const random = seededRandom(7 + count);
  const driver = new SimulatedDriver({ spec: SPEC, clock: systemClock, random });
  const agent = createAgent({
    printer,
    url: broker.url,
    driver,
    random,
    log: pino({ level: 'silent' }),
    reconnectMs: { first: 50, most: 200 },
    ...options,
  });
  agents.push(agent);
  return { agent, driver, printer };
}

const batches = () => center.of<ErrorBatch>('errors');
const structures = () => center.of<Structure>('structure');
const seqs = (batch: ErrorBatch) => batch.entries.map(({ seq }) => seq);

test('connects: presence online, then its structure with reason connect, both right by their schemas', async () => {
  const { agent, printer } = make();
  await agent.start();
  const structure = await until('structure', () => structures()[0]);
  const presence = center.of<Presence>('presence')[0];
  expect(presence).toMatchObject({ state: 'online', session: agent.status.session });
  expect(structure).toMatchObject({ reason: 'connect', revision: 1, session: agent.status.session });
  expect(structure.units[0]?.software?.[0]?.version).toBe('2.4.0');
  expect(schemaFault('structure', structure)).toBeUndefined();
  expect(schemaFault('presence', presence)).toBeUndefined();
  expect(
    center.heard.every(({ topic }) => topic.startsWith(printerTopic.presence(printer).slice(0, -8))),
  ).toBe(true);
});

test('a farewell tells offline; a pulled plug leaves it to the will, with the session that ended', async () => {
  const { agent } = make();
  await agent.start();
  await until('online', () => agent.status.connected);
  const first = agent.status.session;
  agent.suspend();
  const will = await until('will', () =>
    center.of<Presence>('presence').find(({ state }) => state === 'offline'),
  );
  expect(will.session).toBe(first);
  agent.resume();
  await until('structure of the new session', () => structures().find(({ session }) => session !== first));
  expect(structures().at(-1)).toMatchObject({ reason: 'connect', revision: 1 });
  const second = agent.status.session;
  await agent.stop();
  await until('farewell', () =>
    center.of<Presence>('presence').find(({ state, session }) => state === 'offline' && session === second),
  );
});

test('a changed unit is told with reason change and a greater revision, an unchanged one is not', async () => {
  const { agent, driver } = make();
  await agent.start();
  await until('structure', () => structures()[0]);
  driver.swapUnit('engine', { serial: 'E2' });
  driver.alter(() => true);
  const changed = await until('change', () => structures()[1]);
  expect(changed).toMatchObject({ reason: 'change', revision: 2 });
  expect(changed.units[0]?.serial).toBe('E2');
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(structures()).toHaveLength(2);
});

test('a requested structure carries the id of the request', async () => {
  const { agent, printer } = make();
  await agent.start();
  await until('structure', () => structures()[0]);
  await center.say(printerTopic.requestStructure(printer), { id: 'r-1' });
  const answer = await until('answer', () => structures()[1]);
  expect(answer).toMatchObject({ reason: 'request', request: 'r-1', revision: 2 });
});

test('the structure is sent periodically, as the retained policy says', async () => {
  const { agent, printer } = make();
  const policy: Policy = { structure: { every: 'PT1S' } };
  await center.say(printerTopic.policy(printer), policy, true);
  await agent.start();
  await until('two periodic structures', () => structures().filter(({ reason }) => reason === 'periodic')[1]);
  await center.say(printerTopic.policy(printer), '', true);
});

test('stream: errors are numbered from 1, sent at once, freed by the ack, not sent twice', async () => {
  const { agent, driver, printer } = make();
  await agent.start();
  await until('structure', () => structures()[0]);
  driver.emit({ code: 'J-7201', severity: 'error', unit: 'engine' });
  const batch = await until('batch', () => batches()[0]);
  expect(schemaFault('errors', batch)).toBeUndefined();
  expect(batch).toMatchObject({ first: 1, reason: 'event' });
  expect(batch.entries[0]).toMatchObject({ seq: 1, code: 'J-7201', unit: 'engine', pages: 1_000 });
  expect(agent.status.unacknowledged).toBe(1);
  await center.say(printerTopic.errorsAck(printer), { log: batch.log, upTo: 1 });
  await until('ack', () => agent.status.unacknowledged === 0);
  agent.cutConnection();
  await until('reconnected', () => agent.status.connects === 2);
  driver.emit({ code: 'J-7202', severity: 'error' });
  await until('second batch', () => batches()[1]);
  expect(batches().map(seqs)).toEqual([[1], [2]]);
});

test('what is not acknowledged is sent again after a reconnect, with what happened meanwhile', async () => {
  const { agent, driver } = make();
  await agent.start();
  await until('structure', () => structures()[0]);
  driver.emit({ code: 'A', severity: 'error' });
  await until('batch', () => batches()[0]);
  agent.cutConnection();
  await until('gone', () => !agent.status.connected);
  driver.emit({ code: 'B', severity: 'error' });
  await until('sent again', () => batches().find((batch) => batch.entries.length === 2));
  expect(seqs(batches().at(-1) as ErrorBatch)).toEqual([1, 2]);
});

test('accumulate: nothing until there are enough, then all at once', async () => {
  const { agent, driver } = make({ policy: { errors: { mode: 'accumulate', atEntries: 5 } } });
  await agent.start();
  await until('structure', () => structures()[0]);
  for (let n = 0; n < 4; n++) driver.emit({ code: 'A', severity: 'error' });
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(batches()).toHaveLength(0);
  driver.emit({ code: 'A', severity: 'error' });
  const batch = await until('batch', () => batches()[0]);
  expect(batch.reason).toBe('accumulated');
  expect(seqs(batch)).toEqual([1, 2, 3, 4, 5]);
});

test('periodic: sent when the period is over, and earlier when atEntries is reached', async () => {
  let mode = '';
  const policy = ({ errors }: EffectivePolicy) => {
    mode = errors.mode;
  };
  const { agent, driver, printer } = make({ events: { policy } });
  await agent.start();
  await until('structure', () => structures()[0]);
  await center.say(
    printerTopic.policy(printer),
    { errors: { mode: 'periodic', every: 'PT1S', atEntries: 3 } },
    true,
  );
  await until('policy', () => mode === 'periodic');
  driver.emit({ code: 'A', severity: 'error' });
  const periodic = await until('periodic', () => batches()[0]);
  expect(periodic.reason).toBe('periodic');
  for (let n = 0; n < 3; n++) driver.emit({ code: 'A', severity: 'error' });
  const early = await until('early', () => batches()[1]);
  expect(early.reason).toBe('accumulated');
  await center.say(printerTopic.policy(printer), '', true);
});

test('the log is sent on request, from the entry that the center names', async () => {
  const { agent, driver, printer } = make({ policy: { errors: { mode: 'accumulate' } } });
  await agent.start();
  await until('structure', () => structures()[0]);
  for (let n = 0; n < 4; n++) driver.emit({ code: 'A', severity: 'error' });
  await center.say(printerTopic.requestErrors(printer), { id: 'q-1' });
  const all = await until('all', () => batches()[0]);
  expect(all).toMatchObject({ reason: 'request', request: 'q-1' });
  expect(seqs(all)).toEqual([1, 2, 3, 4]);
  await center.say(printerTopic.requestErrors(printer), { id: 'q-2', since: { log: all.log, seq: 2 } });
  expect(seqs(await until('since', () => batches()[1]))).toEqual([3, 4]);
  await center.say(printerTopic.requestErrors(printer), { id: 'q-3', since: { log: all.log, seq: 4 } });
  expect(await until('nothing new', () => batches()[2])).toMatchObject({ request: 'q-3', entries: [] });
});

test('asks and gets the answer, or the reason why not', async () => {
  const { agent, printer } = make();
  await agent.start();
  const answering = (topic: string, payload: Buffer) => {
    if (!topic.includes(`${printer}/ask/`)) return;
    const { id } = JSON.parse(payload.toString()) as { id: string };
    const answer = topic.endsWith('/troubles')
      ? { id, status: 'ok', data: { items: [] } }
      : { id, status: 'error', error: { code: 'request/unknown-method', message: 'no' } };
    void center.say(printerTopic.answer(printer, id), answer);
  };
  center.client.on('message', answering);
  // Asked before there is a connection: it waits for one.
  await expect(agent.ask('troubles')).resolves.toEqual({ items: [] });
  await expect(agent.ask('weather')).rejects.toMatchObject({ code: 'agent/ask-refused' });
  // Nobody answers any more, so no answer is in flight when the test ends.
  center.client.off('message', answering);
  await expect(agent.ask('weather', {}, 1)).rejects.toMatchObject({ code: 'agent/ask-timeout' });
});

test('a broker that goes and comes back gets everything', async () => {
  const own = await startMosquitto();
  try {
    const { agent, driver } = make({ url: own.url });
    await agent.start();
    await until('online', () => agent.status.connected);
    await own.restart();
    driver.emit({ code: 'A', severity: 'error' });
    const second = new Center(await mqtt.connectAsync(own.url));
    await second.client.subscribeAsync(`${PREFIX}printers/+/#`, { qos: 1 });
    await until('reconnected', () => agent.status.connects === 2);
    // The second center may have missed the batch; the next connection sends it again.
    agent.cutConnection();
    await until('batch', () => second.of<ErrorBatch>('errors')[0]);
    expect(second.of<Structure>('structure')[0]).toMatchObject({ reason: 'connect' });
    await second.client.endAsync();
  } finally {
    await agents.pop()?.stop();
    await own.stop();
  }
});

test('a wrong password is told and does not end the agent', async () => {
  const own = await startMosquitto({ users: { someone: 'right' } });
  try {
    const reasons: (Error | undefined)[] = [];
    const { agent } = make({
      url: own.url,
      password: 'wrong',
      events: { disconnected: (reason) => reasons.push(reason) },
    });
    await agent.start();
    await until('two refusals', () => reasons.length >= 2);
    expect(reasons[0]).toMatchObject({ name: 'ConnectionRefused', returnCode: 5 });
    await agent.stop();
  } finally {
    await own.stop();
  }
});
