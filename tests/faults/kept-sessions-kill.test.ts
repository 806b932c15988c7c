/**
 * Sessions with clean session 0 when the broker is killed with SIGKILL, as real processes: with the file of `platen
 * broker` and with the Postgres of `platen up`. Printers publish with QoS 1 and 2 all the time; an operator's session
 * is offline, receives without acknowledging, or acknowledges, as the seed decides. Everything acknowledged arrives, in
 * order; with QoS 2 exactly once. Other clients begin sessions, subscribe, and end them with a clean session: after a
 * kill, the state is what the last CONNACK and SUBACK said.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import pg from 'pg';
import { CredentialFile } from '../../broker/access/credential-file.ts';
import { hashPassword, makePassword } from '../../broker/access/passwords.ts';
import { startEmbeddedPostgres } from '../../center/database/embedded-postgres.ts';
import { printerTopic } from '../../schemas/topics.ts';
import {
  connectPacket,
  type PublishOptions,
  packet,
  published,
  publishPacket,
  RawClient,
  type RawPacket,
  subscribePacket,
  uint16,
} from '../conformance/raw-client.ts';
import { temporaryFolder } from '../harness/folder.ts';
import { prepareDatabase } from '../harness/prepared.ts';
import { type RunningProduct, startProduct } from '../harness/product.ts';

const SEED = Number(process.env['KILL_SEED'] ?? 20261125);
const PRINTERS = ['one-a', 'one-b', 'two-a', 'two-b'];
/** Printers that publish only when a turncoat checks its subscriptions. */
const ECHOES = ['echo-a', 'echo-b', 'echo-c'];
const WINDOW = 10;
/** One round must not exceed the queue for an offline client. */
const ROUND_MAX = 150;
/** The second half of a round is slow, so that it is still going on when the kill comes. */
const PACE_MS = 10;
/** After everything has arrived: how long to listen for duplicates. */
const SILENCE_MS = 1_500;
const WAIT_MS = 60_000;

/** Frequent connects must not lead to a ban. */
const OFTEN = ['--limit', 'flapConnectsMax=1000000'];

const qosOf = (printer: string): 1 | 2 => (printer.startsWith('one') ? 1 : 2);

/** Pseudo-random, so that a failure can be repeated. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

/** Connects; also returns whether a session was present. */
async function connect(port: number, clientId: string, username: string, password: string, clean = false) {
  const client = await RawClient.open(port);
  client.send(connectPacket({ clientId, clean, username, password }));
  const { body } = await client.next();
  expect(body[1]).toBe(0);
  return { client, present: body[0] === 1 };
}

/** One entry of a printer's log. */
function errorsPacket(printer: string, seq: number, options: PublishOptions): Buffer {
  const at = new Date(1_795_000_000_000 + seq * 1_000).toISOString();
  const entries = [{ seq, at, code: 'J-7201', severity: 'info' }];
  const document = { log: 'l', first: 1, reason: 'event', entries };
  return publishPacket(printerTopic.errors(printer), JSON.stringify(document), options);
}

/** A publisher that repeats on its next connection everything that was not acknowledged to the end (4.4). */
class Sender {
  readonly printer: string;
  readonly password: string;
  /** Messages are numbered from 1; the number is also the packet identifier. */
  sent = 0;
  acknowledged = 0;
  readonly #open = new Map<number, 'published' | 'released'>();
  #known = false;

  constructor(printer: string, password: string) {
    this.printer = printer;
    this.password = password;
  }

  get open(): number {
    return this.#open.size;
  }

