import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { temporaryFolder } from '../../tests/harness/folder.ts';
import { prepareDatabase } from '../../tests/harness/prepared.ts';
import { startEmbeddedPostgres } from './embedded-postgres.ts';
import { openStore, type Store } from './store.ts';

const said: string[] = [];
const say = (fields: object | string, message?: string) => {
  said.push(`${typeof fields === 'string' ? fields : JSON.stringify(fields)} ${message ?? ''}`);
};
const log = { info: say, warn: say, error: say };
let folder: string | undefined;

afterEach(() => {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  folder = undefined;
  said.length = 0;
});

function open(): Promise<Store> {
  folder ??= temporaryFolder('platen-cluster-');
  return openStore({ source: { dataFolder: folder }, log });
}

const postgres = (...names: string[]) => join(String(folder), 'postgres', ...names);

async function countEntries(store: Store): Promise<number> {
  const [row] = await store.database.query<{ n: number }>('SELECT count(*) AS n FROM entries');
  return row?.n ?? 0;
}

/** A data folder with one acknowledged entry, and nothing that runs. */
async function withAnEntry(): Promise<void> {
  folder ??= temporaryFolder('platen-cluster-');
  await prepareDatabase(folder);
  const store = await open();
  const entry = { seq: 1, at: '2026-11-22T07:00:00Z', code: 'J-1', severity: 'error' as const };
  await store.ingest.errors('p', { log: 'L', first: 1, reason: 'event', entries: [entry] });
  await store.close();
}

test('a missing note that the database was made, or a missing password, takes nothing away', async () => {
  await withAnEntry();
  const inode = statSync(postgres('cluster', 'PG_VERSION')).ino;
  for (const damage of [
    () => rmSync(postgres('initialised')),
    () => rmSync(postgres('password')),
    () => writeFileSync(postgres('password'), Buffer.alloc(32)),
    () => writeFileSync(postgres('password'), ''),
    () => writeFileSync(postgres('owner.json'), '\0\0\0'),
  ]) {
    damage();
    const store = await open();
    expect(await countEntries(store)).toBe(1);
    await store.close();
  }
  expect(statSync(postgres('cluster', 'PG_VERSION')).ino).toBe(inode);
  expect(said.join('\n')).toContain('it has a new one');
});

test('a database that is gone or damaged is not made anew: the sentence says what to do', async () => {
  await withAnEntry();
  renameSync(postgres('cluster', 'PG_VERSION'), postgres('aside'));
  await expect(open()).rejects.toMatchObject({
    code: 'start/database',
    message: expect.stringContaining('PG_VERSION is missing'),
    hint: expect.stringContaining('Restore'),
  });
  renameSync(postgres('aside'), postgres('cluster', 'PG_VERSION'));
  renameSync(postgres('cluster'), postgres('elsewhere'));
  await expect(open()).rejects.toMatchObject({
    code: 'start/database',
    message: expect.stringContaining('is gone'),
    hint: expect.stringContaining('initialised'),
  });
  expect(existsSync(postgres('cluster'))).toBe(false);
  renameSync(postgres('elsewhere'), postgres('cluster'));
  const store = await open();
  expect(await countEntries(store)).toBe(1);
  await store.close();
});

test('what an initdb that was killed left is cleared away; what was ever a database is not', async () => {
  folder = temporaryFolder('platen-cluster-');
  for (const name of ['cluster-being-made-1', 'cluster-being-made-2']) {
    mkdirSync(postgres(name), { recursive: true });
    writeFileSync(postgres(name, 'PG_VERSION'), '18\n');
  }
  writeFileSync(postgres('cluster-being-made-2', 'postmaster.opts'), 'postgres\n');
  await (await open()).close();
  expect(
    readdirSync(postgres())
      .filter((name) => name.startsWith('cluster'))
      .sort(),
  ).toEqual(['cluster', 'cluster-being-made-2']);
});

test('a start that is stopped while the database is made leaves nothing half made, and the next one goes well', async () => {
  folder = temporaryFolder('platen-cluster-');
  const stop = new AbortController();
  const opening = openStore({ source: { dataFolder: folder }, log, stop: stop.signal });
  const failed = expect(opening).rejects.toMatchObject({ code: 'start/stopped' });
  while (!existsSync(postgres()) || !readdirSync(postgres()).some((name) => name.startsWith('cluster-'))) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  stop.abort();
  await failed;
  expect(readdirSync(postgres()).filter((name) => /cluster|new-password|owner/.test(name))).toEqual([]);
  await withAnEntry();
});

test('where the path is too long for a socket, its folder has a name that nobody can know before', async () => {
  const top = temporaryFolder('platen-cluster-');
  folder = top;
  const deep = join(top, 'x'.repeat(90));
  const names = new Set<string>();
  for (let start = 0; start < 2; start += 1) {
    const server = await startEmbeddedPostgres(deep, log);
    const socket =
      readFileSync(join(deep, 'postgres', 'cluster', 'postmaster.pid'), 'utf8').split('\n')[4] ?? '';
    expect(socket.startsWith(join(tmpdir(), 'platen-socket-'))).toBe(true);
    expect(statSync(socket).mode & 0o777).toBe(0o700);
    names.add(socket);
    await server.stop();
    expect(existsSync(socket)).toBe(false);
  }
  expect(names.size).toBe(2);
});
