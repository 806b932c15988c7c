import { setTimeout as pause } from 'node:timers/promises';
import { CENTER_LIMITS } from '../center/limits.ts';
import type { OperatorClient } from '../cli/operator-client.ts';
import { eventually } from './harness/ear.ts';
import { type TestStore, testStore } from './harness/orders.ts';
import { TestPrinter } from './harness/printer.ts';
import { type RunningProduct, startProduct } from './harness/product.ts';
import { EventReader, Web } from './harness/web.ts';

// `/api/v1/events` of a real product, with real connections.
let db: TestStore;
let product: RunningProduct;
let admin: OperatorClient;
let web: Web;
let passwords: Map<string, string>;
const readers: EventReader[] = [];

async function read(who: Web, query = '', more: Record<string, string> = {}): Promise<EventReader> {
  const reader = new EventReader(who, `/api/v1/events${query}`, more);
  readers.push(reader);
  await reader.opened;
  return reader;
}

/** A printer connects and disconnects: events for tests to wait for. */
async function visit(printer: string): Promise<void> {
  const client = await TestPrinter.connect(product.mqtt, printer, passwords.get(printer) ?? '');
  await client.close();
}

const about = (reader: EventReader, printer: string) =>
  reader.events.filter(({ data }) => data.printer === printer);

beforeAll(async () => {
  db = await testStore();
  product = await startProduct({ env: { PLATEN_DATABASE_URL: db.store.database.url } });
  admin = await product.operator();
  const { items } = (await admin.call('printers.enroll', { printers: ['a', 'b', 'c', 'd', 'e'] })) as {
    items: { printer: string; password: string }[];
  };
  passwords = new Map(items.map(({ printer, password }) => [printer, password]));
  web = await new Web(product.http).signIn(product.admin.username, product.admin.password);
});

afterEach(() => {
  for (const reader of readers.splice(0)) reader.close();
});

afterAll(async () => {
  expect(await product?.stop()).toBe(0);
  await db?.close();
});

test('events come as they happen, with ids that grow, and of the kinds and printers that are asked for', async () => {
  const all = await read(web);
  const ofB = await read(web, '?printer=b&kind=presence,structure');
  const documents = await read(web, '?kind=document');
  await visit('a');
  await visit('b');
  await eventually(() => about(all, 'b').length > 0 && about(ofB, 'b').length > 0, 'events of b');
  await eventually(() => documents.events.length > 0, 'the summary');
  expect(about(ofB, 'a')).toEqual([]);
  expect(about(all, 'a').length).toBeGreaterThan(0);
  expect(new Set(ofB.events.map(({ event }) => event))).toEqual(new Set(['presence']));
  expect(documents.events[0]?.data).toMatchObject({
    topic: 'platen/v1/fleet/summary',
    document: { printers: expect.any(Number) },
  });
  const ids = all.events.map(({ id }) => Number(id));
  expect(ids).toEqual([...ids].sort((x, y) => x - y));
  expect(new Set(ids).size).toBe(ids.length);
});

test('a reader that comes back is given what it missed, once', async () => {
  const first = await read(web, '?kind=presence');
  await visit('e');
  await eventually(() => about(first, 'e').some(({ data }) => data.what === 'offline'), 'e came and went');
  const last = first.events.at(-1);
  first.close();
  await visit('c');
  await pause(200);
  const second = await read(web, '?kind=presence', { 'last-event-id': last?.id ?? '' });
  await visit('d');
  await eventually(() => about(second, 'd').some(({ data }) => data.what === 'offline'), 'd came and went');
  expect(about(second, 'c').map(({ data }) => data.what)).toEqual(['online', 'offline']);
  expect(about(second, 'e')).toEqual([]);
  const ids = second.events.map(({ id }) => Number(id));
  expect(ids[0]).toBeGreaterThan(Number(last?.id));
  expect(new Set(ids).size).toBe(ids.length);
  expect(second.events.filter(({ event }) => event === 'reset')).toEqual([]);
});

