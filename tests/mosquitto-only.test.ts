/**
 * The wire contract without any code of this project on the client side: Debian's mosquitto clients act as a printer
 * and an operator. A printer has one client id, and a second connection with it closes the first; so `mosquitto_rr`
 * publishes and receives live messages, and `mosquitto_sub` reads retained ones.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { eventually } from './harness/ear.ts';
import { temporaryFolder } from './harness/folder.ts';
import { platen, type RunningProduct, startProduct } from './harness/product.ts';
import { publishReleases, sample } from './harness/samples.ts';

const PRINTER = 'A7X0021';
const TOPICS = `platen/v1/printers/${PRINTER}`;
const OPS = 'platen/v1/ops/admin';
const ANSWER_S = 60;

/** The structure from the text of the wire contract, verbatim except for its session. */
const STRUCTURE = {
  session: '01JD',
  revision: 7,
  at: '2026-11-22T07:00:00Z',
  reason: 'connect',
  apparatus: {
    model: 'C360',
    serial: 'A7X0021',
    hardware: '2.0',
    software: [{ id: 'acme.controller', vendor: 'acme', version: '3.1.0' }],
  },
  units: [
    {
      symbol: 'engine',
      kind: 'engine',
      model: 'EN-36',
      serial: 'E-991',
      hardware: '1.1',
      software: [{ id: 'acme.engine', vendor: 'acme', version: '2.4.0' }],
    },
    { symbol: 'finisher.1', kind: 'finisher', model: 'FS-539', serial: 'F-104', hardware: '1', software: [] },
  ],
  site: 'berlin-3',
  labels: { ring: 'canary' },
  timezone: 'Europe/Berlin',
};

const folder = temporaryFolder('platen-mosquitto-only-');
const data = join(folder, 'data');
const listeners: ChildProcess[] = [];
let product: RunningProduct;
/** Arguments that make mosquitto's programs the printer, or the operator. */
let asPrinter: string[];
let asOperator: string[];

function run(program: string, args: string[], input?: string): Promise<{ code: number | null; out: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let out = '';
    const add = (chunk: Buffer) => {
      out += chunk.toString();
    };
    child.stdout.on('data', add);
    child.stderr.on('data', add);
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out }));
    child.stdin.end(input ?? '');
  });
}

