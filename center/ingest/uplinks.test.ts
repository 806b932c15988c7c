/** Outcomes of uplinks that the store refuses, on a database that does refuse them. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { printerTopic, type UplinkKind } from '../../schemas/topics.ts';
import { silent, type TestStore, testStore, testStructure } from '../../tests/harness/orders.ts';
import { type Conclude, Conclusions } from '../conclusions.ts';
import { Partitions, READINGS } from '../database/partitions.ts';
import { openStore } from '../database/store.ts';
import { FleetEvents } from '../fleet/events.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { Handled, Link } from '../link/link.ts';
import { IngestWriter } from './ingest.ts';
import { PrinterWriter } from './printer-writer.ts';
import { Refusals } from './refusals.ts';
import { type IngestPort, Uplinks } from './uplinks.ts';

let opened: TestStore;
const told: { topic: string; payload: Record<string, unknown> }[] = [];
const link: Link = {
  start: () => Promise.resolve(),
  stop: () => Promise.resolve(),
  publish: (topic, payload) => {
    told.push({ topic, payload: JSON.parse(payload.toString()) as Record<string, unknown> });
    return Promise.resolve();
  },
};
function make(ingest: IngestPort, conclude: Conclude = () => undefined, log = silent) {
  const refusals = new Refusals(link, silent);
  const events = new FleetEvents(link, silent, Date.now);
  const uplinks = new Uplinks({
    ingest,
    conclude,
    knownVerdict: () => undefined,
    ask: () => Promise.resolve(),
    refusals,
    events,
    link,
    log,
    now: Date.now,
  });
  const handle = (printer: string, kind: UplinkKind, document: object): Handled =>
    uplinks.handle(
      {
        topic: `platen/v1/printers/${printer}/${kind}`,
        payload: Buffer.from(JSON.stringify(document)),
        replayed: false,
      },
      { to: 'center', from: 'printer', printer, kind, method: '' },
    );
  return { uplinks, refusals, handle };
}

/** The outcome of each message: settled, refused, or not to be acknowledged. */
async function outcomes(messages: Handled[]): Promise<string[]> {
  const settled = await Promise.allSettled(messages.map((message) => Promise.resolve(message)));
  return settled.map((one) => (one.status === 'rejected' ? 'failed' : (one.value ?? 'taken')));
}

function batchOf(code: string, seq = 1): object {
  const entries = [{ seq, at: '2026-11-22T07:00:00Z', code, severity: 'error' }];
  return { log: 'L', first: 1, reason: 'event', entries };
}

beforeAll(async () => {
  opened = await testStore();
  const { database } = opened.store;
  // An entry whose code looks like a SQLSTATE fails with it.
  await database.query(
    `CREATE FUNCTION fail_as_told() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN RAISE EXCEPTION 'refused as told' USING ERRCODE = NEW.code; END $$`,
  );
  await database.query(
    `CREATE TRIGGER fail_as_told BEFORE INSERT ON entries FOR EACH ROW
     WHEN (NEW.code ~ '^[0-9A-Z]{5}$') EXECUTE FUNCTION fail_as_told()`,
  );
  await database.query(`ALTER TABLE entries ADD CONSTRAINT no_poison CHECK (code <> 'poison')`);
  await database.query(`ALTER TABLE printers ADD CONSTRAINT no_poison CHECK (NOT labels ? 'poison')`);
  await database.query(`ALTER TABLE update_reports ADD CONSTRAINT no_poison CHECK (execution <> 'poison')`);
});

afterAll(() => opened.close());

test('content that the database refuses is reported to its printer and does not harm its batch', async () => {
  const { uplinks, refusals, handle } = make(opened.store.ingest);
  const codes = ['J-7201', 'poison', '22003', '22P03', '23502', '54000', 'J-7202'];
  expect(await outcomes(codes.map((code, index) => handle(`p${index}`, 'errors', batchOf(code))))).toEqual([
    'taken',
    ...Array.from({ length: 5 }, () => 'refused'),
    'taken',
  ]);
  const stored = await opened.store.database.query('SELECT printer FROM error_entries ORDER BY 1');
  expect(stored).toEqual([{ printer: 'p0' }, { printer: 'p6' }]);
  expect(uplinks.counts).toMatchObject({ errors: 2, entries: 2 });
  expect(told.filter(({ topic }) => topic === printerTopic.refused('p1'))).toEqual([
    {
      topic: 'platen/v1/printers/p1/refused',
      payload: {
        topic: 'platen/v1/printers/p1/errors',
        code: 'payload/not-storable',
        message: expect.stringContaining('no_poison'),
      },
    },
  ]);
  // Nothing of it is kept: a storable message with the same entry is new.
  expect(await outcomes([handle('p1', 'errors', batchOf('J-7203'))])).toEqual(['taken']);
  expect(uplinks.counts.entries).toBe(3);
  const poisoned = { ...testStructure(), labels: { poison: 'yes' } };
  const report = { attempt: 1, seq: 1, state: 'accepted' };
  expect(
    await outcomes([
      handle('p0', 'structure', testStructure()),
      handle('p1', 'structure', poisoned),
      handle('p0', 'update', { ...report, execution: 'fine' }),
      handle('p1', 'update', { ...report, execution: 'poison' }),
    ]),
  ).toEqual(['taken', 'refused', 'taken', 'refused']);
  expect(refusals.counts).toEqual(new Map([['payload/not-storable', 7]]));
});

