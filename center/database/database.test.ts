import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import pg from 'pg';
import type { ErrorBatch } from '../../schemas/types.ts';
import { temporaryFolder } from '../../tests/harness/folder.ts';
import { prepareDatabase } from '../../tests/harness/prepared.ts';
import { WITH_TYPES } from '../../tests/harness/run/with-types.ts';
import { answering } from './answering.ts';
import { isLostConnection, openDatabase } from './database.ts';
import { migrate, readMigrations } from './migrate.ts';
import { openStore } from './store.ts';

const said: string[] = [];
const say = (fields: object | string, message?: string) => {
  said.push(`${typeof fields === 'string' ? fields : JSON.stringify(fields)} ${message ?? ''}`);
};
const log = { info: say, warn: say, error: say };
const cleanups: (() => void | Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  said.length = 0;
});

function freshFolder(): string {
  const folder = temporaryFolder('platen-database-');
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** One with a database that no start has seen yet. */
async function withDatabase(): Promise<string> {
  const folder = freshFolder();
  await prepareDatabase(folder);
  return folder;
}

function batch(seq: number): ErrorBatch {
  const entry = { seq, at: '2026-11-22T07:00:00Z', code: 'J-1', severity: 'error' as const };
  return { log: 'L', first: 1, reason: 'event', entries: [entry] };
}

/** Whether a process runs; one that has ended and that nobody has looked after yet doesn't. */
function isAlive(pid: number): boolean {
  return (
    spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).stdout.match(/^[^Z]/) !== null
  );
}

test('a server that dies is started again; nothing is acknowledged meanwhile, nothing is lost or doubled', async () => {
  const store = await openStore({ source: { dataFolder: await withDatabase() }, log });
  cleanups.push(() => store.close());
  const heard: string[] = [];
  store.database.onLost(() => heard.push('lost'));
  store.database.onBack(() => heard.push('back'));
  let seq = 0;
  let fresh = 0;
  let stop = false;
  const load = async (printer: string) => {
    while (!stop) {
      seq += 1;
      const result = await store.ingest.errors(printer, batch(seq));
      fresh += result.fresh.length;
    }
  };
  const loads = Array.from({ length: 20 }, (_, index) => load(`p${index}`));
  for (let round = 1; round <= 3; round += 1) {
    await sleep(150);
    const pid = store.database.embedded?.pid as number;
    process.kill(pid, 'SIGKILL');
    // Not by looking whether it is ready: it may be back before the next look.
    while (heard.filter((what) => what === 'lost').length < round) await sleep(5);
    await store.database.whenReady();
    expect(store.database.embedded?.pid).not.toBe(pid);
  }
  stop = true;
  await Promise.all(loads);
  expect(heard).toEqual(['lost', 'back', 'lost', 'back', 'lost', 'back']);
  const [row] = await store.database.query<{ n: number; d: number }>(
    'SELECT count(*) AS n, count(DISTINCT (stream, seq)) AS d FROM entries',
  );
  expect(row).toEqual({ n: seq, d: seq });
  // Fresh is told for each of them once, even where the commit's answer was lost.
  expect(fresh).toBe(seq);
});

test('questions that are slow, however many, hold up nothing that is stored, and the database is not lost for it', async () => {
  const store = await openStore({ source: { dataFolder: await withDatabase() }, log });
  cleanups.push(() => store.close());
  const { database } = store;
  let lost = 0;
  database.onLost(() => {
    lost += 1;
  });
  let answered = 0;
  // They wait for a lock, so that they take as long as the test wants.
  const locker = new pg.Client({ connectionString: database.url });
  await locker.connect();
  cleanups.push(() => locker.end());
  await locker.query('SELECT pg_advisory_lock(7)');
  const questions = Array.from({ length: 13 }, (_, index) =>
    answering(`operator-${index % 5}`, () => database.query('SELECT pg_advisory_xact_lock_shared(7)')).then(
      () => {
        answered += 1;
      },
    ),
  );
  const stored: unknown[] = [];
  for (let turn = 0; turn < 5; turn += 1) {
    stored.push(await database.transaction((client) => client.query('SELECT 1')));
  }
  expect([answered, stored.length]).toEqual([0, 5]);
  await sleep(500);
  await locker.query('SELECT pg_advisory_unlock(7)');
  await Promise.all(questions);
  expect([answered, lost]).toEqual([13, 0]);
});