/** Runs a client that must succeed. @returns its output */
async function must(program: string, args: string[], input?: string): Promise<string> {
  const { code, out } = await run(program, args, input);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}: ${out}`);
  return out;
}

const json = (out: string) => JSON.parse(out) as Record<string, unknown>;

/** The document that is retained on a topic, or comes next. */
const listen = async (who: string[], topic: string) =>
  json(await must('mosquitto_sub', [...who, '-t', topic, '-q', '1', '-C', '1', '-W', String(ANSWER_S)]));

/** Sends a request and waits for its reply with one of mosquitto's programs. */
const ask = async (who: string[], topic: string, replyTopic: string, document: object) =>
  json(
    await must('mosquitto_rr', [
      ...[...who, '-q', '1', '-W', String(ANSWER_S)],
      ...['-t', topic, '-e', replyTopic, '-m', JSON.stringify(document)],
    ]),
  );

let requests = 0;
const request = (method: string, params: object = {}) => {
  const id = `request-${++requests}`;
  return ask(asOperator, `${OPS}/request/${method}`, `${OPS}/reply/${id}`, { id, params });
};

/** Collects everything that a background subscriber prints. Resolves when it is subscribed. */
async function hearAll(who: string[], filter: string): Promise<Record<string, unknown>[]> {
  const heard: Record<string, unknown>[] = [];
  // -d makes it log the SUBACK; stdbuf makes it print each line at once.
  const child = spawn('stdbuf', ['-oL', 'mosquitto_sub', ...who, '-t', filter, '-q', '1', '-d'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  listeners.push(child);
  await new Promise<void>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('{')) heard.push(json(line));
      else if (line.startsWith('Subscribed')) resolve();
    });
  });
  return heard;
}

beforeAll(async () => {
  await publishReleases(data, sample('catalog.json'));
  product = await startProduct({ data });
  const { hostname, port } = new URL(product.mqtt);
  const common = ['-V', 'mqttv311', '-h', hostname, '-p', port];
  const { username, password } = product.admin;
  asOperator = [...common, '-u', username, '-P', password];
  const enrolled = await platen(['enroll', PRINTER], {
    env: { PLATEN_DATA: data, PLATEN_MQTT_PORT: port },
  });
  expect(enrolled).toMatchObject({ code: 0, stderr: '' });
  asPrinter = [...common, '-i', PRINTER, '-u', PRINTER, '-P', enrolled.stdout.trim()];
});

afterAll(async () => {
  for (const child of listeners) child.kill();
  expect(await product?.stop()).toBe(0);
  rmSync(folder, { recursive: true, force: true });
});

test('an operator puts the catalog: one request, one reply', async () => {
  const reply = await request('catalog.put', { document: sample('catalog.json') });
  expect(reply).toMatchObject({ id: 'request-1', status: 'accepted', data: { revision: 1 } });
});

test('a printer publishes its structure and finds the verdict and an order', async () => {
  const structure = JSON.stringify(STRUCTURE);
  await must('mosquitto_pub', [...asPrinter, '-q', '1', '-r', '-t', `${TOPICS}/structure`, '-s'], structure);
  const verdict = await listen(asPrinter, `${TOPICS}/verdict`);
  expect(verdict).toMatchObject({
    structure: { session: '01JD', revision: 7 },
    catalog: '2026-11-22.1',
    status: 'incompatible',
    findings: [
      {
        rule: 'acme.controller@3.1.0 requires acme.engine >=2.5.0',
        subjects: ['apparatus:acme.controller', 'engine:acme.engine'],
      },
    ],
    remedy: { software: [{ subject: 'engine:acme.engine', from: '2.4.0' }] },
  });

  const order = await listen(asPrinter, `${TOPICS}/order`);
  expect(order).toMatchObject({
    attempt: 1,
    structure: { session: '01JD', revision: 7 },
    repository: expect.stringContaining('/repository/'),
    steps: expect.arrayContaining([
      expect.objectContaining({ subject: 'engine:acme.engine', sha256: expect.any(String) }),
    ]),
  });
});

test('a printer publishes errors and receives the ack', async () => {
  const batch = {
    log: 'log-1',
    first: 100,
    reason: 'event',
    entries: [
      { seq: 100, at: '2026-11-22T07:00:00Z', code: 'J-7201', severity: 'error', unit: 'finisher.1' },
      { seq: 101, at: '2026-11-22T07:01:00Z', code: 'J-7201', severity: 'error', pages: 120_345 },
    ],
  };
  const ack = await ask(asPrinter, `${TOPICS}/errors`, `${TOPICS}/errors/ack`, batch);
  expect(ack).toEqual({ log: 'log-1', upTo: 101 });
  const { data: stored } = await request('printers.errors', { printer: PRINTER });
  expect(stored).toMatchObject({ items: [{ seq: 101, pages: 120_345 }, { seq: 100 }] });
});

test('a printer asks, and is answered', async () => {
  const answer = await ask(asPrinter, `${TOPICS}/ask/verdict`, `${TOPICS}/answer/a1`, { id: 'a1' });
  expect(answer).toMatchObject({ id: 'a1', status: 'ok', data: { status: 'incompatible' } });
});

test('what is not JSON is told on refused', async () => {
  const out = await must('mosquitto_rr', [
    ...[...asPrinter, '-q', '1', '-W', String(ANSWER_S)],
    ...['-t', `${TOPICS}/errors`, '-e', `${TOPICS}/refused`, '-m', 'no JSON'],
  ]);
  expect(json(out)).toMatchObject({ topic: `${TOPICS}/errors`, code: 'payload/not-json' });
});

test('the order is carried out by hand: claimed is not proof, a later structure is', async () => {
  const events = await hearAll(asOperator, 'platen/v1/fleet/events/order');
  const { execution, attempt, steps } = (await listen(asPrinter, `${TOPICS}/order`)) as {
    execution: string;
    attempt: number;
    steps: { subject: string; to: string; target: string; length: number }[];
  };
  for (const { target, length } of steps) {
    const response = await fetch(new URL(`repository/${target}`, product.http));
    expect((await response.arrayBuffer()).byteLength).toBe(length);
  }
  const report = async (seq: number, state: string) =>
    must('mosquitto_pub', [
      ...[...asPrinter, '-q', '1', '-t', `${TOPICS}/update`],
      ...['-m', JSON.stringify({ execution, attempt, seq, state })],
    ]);
  await report(1, 'accepted');
  await report(2, 'claimed');
  const claimed = await eventually(() => events.some(({ what }) => what === 'claimed'), 'claimed');
  expect(claimed).toBe(true);
  expect(events.some(({ what }) => what === 'proven')).toBe(false);

  const after = structuredClone(STRUCTURE);
  after.session = '01JE';
  after.revision = 1;
  for (const step of steps) after.units[0]!.software[0]!.version = step.to;
  await must(
    'mosquitto_pub',
    [...asPrinter, '-q', '1', '-r', '-t', `${TOPICS}/structure`, '-s'],
    JSON.stringify(after),
  );
  await eventually(() => events.some(({ what }) => what === 'proven'), 'proven');
  // An emptied retained topic delivers nothing: mosquitto_sub ends with "timed out".
  await eventually(async () => {
    const { code, out } = await run('mosquitto_sub', [
      ...asPrinter,
      ...['-t', `${TOPICS}/order`, '--retained-only', '-W', '1'],
    ]);
    return code === 27 && out.replace('Timed out', '').trim() === '';
  }, 'the order is withdrawn');
  const verdict = await eventually(async () => {
    const now = await listen(asPrinter, `${TOPICS}/verdict`);
    return (now['structure'] as { session: string }).session === '01JE' && now;
  }, 'the verdict on the structure that was proof');
  expect(verdict).toMatchObject({ status: 'compatible', findings: [] });
});

test('without credentials there is no access', async () => {
  const { hostname, port } = new URL(product.mqtt);
  const anonymous = await run('mosquitto_pub', [
    ...['-V', 'mqttv311', '-h', hostname, '-p', port, '-i', PRINTER],
    ...['-t', `${TOPICS}/structure`, '-m', JSON.stringify(STRUCTURE)],
  ]);
  expect(anonymous.code).not.toBe(0);
  expect(anonymous.out).toMatch(/bad user name or password/);
});