test('a reader whose place is no longer in the record, or never was, is told to begin anew', async () => {
  const beyond = await read(web, '', { 'last-event-id': '999999999' });
  await eventually(() => beyond.events.length > 0, 'the reset');
  expect(beyond.events[0]).toMatchObject({ event: 'reset', id: expect.stringMatching(/^\d+$/) });
  const old = await read(web, '', { 'last-event-id': '0' });
  await eventually(() => old.events.length > 0, 'what there is');
  // Nothing was deleted yet: the stream is complete from the first event.
  expect(old.events[0]?.event).not.toBe('reset');
});

test('a reader that missed far more than its buffer holds is given all of it, and not dropped for that', async () => {
  const live = await read(web, '?kind=order');
  await db.store.database.query(
    `INSERT INTO fleet_events (at, kind, data) VALUES (now(), 'order', '{"what":"mark"}')`,
  );
  await eventually(() => live.events.some(({ data }) => data.what === 'mark'), 'the mark');
  const last = live.events.at(-1)?.id ?? '';
  live.close();
  const missed = 400;
  await db.store.database.query(
    `INSERT INTO fleet_events (at, kind, data)
     SELECT now(), 'order', json_build_object('number', n, 'text', repeat('x', 20000))::text
     FROM generate_series(1, $1::int) AS n`,
    [missed],
  );
  const back = await read(web, '?kind=order', { 'last-event-id': last });
  await eventually(() => back.ended || back.events.length >= missed, 'what it missed');
  expect(back.events.map(({ data }) => data.number)).toEqual(
    Array.from({ length: missed }, (_, index) => index + 1),
  );
  back.close();
});

test('a reader that takes nothing is dropped, with its reason, and the others go on', async () => {
  const slow = await read(web);
  const quick = await read(web, '?kind=security');
  slow.pause();
  // Far more than the socket buffers hold.
  for (let turn = 0; turn < 40; turn += 1) {
    await db.store.database.query(
      `INSERT INTO fleet_events (at, kind, data)
       SELECT now(), 'order', json_build_object('turn', $1::int, 'text', repeat('x', 20000))::text
       FROM generate_series(1, 40)`,
      [turn],
    );
    await pause(20);
  }
  await db.store.database.query(
    `INSERT INTO fleet_events (at, kind, data) VALUES (now(), 'security', '{"what":"over"}')`,
  );
  await eventually(() => quick.events.some(({ data }) => data.what === 'over'), 'the quick reader goes on');
  await eventually(async () => {
    const { text } = await web.send('GET', '/metrics');
    return /platen_event_streams_ended_total\{reason="slow"\} 1\b/.test(text);
  }, 'the slow reader was dropped');
});

test('a stream ends with the session that it was asked for with, at once', async () => {
  const { password } = await admin.call('users.put', { name: 'lena', role: 'viewer' });
  const lena = await new Web(product.http).signIn('lena', String(password));
  const made = await lena.call('tokens.create', { name: 'reader' });
  const byToken = await read(new Web(product.http, { token: made.body.data.token }));
  const bySession = await read(lena);
  expect([byToken.code, bySession.code]).toEqual([200, 200]);
  const began = performance.now();
  await lena.call('tokens.revoke', { id: made.body.data.id });
  await eventually(() => byToken.ended, 'the stream of the token ended');
  expect(bySession.ended).toBe(false);
  await admin.call('users.remove', { name: 'lena' });
  await eventually(() => bySession.ended, 'the stream of the session ended');
  expect(performance.now() - began).toBeLessThan(20_000);
  expect(bySession.events.at(-1)).toMatchObject({ event: 'dropped', data: { reason: 'session-ended' } });
});

test('a connection that a stream has ended on serves what is asked on it next', async () => {
  const { password } = await admin.call('users.put', { name: 'mona', role: 'viewer' });
  const ended = await read(await new Web(product.http).signIn('mona', String(password)));
  await admin.call('users.remove', { name: 'mona' });
  await eventually(() => ended.ended, 'the stream ended');
  // The client keeps the connection and requests the next stream on it.
  const next = await read(web);
  expect(next.port).toBe(ended.port);
  await pause(CENTER_LIMITS.events_farewell_ms_max + 500);
  expect(next.ended).toBe(false);
});