test('an error that is not about the content refuses nothing: the message is not acknowledged, or is repaired', async () => {
  const { refusals, handle } = make(opened.store.ingest);
  const codes = ['2200H', '23503', '23505', '40001', '42601'];
  const messages = codes.map((code, index) => handle(`q${index}`, 'errors', batchOf(code)));
  expect(await outcomes(messages)).toEqual(codes.map(() => 'failed'));
  // A missing partition is 23514, like a broken CHECK. It is created, and the message is stored.
  const { database } = opened.store;
  const now = () => Date.now() + 365 * 86_400_000;
  const printers = new PrinterWriter(database, now);
  const later = new IngestWriter(
    database,
    printers,
    { entries: new Partitions(database), readings: new Partitions(database, READINGS) },
    now,
  );
  const early = make(later);
  expect(await outcomes([early.handle('q9', 'errors', batchOf('J-7201'))])).toEqual(['taken']);
  expect(early.refusals.counts.size).toBe(0);
  await Promise.all([later.close(), printers.close()]);
  expect(refusals.counts.size).toBe(0);
});

test('a fault in a conclusion from entries leaves them acknowledged, and is logged', async () => {
  const lines: string[] = [];
  const log = pino({ level: 'error' }, { write: (line) => void lines.push(line) });
  const conclusions = new Conclusions(log);
  conclusions.listen([
    {
      hear() {
        throw new Error('a fault of a rule');
      },
    },
  ]);
  const { handle } = make(opened.store.ingest, conclusions.conclude);
  const messages = ['r0', 'r1'].map((printer) => handle(printer, 'errors', batchOf('J-7201')));
  expect(await outcomes(messages)).toEqual(['taken', 'taken']);
  expect(lines.filter((line) => line.includes('a fault of a rule'))).toHaveLength(2);
});

test('an immediate refusal by the store reaches a listener that is added a moment later', async () => {
  const other = await openStore({ source: { url: opened.store.database.url }, log: silent });
  const { handle } = make(other.ingest);
  await other.close();
  expect(await outcomes([handle('s0', 'errors', batchOf('J-7201'))])).toEqual(['failed']);
});

test('a message that keeps failing while others are stored is set aside, and its printer is told', async () => {
  const { uplinks, refusals, handle } = make(opened.store.ingest);
  const poison = () => handle('t0', 'errors', batchOf('42601'));
  const said: string[] = [];
  for (let n = 0; n < 5; n += 1) {
    said.push(...(await outcomes([poison(), handle('t1', 'errors', batchOf('J-7201', n + 1))])));
  }
  expect(said.filter((_, index) => index % 2 === 0)).toEqual([
    'failed',
    'failed',
    'failed',
    'failed',
    'refused',
  ]);
  expect(refusals.counts).toEqual(new Map([['payload/set-aside', 1]]));
  expect(uplinks.counts.errors).toBe(5);
  expect(told.filter(({ topic }) => topic === printerTopic.refused('t0'))).toEqual([
    expect.objectContaining({ payload: expect.objectContaining({ code: 'payload/set-aside' }) }),
  ]);
});

test('a printer that starts a log memory with every message is refused after a while; existing ones go on', async () => {
  const { refusals, handle } = make(opened.store.ingest);
  const most = CENTER_LIMITS.new_logs_per_hour_max;
  expect(await outcomes([handle('u0', 'structure', testStructure())])).toEqual(['taken']);
  const of = (log: string, seq = 1) => handle('u0', 'errors', { ...(batchOf('J-7201', seq) as object), log });
  const said = await outcomes(Array.from({ length: most + 50 }, (_, index) => of(`log-${1_000 + index}`)));
  expect(said.filter((one) => one === 'refused')).toHaveLength(50);
  expect(refusals.counts).toEqual(new Map([['payload/too-many-logs', 50]]));
  expect(await outcomes([of('log-1000', 2), handle('u1', 'errors', batchOf('J-7201'))])).toEqual([
    'taken',
    'taken',
  ]);
  const { logs } = (await opened.store.printers.get('u0')) ?? { logs: [] };
  expect(logs).toHaveLength(CENTER_LIMITS.logs_listed_max);
  expect(logs[0]?.log).toBe(`log-${1_000 + most - 1}`);
});

test('messages of one log memory before the first of them is stored count as one log memory', async () => {
  const { refusals, handle } = make(opened.store.ingest);
  const count = CENTER_LIMITS.new_logs_per_hour_max + 50;
  const said = await outcomes(
    Array.from({ length: count }, (_, index) =>
      handle('v0', 'errors', { ...(batchOf('J-7201', index + 1) as object), log: 'one' }),
    ),
  );
  expect(new Set(said)).toEqual(new Set(['taken']));
  expect(refusals.counts).toEqual(new Map());
});