test('the server that a killed process left behind is stopped, and what it had is there', async () => {
  const folder = await withDatabase();
  const script = `
    import { openStore } from ${JSON.stringify(new URL('./store.ts', import.meta.url).href)};
    const log = { info() {}, warn() {}, error() {} };
    const store = await openStore({ source: { dataFolder: ${JSON.stringify(folder)} }, log });
    await store.ingest.errors('p', ${JSON.stringify(batch(1))});
    console.log(store.database.embedded.pid);
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, [...WITH_TYPES, '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  cleanups.push(() => {
    child.kill('SIGKILL');
  });
  const left = await new Promise<number>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => resolve(Number(text)));
  });
  // While its process lives, the folder is taken.
  await expect(openStore({ source: { dataFolder: folder }, log })).rejects.toMatchObject({
    code: 'start/in-use',
    message: expect.stringContaining(`(process ${child.pid})`),
    hint: expect.stringContaining('PLATEN_DATA'),
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
  expect(isAlive(left)).toBe(true);
  const store = await openStore({ source: { dataFolder: folder }, log });
  expect(isAlive(left)).toBe(false);
  expect((await store.ingest.errors('p', batch(1))).fresh).toEqual([]);
  const pid = store.database.embedded?.pid as number;
  const started = Date.now();
  await store.close();
  expect(isAlive(pid)).toBe(false);
  expect(Date.now() - started).toBeLessThan(30_000);
  expect(existsSync(join(folder, 'postgres', 'cluster', 'postmaster.pid'))).toBe(false);
});

test('a folder below a closed one: another place is taken, and said; as ourselves it is simply used', async () => {
  const folder = freshFolder();
  chmodSync(folder, 0o700);
  const store = await openStore({ source: { dataFolder: join(folder, 'data') }, log });
  const place = store.database.embedded?.folder as string;
  await store.close();
  if (process.getuid?.() === 0) {
    cleanups.push(() => rmSync(place, { recursive: true, force: true }));
    expect(place).toMatch(/^\/var\/lib\/platen\/data-/);
    expect(said.join('\n')).toContain(`the database is in ${place}. Set PLATEN_DATA`);
  } else {
    expect(place).toBe(join(folder, 'data', 'postgres'));
  }
});

test('a database that cannot be reached at the start is said with its address, without the password', async () => {
  const opening = openDatabase({ url: 'postgresql://ann:secret@127.0.0.1:9/platen' }, log);
  const error = await opening.then(
    () => undefined,
    (thrown: unknown) => thrown as Error & { code: string; hint: string },
  );
  expect(error?.code).toBe('start/database');
  expect(error?.message).toMatch(/127\.0\.0\.1:9\/platen: .*connect ECONNREFUSED/);
  expect(error?.hint).toContain('PLATEN_DATABASE_URL');
  expect(error?.message).not.toContain('secret');
});

test('a migration that was changed, or that a newer version made, is refused', async () => {
  const store = await openStore({ source: { dataFolder: await withDatabase() }, log });
  cleanups.push(() => store.close());
  const client = new pg.Client({ connectionString: store.database.url });
  await client.connect();
  cleanups.push(() => client.end());
  const migrations = readMigrations();
  await migrate(client, log, migrations);
  const [first, ...rest] = migrations;
  const changed = { name: first?.name ?? '', sql: `${first?.sql} ` };
  await expect(migrate(client, log, [changed, ...rest])).rejects.toThrow(/applied in another form/);
  await expect(migrate(client, log, rest)).rejects.toThrow(/which this version does not know/);
  const broken = { name: '999-broken.sql', sql: 'CREATE TABLE half (id int); SELECT nonsense' };
  await expect(migrate(client, log, [...migrations, broken])).rejects.toThrow(/nonsense/);
  expect((await client.query(`SELECT to_regclass('half') AS half`)).rows).toEqual([{ half: null }]);
});

test('who waited in vain for a lost database may go on waiting: the batch stays whole', async () => {
  const store = await openStore({ source: { dataFolder: await withDatabase() }, log });
  cleanups.push(() => store.close());
  const pid = store.database.embedded?.pid as number;
  // Stopped, not ended: nothing starts it again, and it is lost as long as we want.
  process.kill(-pid, 'SIGSTOP');
  try {
    while (store.database.ready()) await sleep(20);
    const error = await store.database.whenReady(50).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(isLostConnection(error)).toBe(true);
  } finally {
    process.kill(-pid, 'SIGCONT');
  }
  await store.database.whenReady();
});
