import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import type { RetainedDocument } from '../../broker/retained/retained-backend.ts';
import { NESTING_LEVELS_MAX } from '../../schemas/limits.ts';
import type { ErrorBatch, LogEntry, Structure, UpdateReport, Verdict } from '../../schemas/types.ts';
import { temporaryFolder } from '../../tests/harness/folder.ts';
import { prepareDatabase } from '../../tests/harness/prepared.ts';
import { PostgresRetained } from '../database/retained-store.ts';
import { dropHistory, dropStreams } from '../database/retention.ts';
import { openStore, type Store } from '../database/store.ts';
import { StoredFleet } from '../fleet/fleet-queries.ts';
import { showCommits } from '../metrics.ts';
import type { FleetFilter } from '../queries.ts';

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
let folder: string;
let store: Store;

beforeAll(async () => {
  folder = temporaryFolder('platen-ingest-');
  await prepareDatabase(folder);
  store = await openStore({ source: { dataFolder: folder }, log: silent });
});

afterAll(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

function entry(seq: number, more: Partial<LogEntry> = {}): LogEntry {
  return { seq, at: '2026-11-22T07:00:00.000Z', code: 'J-7201', severity: 'error', ...more };
}

function batch(log: string, first: number, seqs: number[]): ErrorBatch {
  return { log, first, reason: 'event', entries: seqs.map((seq) => entry(seq)) };
}

async function stored(printer: string): Promise<number[]> {
  const rows = await store.database.query<{ seq: number }>(
    'SELECT seq FROM error_entries WHERE printer = $1 ORDER BY seq',
    [printer],
  );
  return rows.map((row) => row.seq);
}

function structure(more: Partial<Structure> = {}): Structure {
  return {
    session: 's1',
    revision: 1,
    at: '2026-11-22T07:00:00Z',
    reason: 'connect',
    apparatus: {
      model: 'C360',
      serial: 'A7',
      software: [{ id: 'acme.controller', vendor: 'acme', version: '3.1.0' }],
    },
    units: [
      {
        symbol: 'engine',
        kind: 'engine',
        model: 'EN-36',
        serial: 'E-1',
        software: [{ id: 'acme.engine', version: '2.4.0' }],
      },
    ],
    site: 'berlin-3',
    labels: { ring: 'canary' },
    ...more,
  };
}

test('a structure with a byte order mark is stored as its JSON', async () => {
  const shown = structure();
  const payload = Buffer.from(`\uFEFF${JSON.stringify(shown)}`);
  expect(payload[0]).toBe(0xef);
  expect(await store.ingest.structure('a-marked', shown, payload)).toMatchObject({ outcome: 'new' });
  const [row] = await store.database.query<{ document: Structure }>(
    'SELECT document FROM structures WHERE printer = $1',
    ['a-marked'],
  );
  expect(row?.document).toEqual(shown);
});

test('the deepest nesting that may be read can be stored', async () => {
  const nested = (levels: number): unknown => JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`);
  // The payload adds levels of its own.
  const detail = { deep: nested(NESTING_LEVELS_MAX - 4) };
  const log = { ...batch('L', 1, [1]), entries: [entry(1, { detail })] };
  expect(await store.ingest.errors('a-deep', log)).toMatchObject({ upTo: 1, lost: 0 });
  const shown = structure();
  const payload = Buffer.from(JSON.stringify({ ...shown, deep: nested(NESTING_LEVELS_MAX - 1) }));
  expect(await store.ingest.structure('a-deep', shown, payload)).toMatchObject({ outcome: 'new' });
});

test('structures stored together are each compared with the one before', async () => {
  const engine = (revision: number, version: string): Structure => {
    const [unit] = structure().units;
    return structure({ revision, units: [{ ...unit!, software: [{ id: 'acme.engine', version }] }] });
  };
  await store.ingest.structure('a-quick', engine(1, '2.4.0'));
  // The last equals what is stored; the differences in between must be reported all the same.
  const stored = await Promise.all(
    ['2.5.0', '2.6.1', '2.4.0'].map((version, index) =>
      store.ingest.structure('a-quick', engine(2 + index, version)),
    ),
  );
  const changes = stored.map((result) => (result as { changes?: unknown[] }).changes);
  expect(changes.map((list) => list?.length)).toEqual([1, 1, 1]);
});

test('an entry sent again is stored once, and fresh only the first time', async () => {
  const first = await store.ingest.errors('again', batch('L', 1, [1, 2, 3]));
  const second = await store.ingest.errors('again', batch('L', 1, [2, 3, 4]));
  expect(first).toEqual({ upTo: 3, fresh: [entry(1), entry(2), entry(3)], lost: 0 });
  expect(second).toEqual({ upTo: 4, fresh: [entry(4)], lost: 0 });
  expect(await stored('again')).toEqual([1, 2, 3, 4]);
});

test('the same batch many times at once is stored once', async () => {
  const results = await Promise.all(
    Array.from({ length: 50 }, () => store.ingest.errors('storm', batch('L', 1, [1, 2]))),
  );
  expect(results.flatMap((result) => result.fresh).length).toBe(2);
  expect(results.every((result) => result.upTo === 2)).toBe(true);
  expect(await stored('storm')).toEqual([1, 2]);
});

test('a gap holds the cursor back until it is filled or known lost', async () => {
  await store.ingest.errors('gap', batch('L', 1, [1, 2]));
  expect(await store.ingest.errors('gap', batch('L', 1, [6, 7]))).toMatchObject({
    upTo: 2,
    missing: { from: 3, to: 5 },
  });
  expect(await store.ingest.errors('gap', batch('L', 1, [3]))).toMatchObject({ upTo: 3, lost: 0 });
  expect(await store.ingest.errors('gap', batch('L', 6, [8]))).toMatchObject({ upTo: 8, lost: 2 });
  // What was given up as lost came late after all.
  expect(await store.ingest.errors('gap', batch('L', 6, [4, 5]))).toMatchObject({ upTo: 8, lost: 0 });
  expect(await stored('gap')).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});

test('a log memory that was reset starts afresh', async () => {
  await store.ingest.errors('reset', batch('L1', 1, [1, 2]));
  expect(await store.ingest.errors('reset', batch('L2', 1, [1]))).toMatchObject({ upTo: 1 });
  expect(await stored('reset')).toEqual([1, 1, 2]);
});

test('another center on the same database neither loses nor doubles entries', async () => {
  const other = await openStore({ source: { url: store.database.url }, log: silent });
  try {
    const seqs = Array.from({ length: 200 }, (_, index) => index + 1);
    const results = await Promise.all(
      seqs.map((seq) =>
        (seq % 2 === 0 ? other : store).ingest.errors(`two-${seq % 3}`, batch('L', 1, [seq, seq + 1])),
      ),
    );
    const total = results.reduce((sum, result) => sum + result.fresh.length, 0);
    const rows = await store.database.query<{ n: number }>(
      `SELECT count(*) AS n FROM error_entries WHERE printer LIKE 'two-%'`,
    );
    expect(rows[0]?.n).toBe(total);
    const doubled = await store.database.query(
      `SELECT printer, seq FROM error_entries WHERE printer LIKE 'two-%' GROUP BY 1, 2 HAVING count(*) > 1`,
    );
    expect(doubled).toEqual([]);
  } finally {
    await other.close();
  }
});

test("characters that Postgres refuses are replaced and don't refuse the log", async () => {
  const odd = { seq: 1, at: '0000-01-01T00:00:60Z', code: 'A\u0000', detail: { text: '\ud800 \u0000' } };
  const result = await store.ingest.errors('odd', {
    ...batch('L', 1, []),
    entries: [entry(1, odd)],
  });
  expect(result.upTo).toBe(1);
  const [row] = await store.printers.errors('odd', { limit: 1 });
  expect(row).toMatchObject({ code: 'A\uFFFD', detail: { text: '\uFFFD \uFFFD' } });
});

test('a structure is new, the same, or stale; a swapped serial is a change', async () => {
  expect(await store.ingest.structure('p1', structure())).toEqual({ outcome: 'new', changes: [] });
  expect(await store.ingest.structure('p1', structure({ revision: 2 }))).toMatchObject({ outcome: 'same' });
  const swapped = structure({ revision: 3 });
  (swapped.units[0] as { serial: string }).serial = 'E-2';
  const result = await store.ingest.structure('p1', swapped);
  expect(result.outcome).toBe('new');
  expect(result.previous).toEqual({ session: 's1', revision: 2 });
  expect(result.changes).toEqual([{ kind: 'unit-serial', subject: 'engine', from: 'E-1', to: 'E-2' }]);
  expect(await store.ingest.structure('p1', structure({ revision: 2 }))).toMatchObject({ outcome: 'stale' });
  expect(await store.ingest.structure('p1', structure({ session: 's2' }))).toMatchObject({ outcome: 'new' });
  // The message of the old session, overtaken on its way.
  expect(await store.ingest.structure('p1', structure({ revision: 9 }))).toMatchObject({ outcome: 'stale' });
  expect((await store.printers.get('p1'))?.structure?.session).toBe('s2');
  expect((await store.printers.history('p1', 10)).length).toBe(3);
});

test('the will of an older session changes nothing; a new session of an online printer is no arrival', async () => {
  const say = (state: 'online' | 'offline', session: string) =>
    store.ingest.presence('will', { state, session, at: '2026-11-22T07:00:00Z' });
  expect(await say('online', 'a')).toEqual({ changed: true, flipped: true });
  expect(await say('online', 'a')).toEqual({ changed: false, flipped: false });
  expect(await say('online', 'b')).toEqual({ changed: true, flipped: false });
  expect(await say('offline', 'a')).toEqual({ changed: false, flipped: false });
  expect((await store.printers.get('will'))?.online).toBe(true);
  expect(await say('offline', 'b')).toEqual({ changed: true, flipped: true });
});

test('presence follows the connection of a printer that sends none; after a start all are offline', async () => {
  const { ingest } = store;
  expect(await ingest.connection('silent', true)).toEqual({ changed: true, flipped: true });
  expect(await ingest.connection('silent', true)).toEqual({ changed: false, flipped: false });
  expect(await ingest.presence('silent', { state: 'online', session: 'a' })).toEqual({
    changed: true,
    flipped: false,
  });
  expect(await ingest.connection('silent', false)).toEqual({ changed: true, flipped: true });
  await ingest.connection('silent', true);
  await ingest.allOffline();
  expect((await store.printers.get('silent'))?.online).toBe(false);
});

test('an update report is stored once', async () => {
  const report = { execution: 'x', attempt: 1, seq: 1, state: 'accepted' as const };
  const results = await Promise.all([
    store.ingest.update('p', report),
    store.ingest.update('p', report),
    store.ingest.update('p', { ...report, seq: 2 }),
  ]);
  expect(results.map((result) => result.fresh)).toEqual([true, false, true]);
  expect(await store.ingest.update('p', report)).toEqual({ fresh: false });
});

test('lists find printers by their filters and page by id', async () => {
  for (const id of ['list-1', 'list-2', 'list-3']) await store.ingest.structure(id, structure());
  const fleet = new StoredFleet(store, (_software, range) => (version) => version === range, Date.now);
  const ids = async (filter: FleetFilter, limit = 10, cursor?: string) =>
    (await fleet.list({ idPrefix: 'list-', ...filter }, { limit, cursor })).items.map(
      ({ printer }) => printer,
    );
  expect(await ids({})).toEqual(['list-1', 'list-2', 'list-3']);
  expect(await ids({}, 2)).toEqual(['list-1', 'list-2']);
  expect(await ids({ label: { ring: 'canary' }, model: 'C360', site: 'berlin-3' })).toHaveLength(3);
  expect(await ids({ label: { ring: 'other' } })).toEqual([]);
  expect(await ids({ software: { id: 'acme.engine', range: '2.4.0' } })).toHaveLength(3);
  expect(await ids({ software: { id: 'acme.engine', range: '2.5.0' } })).toEqual([]);
  const verdict = {
    structure: { session: 's1', revision: 1 },
    catalog: 'c',
    status: 'incompatible' as const,
    findings: [],
  };
  const unjudged = async () =>
    (await store.verdicts.unjudgedPage('c', 'list-', 10)).map(({ printer }) => printer);
  expect(await unjudged()).toEqual(['list-1', 'list-2', 'list-3', 'p1']);
  expect(await store.verdicts.putVerdict('list-2', verdict)).toEqual({ stored: true });
  expect(await store.verdicts.putVerdict('list-2', verdict)).toEqual({ stored: true, previous: verdict });
  const old = { ...verdict, structure: { session: 's0', revision: 1 } };
  expect(await store.verdicts.putVerdict('list-1', old)).toEqual({ stored: false });
  expect(await unjudged()).toEqual(['list-1', 'list-3', 'p1']);
  expect(await ids({ verdict: 'incompatible' })).toEqual(['list-2']);
  expect(await ids({ verdict: 'none' })).toEqual(['list-1', 'list-3']);
  await store.printers.setOpenTroubles([{ printer: 'list-3', open: [{ trouble: 't', rule: 'jam' }] }]);
  expect(await ids({ trouble: true })).toEqual(['list-3']);
  expect(await ids({ rule: 'jam' })).toEqual(['list-3']);
  expect(await ids({ rule: 'other' })).toEqual([]);
  const page = await fleet.list({ idPrefix: 'list-' }, { limit: 2, cursor: undefined });
  expect(page.items.map((item) => item.printer)).toEqual(['list-1', 'list-2']);
  const rest = await fleet.list({ idPrefix: 'list-' }, { limit: 2, cursor: page.next });
  expect(rest).toMatchObject({ items: [{ printer: 'list-3', openTroubles: 1, verdict: 'none' }] });
  expect(rest.next).toBeUndefined();
  const ranged = { idPrefix: 'list-', software: { id: 'acme.engine', range: '2.4.0' } };
  expect((await fleet.list(ranged, { limit: 9, cursor: undefined })).items).toHaveLength(3);
  await expect(fleet.list({}, { limit: 2, cursor: 'x' })).rejects.toMatchObject({ code: 'request/invalid' });
  const counts = await store.printers.counts();
  expect(counts.verdict['incompatible']).toBe(1);
  expect(counts.model['C360']).toBeGreaterThanOrEqual(3);
});

test('entries page backwards without holes', async () => {
  const entries = Array.from({ length: 30 }, (_, index) =>
    entry(index + 1, { at: new Date(Date.UTC(2026, 10, 22, 7, Math.floor(index / 4))).toISOString() }),
  );
  await store.ingest.errors('pages', { ...batch('L', 1, []), entries });
  const seen: number[] = [];
  let before: { at: string; log: string; seq: number } | undefined;
  for (;;) {
    const page = await store.printers.errors('pages', { limit: 7, ...(before ? { before } : {}) });
    seen.push(...page.map((row) => row.seq));
    before = page.at(-1);
    if (page.length < 7) break;
  }
  expect(seen).toEqual(Array.from({ length: 30 }, (_, index) => 30 - index));
});

test('a put makes a new revision and changes no old one', async () => {
  const one = await store.documents.put('catalog', 'r1', { catalog: 'r1' }, 'ann');
  expect((await store.documents.put('catalog', 'r1', { catalog: 'r1' }, 'ben')).revision).toBe(one.revision);
  await expect(
    store.documents.put('catalog', 'r1', { catalog: 'r1', units: [] }, 'ann'),
  ).rejects.toMatchObject({ code: 'request/conflict' });
  await store.documents.put('catalog', 'r2', { catalog: 'r2' }, 'ann');
  expect((await store.documents.get('catalog'))?.document).toEqual({ catalog: 'r2' });
  expect((await store.documents.get('catalog', 'r1'))?.document).toEqual({ catalog: 'r1' });
  // Going back to an earlier one puts that in force, and a restart finds it so.
  const back = await store.documents.put('catalog', 'r1', { catalog: 'r1' }, 'cleo');
  expect(back).toMatchObject({ by: 'cleo', document: { catalog: 'r1' } });
  expect(back.revision).toBeGreaterThan(one.revision);
  expect(await store.documents.get('catalog')).toEqual(back);
  expect(await store.documents.put('catalog', 'r1', { catalog: 'r1' }, 'dora')).toEqual(back);
});

test('retained messages come back with the last per topic, cleared ones do not', async () => {
  const payload = (text: string) => Buffer.from(text);
  await store.retained.write([
    { topic: 'a', payload: payload('1'), qos: 1 },
    { topic: 'b', payload: payload('2'), qos: 0 },
  ]);
  await store.retained.write([
    { topic: 'a', payload: undefined, qos: 0 },
    { topic: 'b', payload: payload('3'), qos: 1 },
  ]);
  const all = await loaded(new PostgresRetained(store.database));
  expect(all.filter(({ topic }) => !topic.startsWith('platen/'))).toEqual([
    { topic: 'b', payload: payload('3'), qos: 1 },
  ]);
});

async function loaded(retained: PostgresRetained): Promise<RetainedDocument[]> {
  const all: RetainedDocument[] = [];
  for await (const one of retained.load()) all.push(one);
  return all;
}

test('structures are retained from their own table, and a cleared one stays cleared until a new one comes', async () => {
  const topic = 'platen/v1/printers/kept/structure';
  const structure = (revision: number): Structure => ({
    session: 's',
    revision,
    at: '2026-11-22T07:00:00Z',
    reason: 'connect',
    apparatus: { model: 'C360' },
    units: [],
  });
  const found = async () => {
    const document = (await loaded(new PostgresRetained(store.database))).find((one) => one.topic === topic);
    return document && (JSON.parse(document.payload.toString()) as Structure);
  };
  const say = async (revision: number) => {
    await store.ingest.structure('kept', structure(revision));
    await store.retained.write([
      { topic, payload: Buffer.from(JSON.stringify(structure(revision))), qos: 1 },
    ]);
  };
  await say(1);
  expect(await found()).toEqual(structure(1));
  await store.retained.write([{ topic, payload: undefined, qos: 1 }]);
  expect(await found()).toBeUndefined();
  await say(2);
  expect(await found()).toEqual(structure(2));
});

test('the current structure stands only in its table; the history gets it when another comes', async () => {
  const printer = 'changing';
  const first = structure({ revision: 1, labels: { note: 'a "quoted" \\ text, ünï' } });
  const second = structure({ revision: 2, units: [] });
  const payload = Buffer.from(JSON.stringify(first, undefined, 1));
  await store.ingest.structure(printer, first, payload);
  const [kept] = await store.database.query<{ text: string }>(
    'SELECT document::text AS text FROM structures WHERE printer = $1',
    [printer],
  );
  expect(kept?.text).toBe(payload.toString());
  const history = () =>
    store.database.query<{ document: Structure | null }>(
      'SELECT document FROM structure_history WHERE printer = $1 ORDER BY id',
      [printer],
    );
  expect(await history()).toEqual([{ document: null }]);
  await store.ingest.structure(printer, second);
  expect(await history()).toEqual([{ document: first }, { document: null }]);
});

test('what is installed follows the structure', async () => {
  const printer = 'updated';
  const engine = (version: string, id = 'acme.engine') => ({
    symbol: 'engine',
    kind: 'engine' as const,
    model: 'EN-36',
    software: [{ id, version }],
  });
  const installed = async () => {
    const rows = await store.database.query<{ subject: string; version: string }>(
      'SELECT subject, version FROM installed_software WHERE printer = $1 ORDER BY subject',
      [printer],
    );
    return rows.map(({ subject, version }) => `${subject} ${version}`);
  };
  await store.ingest.structure(printer, structure({ revision: 1, units: [engine('1.0.0')] }));
  expect(await installed()).toEqual(['apparatus:acme.controller 3.1.0', 'engine:acme.engine 1.0.0']);
  await store.ingest.structure(printer, structure({ revision: 2, units: [engine('1.1.0')] }));
  expect(await installed()).toEqual(['apparatus:acme.controller 3.1.0', 'engine:acme.engine 1.1.0']);
  await store.ingest.structure(printer, structure({ revision: 3, units: [engine('7', 'acme.other')] }));
  expect(await installed()).toEqual(['apparatus:acme.controller 3.1.0', 'engine:acme.other 7']);
});

test('a connection, a structure and its verdict are one write for a printer that was not enrolled', async () => {
  const verdict: Verdict = {
    structure: { session: 's1', revision: 1 },
    catalog: 'c',
    at: '2026-11-22T07:00:00Z',
    status: 'incompatible',
    findings: [],
  };
  const connected = store.ingest.connection('whole', true);
  const result = await store.ingest.structure('whole', structure(), undefined, verdict);
  expect(result).toEqual({ outcome: 'new', changes: [], judged: {} });
  expect(await connected).toEqual({ changed: true, flipped: true });
  expect(await store.printers.get('whole')).toMatchObject({
    online: true,
    site: 'berlin-3',
    verdict: 'incompatible',
    structure: structure(),
    verdictDocument: verdict,
  });
  // A later change of presence leaves the rest alone.
  await store.ingest.connection('whole', false);
  expect(await store.printers.get('whole')).toMatchObject({
    online: false,
    site: 'berlin-3',
    verdict: 'incompatible',
  });
});

test('retention drops old structures and update reports, but nothing in force', async () => {
  const printer = 'forgetful';
  await store.ingest.structure(printer, structure({ revision: 1 }));
  await store.ingest.structure(printer, structure({ revision: 2, site: 'berlin-4', units: [] }));
  await store.ingest.update(printer, { execution: 'e-old', attempt: 1, seq: 1, state: 'accepted' });
  const left = async () => {
    const [row] = await store.database.query<{ history: number; reports: number; current: number }>(
      `SELECT (SELECT count(*) FROM structure_history WHERE printer = $1) AS history,
              (SELECT count(*) FROM update_reports WHERE printer = $1) AS reports,
              (SELECT count(*) FROM structures WHERE printer = $1) AS current`,
      [printer],
    );
    return row;
  };
  const day_ms = 86_400_000;
  await dropHistory(store.database, Date.now() + 9 * day_ms, 10, silent);
  expect(await left()).toEqual({ history: 2, reports: 1, current: 1 });
  expect(await dropHistory(store.database, Date.now() + 11 * day_ms, 10, silent)).toBeGreaterThanOrEqual(3);
  expect(await left()).toEqual({ history: 0, reports: 0, current: 1 });
});

test('a replaced log memory is dropped with its last entry, never before', async () => {
  const printer = 'replacing';
  const later = Date.now() + 11 * 86_400_000;
  const memories = async () =>
    (
      await store.database.query<{ log: string }>(
        'SELECT log FROM log_streams WHERE printer = $1 ORDER BY id',
        [printer],
      )
    ).map(({ log }) => log);
  await store.ingest.errors(printer, batch('old', 1, [1, 2]));
  await store.ingest.errors(printer, batch('new', 1, [1]));
  await dropStreams(store.database, later, 10, silent);
  expect(await memories()).toEqual(['old', 'new']);
  await store.database.query(
    'DELETE FROM entries WHERE stream IN (SELECT id FROM log_streams WHERE printer = $1)',
    [printer],
  );
  await dropStreams(store.database, Date.now() + 9 * 86_400_000, 10, silent);
  expect(await memories()).toEqual(['old', 'new']);
  expect(await dropStreams(store.database, later, 10, silent)).toBeGreaterThanOrEqual(1);
  // The memory in use stays, however long it was silent.
  expect(await memories()).toEqual(['new']);
  const again = await store.ingest.errors(printer, batch('old', 2, [2, 3]));
  expect(again).toMatchObject({ upTo: 3, fresh: [{ seq: 2 }, { seq: 3 }], lost: 1 });
  expect(await memories()).toEqual(['new', 'old']);
});

test('with a full disk nothing is acknowledged or refused, and the database says why', async () => {
  const full = "RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'";
  await store.database.query(
    `CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${full}; END $$`,
  );
  await store.database.query(
    'CREATE TRIGGER disk_full BEFORE UPDATE ON log_streams FOR EACH STATEMENT EXECUTE FUNCTION disk_full()',
  );
  let settled = 0;
  const sent = ['full-1', 'full-2', 'full-3'].map(async (printer) => {
    const { upTo } = await store.ingest.errors(printer, batch('log', 1, [1]));
    settled += 1;
    return upTo;
  });
  while (store.database.ready()) await sleep(5);
  expect(store.database.fault()).toContain('No space left on device');
  await sleep(200);
  expect(settled).toBe(0);
  await store.database.query('DROP TRIGGER disk_full ON log_streams');
  expect(await Promise.all(sent)).toEqual([1, 1, 1]);
  expect(store.database.fault()).toBeUndefined();
  expect(await stored('full-2')).toEqual([1]);
});

test('the group commits behind acknowledgements are shown as histograms by kind', async () => {
  const registry = new Registry();
  showCommits(registry, store.ingest);
  await store.ingest.errors('metered', batch('L', 1, [1]));
  await store.ingest.structure('metered', structure());
  const report: UpdateReport = { execution: 'metered', attempt: 1, seq: 1, state: 'accepted' };
  await store.ingest.update('metered', report);
  const text = await registry.metrics();
  for (const kind of ['entries', 'printers', 'updates']) {
    const shown = (name: string): number =>
      Number(text.match(new RegExp(`^platen_ingest_commit_${name}\\{kind="${kind}"\\} (\\S+)$`, 'm'))?.[1]);
    expect([kind, shown('seconds_count'), shown('items_sum')]).toEqual([kind, 1, 1]);
    expect(shown('seconds_sum')).toBeGreaterThan(0);
  }
});
