/** The store under a clock that jumps, on a real Postgres. */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { temporaryFolder } from '../../tests/harness/folder.ts';
import { acceptClock } from './maintenance.ts';
import { dropHistory } from './retention.ts';
import { openStore, type Store } from './store.ts';

const DAY_MS = 86_400_000;
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const folder = temporaryFolder('platen-clock-');
const clock = { wall: Date.now(), steady: 0 };
let seq = 0;
let store: Store;

const open = () =>
  openStore({
    source: { dataFolder: folder },
    log: silent,
    retention_days: 100,
    now: () => clock.wall,
    steady: () => clock.steady,
  });

beforeAll(async () => {
  store = await open();
});
afterAll(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  expect(store.clock.fault()).toBeUndefined();
});

async function send(): Promise<number> {
  seq += 1;
  const entry = { seq, at: '2026-11-22T07:00:00Z', code: 'J-1', severity: 'error' as const };
  const { upTo } = await store.ingest.errors('p', { log: 'L', first: 1, reason: 'event', entries: [entry] });
  return upTo;
}

async function stored(): Promise<number> {
  const [row] = await store.database.query<{ n: number }>('SELECT count(*) AS n FROM entries');
  return row?.n ?? 0;
}

async function startAgain(): Promise<void> {
  await store.close();
  store = await open();
}

test('a start two years ahead drops nothing, and stores what comes', async () => {
  expect(await send()).toBe(1);
  clock.wall += 730 * DAY_MS;
  await startAgain();
  expect(store.clock.fault()).toMatch(/leapt 730 days ahead/);
  expect(await stored()).toBe(1);
  expect(await send()).toBe(2);
  await store.maintain();
  // And once more, with an entry from that time in the store.
  await startAgain();
  expect(await stored()).toBe(2);
  clock.wall -= 730 * DAY_MS;
  await startAgain();
  expect(await stored()).toBe(2);
});

test.each([
  ['sixty days ahead', 60],
  ['two years back', -730],
  ['seventy years ahead', 25_567],
])('a jump of %s at run time delays no entry and drops none', async (_what, days) => {
  const before = await stored();
  clock.wall += days * DAY_MS;
  expect(await send()).toBe(before + 1);
  expect(store.clock.fault()).toBeDefined();
  await store.maintain();
  expect(await send()).toBe(before + 2);
  clock.wall -= days * DAY_MS;
  await store.maintain();
  expect(await send()).toBe(before + 3);
  expect(await stored()).toBe(before + 3);
});

test('entries are dropped at the age of the retention by elapsed time, once an operator confirms the clock', async () => {
  await send();
  const before = await stored();
  // A machine that was off for half a year.
  clock.wall += 180 * DAY_MS;
  await startAgain();
  await send();
  await store.maintain();
  expect(await stored()).toBe(before + 1);
  await acceptClock(store.database, clock.wall);
  await store.maintain();
  expect(store.clock.fault()).toBeUndefined();
  // Kept for a whole retention from now on: its times may have been wrong.
  expect(await stored()).toBe(before + 1);
  for (let day = 0; day < 110; day += 10) {
    clock.wall += 10 * DAY_MS;
    await startAgain();
  }
  await send();
  await store.maintain();
  // What was stored by a clock seventy years ahead stays; the rest was old.
  expect(await stored()).toBeLessThan(before);
});

test('retention drops old audit rows, tokens, troubles and ended orders; what is open or needed stays', async () => {
  const { database } = store;
  const old = new Date(clock.wall - 200 * DAY_MS);
  const fresh = new Date(clock.wall - 5 * DAY_MS);
  await database.query('DELETE FROM audit');
  for (const at of [old, fresh]) {
    await database.query(
      `INSERT INTO audit (at, actor, role, method, params, outcome) VALUES ($1, 'a', 'admin', 'm', '{}', 'ok')`,
      [at],
    );
    for (const state of ['open', 'cured', 'closed']) {
      await database.query(
        `INSERT INTO troubles (id, rule, key, scope, state, severity, count, opened_at, updated_at, last_at, evidence, codes)
         VALUES ($1, 'r', 'k', '{}', $2, 'error', 1, $3, $3, $3, '[]', '[]')`,
        [`${state}-${at.getTime()}`, state, at],
      );
    }
    for (const state of ['running', 'finished']) {
      const campaign = `${state}-${at.getTime()}`;
      await database.query(
        `INSERT INTO campaigns (id, state, record, request, seed, created_at, updated_at, created_by)
         VALUES ($1, $2, '{}', '{}', 1, $3, $3, 'a')`,
        [campaign, state, at],
      );
      await database.query(
        `INSERT INTO executions (id, printer, campaign, state, record, plan, created_at, updated_at, ended_at)
         VALUES ($1, $1, $1, 'proven', '{}', '{}', $2, $2, $2)`,
        [campaign, at],
      );
    }
  }
  await database.query(
    `INSERT INTO executions (id, printer, state, record, plan, created_at, updated_at)
     VALUES ('waits', 'p', 'offered', '{}', '{}', $1, $1)`,
    [old],
  );
  await database.query(`INSERT INTO credentials (name, role, hash) VALUES ('ann', 'viewer', 'h')`);
  const later = new Date(clock.wall + 90 * DAY_MS);
  for (const [id, revoked, ends] of [
    ['ended', null, old],
    ['holds', null, later],
    ['revoked', old, later],
    ['revoked-now', fresh, later],
  ]) {
    await database.query(
      `INSERT INTO tokens (id, hash, name, owner, role, created_at, revoked_at, ends_at)
       VALUES ($1, $2, 't', 'ann', 'viewer', $3, $4, $5)`,
      [id, Buffer.from(String(id)), old, revoked, ends],
    );
  }
  expect(await dropHistory(database, clock.wall, 100, silent)).toBe(6);
  const left = async (table: string) =>
    (await database.query<{ id: string }>(`SELECT id::text FROM ${table} ORDER BY id`)).map(({ id }) => id);
  expect(await left('audit')).toHaveLength(1);
  expect(await left('tokens')).toEqual(['holds', 'revoked-now']);
  expect(await left('troubles')).toEqual(
    [
      `closed-${fresh.getTime()}`,
      `cured-${fresh.getTime()}`,
      `open-${fresh.getTime()}`,
      `open-${old.getTime()}`,
    ].sort(),
  );
  expect(await left('executions')).toEqual(
    [`finished-${fresh.getTime()}`, `running-${fresh.getTime()}`, `running-${old.getTime()}`, 'waits'].sort(),
  );
});
