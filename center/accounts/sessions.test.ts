import { type TestStore, testStore } from '../../tests/harness/orders.ts';
import { CENTER_LIMITS } from '../limits.ts';
import { Sessions } from './sessions.ts';
import { Tokens } from './tokens.ts';

const START = Date.parse('2026-11-30T10:00:00Z');

let db: TestStore;
beforeAll(async () => {
  db = await testStore();
  await db.store.credentials.putUser('lena', 'operator', 'x');
  await db.store.credentials.putUser('admin', 'admin', 'x');
});
afterAll(() => db.close());

test('a session ends when idle, and after its lifetime even when in use', async () => {
  const sessions = new Sessions(db.store.database);
  const { secret } = await sessions.begin('lena', 'password', START);
  const { session_idle_ms_max, session_ms_max } = CENTER_LIMITS;
  const step_ms = session_idle_ms_max - 60_000;
  let now_ms = START;
  for (; now_ms < START + session_ms_max; now_ms += step_ms) {
    expect(await sessions.find(secret, now_ms)).toMatchObject({ name: 'lena', role: 'operator' });
  }
  // In constant use, and still it ends.
  expect(await sessions.find(secret, START + session_ms_max)).toBeUndefined();

  const other = await sessions.begin('lena', 'password', START);
  expect(await sessions.find(other.secret, START + session_idle_ms_max + 1)).toBeUndefined();
});

test('checking whether a session is valid does not prolong it', async () => {
  const sessions = new Sessions(db.store.database);
  const { secret } = await sessions.begin('lena', 'password', START);
  const id = (await sessions.find(secret, START))?.id ?? '';
  const { session_idle_ms_max } = CENTER_LIMITS;
  for (let after_ms = 0; after_ms < session_idle_ms_max; after_ms += 300_000) {
    expect(await sessions.holds(id, START + after_ms)).toBe(true);
  }
  expect(await sessions.holds(id, START + session_idle_ms_max + 1)).toBe(false);
});

test('beyond the limit the oldest session of a person ends, and no secret is stored', async () => {
  const sessions = new Sessions(db.store.database);
  const secrets: string[] = [];
  for (let n = 0; n <= CENTER_LIMITS.sessions_person_max; n += 1) {
    secrets.push((await sessions.begin('admin', 'password', START + n)).secret);
  }
  const held = await Promise.all(secrets.map((secret) => sessions.find(secret, START + 1_000)));
  expect(held.map((session) => session !== undefined)).toEqual([false, ...secrets.slice(1).map(() => true)]);
  const rows = await db.store.database.query<{ row: string }>('SELECT s::text AS row FROM sessions s');
  for (const secret of secrets) expect(JSON.stringify(rows)).not.toContain(secret);
});

test('the number of valid tokens a person has is limited; revoking one makes room', async () => {
  const tokens = new Tokens(db.store.database, () => START);
  const wish = { name: 'n', role: 'viewer', lasts_ms: 1_000 } as const;
  const made = [];
  for (let n = 0; n < CENTER_LIMITS.tokens_person_max; n += 1) made.push(await tokens.create('lena', wish));
  await expect(tokens.create('lena', wish)).rejects.toMatchObject({ code: 'token/too-many' });
  await expect(tokens.revoke(made[0]?.id ?? '', 'admin')).rejects.toMatchObject({
    code: 'request/not-found',
  });
  await tokens.revoke(made[0]?.id ?? '', 'lena');
  await tokens.create('lena', wish);
  const seen = new Set<string>();
  for (let cursor: string | undefined; ; ) {
    const page = await tokens.list('lena', { limit: 30, cursor });
    for (const { id } of page.items) seen.add(id);
    if (page.next === undefined) break;
    cursor = page.next;
  }
  expect(seen.size).toBe(CENTER_LIMITS.tokens_person_max + 1);
});
