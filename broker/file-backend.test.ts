import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileBackend } from './file-backend.ts';
import { RetainedStore } from './topics/retained-store.ts';

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'platen-retained-'));
  path = join(folder, 'sub', 'retained.log');
});

afterEach(() => rmSync(folder, { recursive: true }));

const limits = { retainedMax: 1_000, retainedBytesMax: 1e9 };

async function open(): Promise<RetainedStore> {
  const store = new RetainedStore(limits, new FileBackend(path));
  await store.load();
  return store;
}

async function contents(): Promise<Record<string, string>> {
  const store = await open();
  const found = Object.fromEntries(
    store.match('#').map((topic) => [topic, String(store.get(topic)?.payload)]),
  );
  await store.close();
  return found;
}

test('what is written is there again, the last of each topic; what was emptied is not', async () => {
  const store = await open();
  await Promise.all([store.set('a', Buffer.from('1'), 1), store.set('b/ü', Buffer.from('2'), 0)]);
  await store.set('a', Buffer.from('3'), 2);
  await store.set('c', Buffer.from('4'), 0);
  await store.set('c', Buffer.alloc(0), 0);
  await store.close();
  expect(await contents()).toEqual({ a: '3', 'b/ü': '2' });
});

test('a record that a crash cut off is no record, wherever it was cut; what follows is kept', async () => {
  const store = await open();
  await store.set('a', Buffer.from('whole'), 1);
  const whole = statSync(path).size;
  await store.set('b', Buffer.from('cut off'), 1);
  await store.close();
  const bytes = readFileSync(path);
  for (let size = whole; size < bytes.length; size++) {
    truncateSync(path, 0);
    appendFileSync(path, bytes.subarray(0, size));
    expect(await contents()).toEqual({ a: 'whole' });
    expect(statSync(path).size).toBe(whole);
  }
  const flipped = Buffer.from(bytes);
  flipped[bytes.length - 1] = (flipped[bytes.length - 1] as number) ^ 1;
  truncateSync(path, 0);
  appendFileSync(path, flipped);
  const again = await open();
  await again.set('c', Buffer.from('after'), 1);
  await again.close();
  expect(await contents()).toEqual({ a: 'whole', c: 'after' });
});

test('history is thrown away when it is most of the file', async () => {
  const store = await open();
  await store.set('kept', Buffer.from('k'), 1);
  const big = Buffer.alloc(1024 * 1024, 'x');
  for (let n = 0; n < 8; n++) await store.set('big', big, 1);
  expect(statSync(path).size).toBeLessThan(6 * 1024 * 1024);
  await store.close();
  const found = await contents();
  expect([Object.keys(found).sort(), found['big']?.length]).toEqual([['big', 'kept'], big.length]);
});
