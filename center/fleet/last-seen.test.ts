import { setTimeout as sleep } from 'node:timers/promises';
import { silent, type TestStore, testStore } from '../../tests/harness/orders.ts';
import { LastSeen } from './last-seen.ts';

let db: TestStore;
beforeAll(async () => {
  db = await testStore();
});
afterAll(() => db.close());

const seen = async (printer: string) => (await db.store.printers.get(printer))?.lastSeen;

test('what is heard is told at once, written later, and never moved back', async () => {
  const { store } = db;
  await store.credentials.putPrinters(['p-1', 'p-2'].map((name) => ({ name, hash: 'x' })));
  let now = Date.parse('2026-11-30T10:00:00Z');
  const lastSeen = new LastSeen(store.printers, () => now, silent);
  lastSeen.hear('p-1');
  lastSeen.hear('a-stranger');
  expect(lastSeen.of('p-1')).toBe(now);
  expect(await seen('p-1')).toBeUndefined();
  await lastSeen.flush();
  expect(await seen('p-1')).toBe('2026-11-30T10:00:00.000Z');
  expect(lastSeen.of('p-1')).toBeUndefined();
  expect(lastSeen.of('a-stranger')).toBeUndefined();
  now -= 3_600_000;
  lastSeen.hear('p-1');
  await lastSeen.flush();
  expect(await seen('p-1')).toBe('2026-11-30T10:00:00.000Z');
  expect(await seen('p-2')).toBeUndefined();
});

test('a row that somebody else is writing is left for the next time', async () => {
  const { store } = db;
  const now = Date.parse('2026-11-30T12:00:00Z');
  const lastSeen = new LastSeen(store.printers, () => now, silent);
  lastSeen.hear('p-1');
  lastSeen.hear('p-2');
  await store.database.transaction(async (client) => {
    await client.query("SELECT 1 FROM printers WHERE id = 'p-1' FOR UPDATE");
    await Promise.race([
      lastSeen.flush(),
      sleep(10_000, undefined, { ref: false }).then(() => Promise.reject(new Error('it waited'))),
    ]);
  });
  expect(await seen('p-2')).toBe('2026-11-30T12:00:00.000Z');
  expect(lastSeen.of('p-1')).toBe(now);
  await lastSeen.flush();
  expect(await seen('p-1')).toBe('2026-11-30T12:00:00.000Z');
});