  async connect(port: number): Promise<RawClient> {
    const { client, present } = await connect(port, this.printer, this.printer, this.password);
    // As the earlier CONNACKs promised.
    expect(present).toBe(this.#known);
    this.#known = true;
    return client;
  }

  /** Publishes `count` more messages, or as many as it can before the connection breaks. */
  async speak(client: RawClient, count: number): Promise<void> {
    let rest = count;
    for (const [id, state] of this.#open) {
      client.send(state === 'released' ? packet(0x62, uint16(id)) : this.#publish(id, true));
    }
    try {
      for (;;) {
        for (; rest > 0 && this.#open.size < WINDOW; rest--) {
          if (rest < count / 2) await sleep(PACE_MS);
          const id = ++this.sent;
          this.#open.set(id, 'published');
          client.send(this.#publish(id, false));
        }
        if (this.#open.size === 0) break;
        this.#take(client, await client.next());
      }
    } catch (error) {
      if (!/closed/.test(String(error))) throw error;
    } finally {
      client.vanish();
    }
  }

  #publish(id: number, dup: boolean): Buffer {
    return errorsPacket(this.printer, id, { qos: qosOf(this.printer), id, dup });
  }

  #take(client: RawClient, { type, body }: RawPacket): void {
    const id = body.readUInt16BE(0);
    if (type === 5) {
      this.#open.set(id, 'released');
      client.send(packet(0x62, body));
    } else if (type === 4 || type === 7) this.#open.delete(id);
    else throw new Error(`a packet of type ${type} came`);
    // With PUBREC the broker takes over the message.
    if (type !== 7) this.acknowledged++;
  }
}

/** The subscriber that must receive everything. */
class Keeper {
  /** The numbers received from each printer, in order of arrival. */
  readonly got = new Map<string, number[]>(PRINTERS.map((printer) => [printer, []]));
  /** Deliveries with DUP. */
  again = 0;
  readonly #password: string;
  /** QoS 2 identifiers received but not released yet (4.3.3). */
  readonly #held = new Set<number>();
  #subscribed = false;

  constructor(password: string) {
    this.#password = password;
  }

  async connect(port: number): Promise<RawClient> {
    const { client, present } = await connect(port, 'keeper', 'admin', this.#password);
    expect(present).toBe(this.#subscribed);
    if (this.#subscribed) return client;
    client.send(
      subscribePacket(1, ...PRINTERS.map((name): [string, number] => [printerTopic.errors(name), 2])),
    );
    expect((await client.next()).body.toString('hex')).toBe('000102020202');
    this.#subscribed = true;
    return client;
  }

  /** Number of messages received from all printers. */
  get heard(): number {
    return [...this.got.values()].reduce((sum, { length }) => sum + length, 0);
  }

  /** Receives until the connection ends, or until nothing more comes after `whole` has become true. */
  async listen(client: RawClient, acknowledging: () => boolean, whole = () => false): Promise<void> {
    try {
      for (;;) this.#take(client, await client.next(whole() ? SILENCE_MS : WAIT_MS), acknowledging());
    } catch (error) {
      if (!/closed|nothing came/.test(String(error))) throw error;
    } finally {
      client.vanish();
    }
  }

  #take(client: RawClient, raw: RawPacket, acknowledge: boolean): void {
    if (raw.type === 6) {
      this.#held.delete(raw.body.readUInt16BE(0));
      client.send(packet(0x70, raw.body));
      return;
    }
    const { topic, payload, qos, dup, id } = published(raw);
    if (dup) this.again++;
    const printer = topic.split('/')[3] as string;
    expect(qos).toBe(qosOf(printer));
    const [entry] = (JSON.parse(payload) as { entries: { seq: number }[] }).entries;
    if (qos === 1 || !this.#held.has(id)) this.got.get(printer)?.push(entry?.seq as number);
    if (qos === 2) this.#held.add(id);
    if (acknowledge) client.send(packet(qos === 1 ? 0x40 : 0x50, uint16(id)));
  }
}

/**
 * A client that begins a session, subscribes to one filter at a time, and discards it all with a clean session, again
 * and again until it is cut off. All of its filters match its own printer's messages, each with a higher QoS than the
 * one before.
 */
class Turncoat {
  readonly #printer: string;
  readonly #passwords: Map<string, string>;
  /** Session state that the broker acknowledged last; undefined while a request is pending. */
  #kept: boolean | undefined = false;
  #subscribed = 0;
  #said = 0;
  /** Number of CONNACKs and SUBACKs received. */
  answered = 0;
  #told = () => {};

  constructor(printer: string, passwords: Map<string, string>) {
    this.#printer = printer;
    this.#passwords = passwords;
  }

  /** Resolves at the next CONNACK or SUBACK. */
  answer(): Promise<void> {
    return new Promise((resolve) => {
      this.#told = resolve;
    });
  }

  #answer(): void {
    this.answered++;
    this.#told();
  }

  #connect(port: number, clean: boolean) {
    return connect(port, `of-${this.#printer}`, 'admin', this.#passwords.get('admin') as string, clean);
  }

  /** The broker still has the state that it acknowledged. */
  async check(port: number): Promise<void> {
    const { client, present } = await this.#connect(port, false);
    if (this.#kept !== undefined) expect([this.#printer, present]).toEqual([this.#printer, this.#kept]);
    this.#kept = true;
    const password = this.#passwords.get(this.#printer) as string;
    const { client: printer } = await connect(port, this.#printer, this.#printer, password, true);
    printer.send(errorsPacket(this.#printer, ++this.#said, { qos: 2, id: 1 }));
    expect(await printer.nextHex()).toBe('50 0001');
    client.send(packet(0xc0));
    const answer = await client.next();
    // QoS 0 with one filter, 2 with all three.
    const subscribed = answer.type === 3 ? published(answer).qos + 1 : 0;
    expect(subscribed).toBeGreaterThanOrEqual(this.#subscribed);
    client.vanish();
    printer.vanish();
  }

  /** Begins and ends sessions until the connection ends. */
  async turn(port: number): Promise<void> {
    try {
      for (;;) await this.#once(port);
    } catch (error) {
      if (!/closed|ECONN/.test(String(error))) throw error;
    }
  }

  async #once(port: number): Promise<void> {
    this.#kept = undefined;
    this.#subscribed = 0;
    (await this.#connect(port, true)).client.vanish();
    this.#answer();
    this.#kept = false;
    const connecting = this.#connect(port, false);
    this.#kept = undefined;
    const { client, present } = await connecting;
    expect(present).toBe(false);
    this.#answer();
    this.#kept = true;
    const topic = printerTopic.errors(this.#printer);
    const filters = [topic, topic.replace(/[^/]+$/, '+'), topic.replace(/[^/]+$/, '#')];
    for (const [qos, filter] of filters.entries()) {
      client.send(subscribePacket(1, [filter, qos]));
      expect(await client.nextHex()).toBe(`90 00010${qos}`);
      this.#answer();
      this.#subscribed = qos + 1;
    }
    client.vanish();
  }
}

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
let product: RunningProduct | undefined;
let folder = '';

afterEach(async () => {
  await product?.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Fleet {
  start(): Promise<RunningProduct>;
  /** Passwords by name. */
  passwords: Map<string, string>;
}

/** `platen broker` with credentials for every client. */
async function broker(): Promise<Fleet> {
  const data = join(folder, 'data');
  mkdirSync(data);
  const passwords = new Map(['admin', ...PRINTERS, ...ECHOES].map((name) => [name, makePassword()]));
  const file = new CredentialFile(join(data, 'credentials.json'));
  for (const [name, password] of passwords) {
    file.put(name, name === 'admin' ? 'admin' : 'printer', await hashPassword(password, 'generated'));
  }
  const admin = { username: 'admin', password: passwords.get('admin') };
  writeFileSync(join(data, 'admin.json'), JSON.stringify(admin));
  return { passwords, start: () => startProduct({ data, args: ['broker', ...OFTEN] }) };
}

/** `platen up` with its printers enrolled. */
async function up(): Promise<Fleet> {
  const start = () => startProduct({ data: join(folder, 'data'), args: ['up', ...OFTEN] });
  product = await start();
  const operator = await product.operator();
  const { items } = await operator.call('printers.enroll', { printers: [...PRINTERS, ...ECHOES] });
  const passwords = new Map([['admin', product.admin.password]]);
  for (const { printer, password } of items as { printer: string; password: string }[]) {
    passwords.set(printer, password);
  }
  await product.stop();
  return { passwords, start };
}

test.each([
  ['platen broker, its file', broker, 5],
  ['platen up, its Postgres', up, 2],
])('%s: what was acknowledged comes after kill -9, in order, QoS 2 once', async (_, prepare, kills) => {
  const next = random(SEED);
  folder = temporaryFolder('platen-kept-');
  const { start, passwords } = await prepare();
  const senders = PRINTERS.map((printer) => new Sender(printer, passwords.get(printer) as string));
  const keeper = new Keeper(passwords.get('admin') as string);
  const turncoats = ECHOES.map((printer) => new Turncoat(printer, passwords));
  product = await start();
  let port = Number(new URL(product.mqtt).port);
  // Connects once, so that the session exists.
  (await keeper.connect(port)).vanish();
  let openAtKills = 0;
  const sent = () => senders.reduce((sum, sender) => sum + sender.sent, 0);
  for (let kill = 1; kill <= kills; kill++) {
    // In turn: offline; online without acknowledging; acknowledging most; acknowledging all.
    const manner = kill % 4;
    const [sentBefore, heardBefore] = [sent(), keeper.heard];
    const listening =
      manner === 1
        ? Promise.resolve()
        : keeper.listen(await keeper.connect(port), () => manner === 0 || (manner === 3 && next() < 0.8));
    const clients = await Promise.all(senders.map((sender) => sender.connect(port)));
    const speaking = Promise.all(
      senders.map((sender, index) => sender.speak(clients[index] as RawClient, ROUND_MAX)),
    );
    const turning = Promise.all(turncoats.map((turncoat) => turncoat.turn(port)));
    const sentUntil = sentBefore + PRINTERS.length * (10 + next() * 30);
    for (const end = Date.now() + WAIT_MS; Date.now() < end; await sleep(1)) {
      if (sent() > sentUntil && (manner === 1 || keeper.heard > heardBefore)) break;
    }
    // Kill right after an answer, so that its state cannot be stored later.
    await Promise.race([...turncoats.map((turncoat) => turncoat.answer()), sleep(500)]);
    await product.kill();
    await Promise.all([listening, speaking, turning]);
    openAtKills += senders.reduce((sum, { open }) => sum + open, 0);
    product = await start();
    port = Number(new URL(product.mqtt).port);
    await Promise.all(turncoats.map((turncoat) => turncoat.check(port)));
  }
  await Promise.all(senders.map(async (sender) => sender.speak(await sender.connect(port), 0)));
  await keeper.listen(
    await keeper.connect(port),
    () => true,
    () => senders.every(({ printer, sent }) => new Set(keeper.got.get(printer)).size === sent),
  );
  for (const { printer, sent, acknowledged, open } of senders) {
    const got = keeper.got.get(printer) as number[];
    const all = Array.from({ length: sent }, (_, index) => index + 1);
    expect([printer, open, acknowledged]).toEqual([printer, 0, sent]);
    // Ignoring repeats, messages arrive in the order of sending and without a gap.
    expect([printer, [...new Set(got)]]).toEqual([printer, all]);
    if (qosOf(printer) === 2) expect([printer, got]).toEqual([printer, all]);
  }
  // Enough was in flight, in both directions, for the kills to mean something.
  expect(sent()).toBeGreaterThan(kills * 20);
  expect(openAtKills).toBeGreaterThan(kills);
  expect(keeper.again).toBeGreaterThan(0);
  expect(turncoats.reduce((sum, { answered }) => sum + answered, 0)).toBeGreaterThan(kills);
});

test('Postgres that takes its time: CONNACK and SUBACK of kept sessions wait for it and hold over a kill right behind them; clean ones wait for nothing', async () => {
  folder = temporaryFolder('platen-kept-');
  await prepareDatabase(join(folder, 'server'));
  const server = await startEmbeddedPostgres(join(folder, 'server'), silent);
  const locker = new pg.Client(server.url);
  try {
    const data = join(folder, 'data');
    const start = () => startProduct({ data, env: { PLATEN_DATABASE_URL: server.url } });
    product = await start();
    const { username, password } = product.admin;
    const filter = 'platen/v1/fleet/events/#';
    let port = Number(new URL(product.mqtt).port);
    const asking = async (clientId: string, clean: boolean) =>
      (await RawClient.open(port)).send(connectPacket({ clientId, clean, username, password }));
    const [ended, subscribing] = [await asking('ended', false), await asking('subscribing', false)];
    expect([await ended.nextHex(), await subscribing.nextHex()]).toEqual(['20 0000', '20 0000']);
    await locker.connect();
    await locker.query('BEGIN');
    await locker.query('LOCK TABLE retained IN EXCLUSIVE MODE');
    const begins = await asking('begins', false);
    const ends = await asking('ended', true);
    subscribing.send(subscribePacket(1, [filter, 1]));
    const clean = await asking('clean', true);
    expect(await clean.nextHex()).toBe('20 0000');
    expect(await clean.subscribe([filter, 1])).toEqual([1]);
    await sleep(500);
    for (const client of [begins, ends, subscribing]) await client.quiet();
    await locker.query('ROLLBACK');
    const answers = [begins.nextHex(), ends.nextHex(), subscribing.nextHex()];
    expect(await Promise.all(answers)).toEqual(['20 0000', '20 0000', '90 000101']);
    await product.kill();
    // Left by an earlier version from a session that has ended; the start deletes it.
    const orphan = '#message/Z29uZQ/1';
    await locker.query('INSERT INTO retained (topic, qos, payload) VALUES ($1, 0, $2)', [
      orphan,
      Buffer.alloc(6),
    ]);
    product = await start();
    port = Number(new URL(product.mqtt).port);
    const orphans = async () =>
      (await locker.query('SELECT FROM retained WHERE topic = $1', [orphan])).rowCount;
    for (const end = Date.now() + WAIT_MS; (await orphans()) !== 0 && Date.now() < end; ) await sleep(20);
    expect(await orphans()).toBe(0);
    const found = async (clientId: string) => (await asking(clientId, false)).nextHex();
    expect(await found('begins')).toBe('20 0100');
    expect(await found('ended')).toBe('20 0000');
    expect(await found('subscribing')).toBe('20 0100');
  } finally {
    await locker.end();
    await product?.stop();
    product = undefined;
    await server.stop();
  }
});
