/** Statements sent while another is under way, on a database where some of them fail. */
import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import type { ErrorBatch } from '../../schemas/types.ts';
import { temporaryFolder } from '../../tests/harness/folder.ts';
import { prepareDatabase } from '../../tests/harness/prepared.ts';
import { openStore, type Store } from '../database/store.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { ErrorsResult } from './ingest-errors.ts';

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const PRINTERS = 40;
const MESSAGES = 80;
/** Unacknowledged messages of a printer: together they need several statements. */
const WINDOW = 40;
/** Messages of one entry that are enough to send a statement while another is under way. */
const CROWD = CENTER_LIMITS.ingest_ahead_entries_min / 2;
const ROUNDS_MAX = 20;
let folder: string;
let store: Store;
let other: Store;

beforeAll(async () => {
  folder = temporaryFolder('platen-overlap-');
  await prepareDatabase(folder);
  store = await openStore({ source: { dataFolder: folder }, log: silent });
  other = await openStore({ source: { url: store.database.url }, log: silent });
});

afterAll(async () => {
  await other.close();
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Acts as a printer: sends its log in single entries, some of them twice, and repeats what failed. */
async function sendLog(
  ingest: () => Store['ingest'],
  printer: string,
): Promise<{ fresh: number; failed: number }> {
  let next = 1;
  let fresh = 0;
  let failed = 0;
  const send = async (seq: number): Promise<ErrorsResult> => {
    for (;;) {
      try {
        return await ingest().errors(printer, single(seq));
      } catch {
        failed += 1;
      }
    }
  };
  const lane = async () => {
    while (next <= MESSAGES) {
      const seq = next;
      next += 1;
      const sent = seq % 5 === 0 ? [send(seq), send(seq)] : [send(seq)];
      for (const result of await Promise.all(sent)) fresh += result.fresh.length;
    }
  };
  await Promise.all(Array.from({ length: WINDOW }, lane));
  return { fresh, failed };
}

/** Every printer sends its log; each entry must be stored once and reported as new once. */
async function sendLogs(prefix: string, ingest: (turn: number) => Store['ingest']): Promise<number> {
  let turn = 0;
  const next = () => {
    turn += 1;
    return ingest(turn);
  };
  const told = await Promise.all(
    Array.from({ length: PRINTERS }, (_, index) => sendLog(next, `${prefix}-${index}`)),
  );
  const [row] = await store.database.query<{ entries: number; distinct: number }>(
    `SELECT count(*) AS entries, count(DISTINCT (printer, seq)) AS distinct FROM error_entries
     WHERE starts_with(printer, $1)`,
    [`${prefix}-`],
  );
  const all = PRINTERS * MESSAGES;
  const fresh = told.reduce((sum, one) => sum + one.fresh, 0);
  expect({ ...row, fresh }).toEqual({ entries: all, distinct: all, fresh: all });
  const memories = await store.database.query(
    `SELECT DISTINCT up_to, lost, received::text AS received FROM log_streams WHERE starts_with(printer, $1)`,
    [`${prefix}-`],
  );
  expect(memories).toEqual([{ up_to: MESSAGES, lost: 0, received: `{[1,${MESSAGES + 1})}` }]);
  return told.reduce((sum, one) => sum + one.failed, 0);
}

test('a statement built on a failed one is built again, with two centers on one database', async () => {
  await store.database.query('CREATE SEQUENCE statements');
  // The server aborts some statements, and now and then refuses the content of one.
  await store.database.query(
    `CREATE FUNCTION fail_some() RETURNS trigger LANGUAGE plpgsql AS $$
     DECLARE number bigint := nextval('statements');
     BEGIN
       IF number % 101 = 3 THEN RAISE EXCEPTION 'refused' USING ERRCODE = '22000'; END IF;
       IF number % 4 = 2 THEN RAISE EXCEPTION 'given up' USING ERRCODE = '40001'; END IF;
       RETURN NULL;
     END $$`,
  );
  await store.database.query(
    'CREATE TRIGGER fail_some BEFORE UPDATE ON log_streams FOR EACH STATEMENT EXECUTE FUNCTION fail_some()',
  );
  try {
    const alone = await sendLogs('alone', () => store.ingest);
    const together = await sendLogs('together', (turn) => (turn % 3 === 0 ? other : store).ingest);
    // The test shows nothing unless some were refused.
    expect(alone + together).toBeGreaterThan(0);
  } finally {
    await store.database.query('DROP TRIGGER fail_some ON log_streams');
  }
});

/** Enough entries of other printers to send a statement while another is under way. */
function crowd(prefix: string, seq: number): Promise<ErrorsResult>[] {
  return Array.from({ length: CROWD }, (_, index) => store.ingest.errors(`${prefix}-${index}`, single(seq)));
}

function single(seq: number): ErrorBatch {
  const entries = [{ seq, at: '2026-11-22T07:00:00.000Z', code: 'J-7201', severity: 'error' as const }];
  return { log: 'L', first: 1, reason: 'event', entries };
}

async function stored(printer: string): Promise<number[]> {
  const rows = await store.database.query<{ seq: number }>(
    'SELECT seq FROM error_entries WHERE printer = $1 ORDER BY seq',
    [printer],
  );
  return rows.map(({ seq }) => seq);
}

/** Locks a printer's log memory: the next statement on it waits until `end` has run and this transaction commits. */
async function holdBack(
  printer: string,
  change: string,
): Promise<(end: 'COMMIT' | 'ROLLBACK') => Promise<void>> {
  const client = new pg.Client({ connectionString: store.database.url });
  await client.connect();
  await client.query('BEGIN');
  await client.query(`UPDATE log_streams SET ${change} WHERE printer = $1`, [printer]);
  return async (end) => {
    await client.query(end);
    await client.end();
  };
}

/** Resolves when a statement waits for the lock. */
async function waits(): Promise<void> {
  const blocked = `SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%log_streams%'`;
  while ((await store.database.query(blocked)).length === 0) await sleep(5);
}

test('an entry sent again while it is being written is not acknowledged before it is stored', async () => {
  const before = [...crowd('dup', 1), ...crowd('apart', 1), store.ingest.errors('dup-poisoned', single(1))];
  await Promise.all(before);
  await store.database.query(
    `CREATE FUNCTION refuse_one() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '22000'; END $$`,
  );
  await store.database.query(
    `CREATE TRIGGER refuse_one BEFORE UPDATE ON log_streams FOR EACH ROW
     WHEN (NEW.printer = 'dup-poisoned') EXECUTE FUNCTION refuse_one()`,
  );
  try {
    const release = await holdBack('dup-0', 'lost = lost');
    const first = [...crowd('dup', 2), store.ingest.errors('dup-poisoned', single(2))];
    await waits();
    // Nothing else in the second statement would fail because of the first.
    const again = [...crowd('apart', 2), store.ingest.errors('dup-poisoned', single(2))];
    await sleep(50);
    await release('ROLLBACK');
    const outcomes = await Promise.allSettled([...first, ...again]);
    const failed = outcomes.flatMap(({ status }, index) => (status === 'rejected' ? [index] : []));
    expect(failed).toEqual([CROWD, 2 * CROWD + 1]);
    expect(await stored('dup-poisoned')).toEqual([1]);
    expect(await stored('dup-99')).toEqual([1, 2]);
    expect(await stored('apart-99')).toEqual([1, 2]);
  } finally {
    await store.database.query('DROP TRIGGER refuse_one ON log_streams');
  }
  expect((await store.ingest.errors('dup-poisoned', single(2))).fresh.length).toBe(1);
});

test('a statement built on a row that another center changed is built again', async () => {
  await Promise.all([...crowd('late', 1), ...crowd('early', 1)]);
  // As another center would, with a batch number of its own.
  const release = await holdBack('late-7', "version = 1000 * nextval('entry_batches')");
  const first = crowd('late', 2);
  await waits();
  const second = [...crowd('early', 2), store.ingest.errors('late-7', single(3))];
  await sleep(50);
  await release('COMMIT');
  const results = await Promise.all([...first, ...second]);
  expect(results.map(({ fresh }, index) => [index, fresh.length]).filter(([, n]) => n !== 1)).toEqual([]);
  expect(await stored('late-7')).toEqual([1, 2, 3]);
  expect(await stored('late-8')).toEqual([1, 2]);
  expect(await stored('early-8')).toEqual([1, 2]);
});

test('connections that break lose and double nothing', async () => {
  const killer = new pg.Client({ connectionString: store.database.url });
  await killer.connect();
  let done = false;
  let broken = 0;
  const breaking = (async () => {
    while (!done) {
      await sleep(15);
      const { rows } = await killer.query<{ ended: boolean }>(
        `SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity
         WHERE application_name = 'platen' AND state = 'active' AND query LIKE '%log_streams%' AND pid <> pg_backend_pid()`,
      );
      broken += rows.length;
      if (broken >= 12) return;
    }
  })();
  try {
    // With quick statements, none may be under way at the moment of looking.
    for (let round = 0; round < ROUNDS_MAX && (round === 0 || broken === 0); round += 1) {
      await sendLogs(`broken-${round}`, () => store.ingest);
    }
  } finally {
    done = true;
    await breaking;
    await killer.end();
  }
  expect(broken).toBeGreaterThan(0);
});