test.each([
  ['?kind=presense', /there is no kind "presense"; did you mean "presence"/],
  ['?printers=a', /unknown parameter "printers"; did you mean "printer"/],
  ['?printer=a/b', /"printer" takes at most 100 printer ids/],
])('%s is refused in words', async (query, message) => {
  const { code, body } = await web.send('GET', `/api/v1/events${query}`);
  expect([code, body.error.code]).toEqual([400, 'request/invalid']);
  expect(body.error.message).toMatch(message);
});

test('strangers read nothing', async () => {
  const { code, body } = await new Web(product.http).send('GET', '/api/v1/events');
  expect([code, body.error.code]).toEqual([401, 'session/none']);
});

test('what the fleet is like can be seen in the metrics', async () => {
  const { text } = await web.send('GET', '/metrics');
  expect(text).toMatch(/^platen_printers\{presence="(online|offline)"\} \d/m);
  expect(text).toMatch(/^platen_printers_verdict\{verdict="none"\} [1-5]$/m);
  expect(text).toMatch(/^platen_troubles_open\{severity="major"\} 0$/m);
  expect(text).toMatch(/^platen_oldest_wait_seconds\{what="execution"\} 0$/m);
  expect(text).toMatch(/^platen_release_expires_seconds\{role="timestamp"\} [1-9]/m);
});

test('a trouble that is snoozed says so in its events, its document and the metrics, and wakes by itself', async () => {
  const rule = {
    id: 'jam',
    where: { all: [['code', 'prefix', 'J']] },
    by: ['printer'],
    when: { count: { ge: 1, over: 'PT72H' } },
    severity: [
      ['minor', 1],
      ['major', 2],
    ],
  };
  await admin.call('rules.put', { document: { rules: 'snoozed', list: [rule] } });
  const troubles = await read(web, '?kind=trouble');
  const documents = await read(web, '?kind=document&printer=b');
  const printer = await TestPrinter.connect(product.mqtt, 'b', passwords.get('b') ?? '');
  const jam = (seq: number) =>
    printer.errors({ entries: [{ seq, at: new Date().toISOString(), code: 'J-1', severity: 'error' }] });
  const told = (what: string) => troubles.events.find(({ data }) => data.what === what);
  const document = () => documents.events.at(-1)?.data.document;
  await jam(1);
  await eventually(() => told('opened') !== undefined, 'the trouble');
  const id = told('opened')?.data.data.trouble as string;
  expect((await web.call('troubles.assign', { id, owner: 'admin' })).body.data).toMatchObject({
    owner: 'admin',
  });
  expect((await web.call('troubles.ack', { id, reason: 'seen' })).body.data.acknowledged).toMatchObject({
    by: 'admin',
  });
  const { snoozed } = await admin.call('troubles.snooze', {
    id,
    until: 'PT1H',
    reason: 'the part is ordered',
  });
  const { until } = snoozed as { until: string };
  await jam(2);
  await eventually(() => told('escalated') !== undefined, 'it escalates');
  expect(told('snoozed')?.data).toMatchObject({
    printer: 'b',
    data: { trouble: id, snoozed: until, by: 'admin' },
  });
  expect(told('escalated')?.data.data).toMatchObject({ severity: 'major', snoozed: until, owner: 'admin' });
  await eventually(() => document()?.severity === 'major', 'its document');
  expect(document()).toMatchObject({ owner: 'admin', snoozed: { until, reason: 'the part is ordered' } });
  await eventually(
    async () =>
      /^platen_troubles_snoozed\{severity="major"\} 1$/m.test((await web.send('GET', '/metrics')).text),
    'the metrics',
  );
  await admin.call('troubles.snooze', { id, until: 'PT1S' });
  await eventually(() => told('awake') !== undefined, 'it wakes');
  expect(told('awake')?.data.data.snoozed).toBeUndefined();
  await eventually(() => document()?.snoozed === undefined, 'its document');
  const { items } = await admin.call('printers.timeline', { printer: 'b', kinds: ['act'] });
  expect((items as { what: string }[]).map(({ what }) => what).slice(0, 4)).toEqual([
    'troubles.snooze',
    'troubles.snooze',
    'troubles.ack',
    'troubles.assign',
  ]);
  await printer.close();
});
