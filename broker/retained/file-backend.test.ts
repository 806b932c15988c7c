import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import { FileBackend } from './file-backend.ts';
import { RetainedStore } from './retained-store.ts';

const TSX = fileURLToPath(new URL('../../node_modules/tsx/dist/loader.mjs', import.meta.url));
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

test('when history cannot be thrown away a write is done all the same; it is told, and tried again later', async () => {
  const told: unknown[] = [];
  const store = new RetainedStore(
    limits,
    new FileBackend(path, { error: (about: unknown) => void told.push(about) }),
  );
  await store.load();
  // A folder is where the new file would be written.
  mkdirSync(`${path}.next`);
  const big = Buffer.alloc(1024 * 1024, 'x');
  for (let n = 0; n < 7; n++) await store.set('big', big, 1);
  expect(statSync(path).size).toBeGreaterThan(7 * big.length);
  expect(told).toEqual([{ reason: expect.stringContaining('EISDIR') }]);
  rmdirSync(`${path}.next`);
  await store.set('big', big, 1);
  expect(statSync(path).size).toBeLessThan(2 * big.length);
  await store.set('after', Buffer.from('a'), 1);
  await store.close();
  expect(Object.keys(await contents()).sort()).toEqual(['after', 'big']);
});

test('the changes of one write are all there or none is, wherever a crash cut it off', async () => {
  const store = await open();
  await Promise.all([store.set('a', Buffer.from('1'), 1), store.set('gone', Buffer.from('x'), 1)]);
  const whole = statSync(path).size;
  const [before, after] = [
    { a: '1', gone: 'x' },
    { a: '2', b: '3', c: '4' },
  ];
  // One group write of four changes, of which one removes.
  await Promise.all([
    store.set('a', Buffer.from('2'), 1),
    store.set('gone', Buffer.alloc(0), 0),
    store.set('b', Buffer.from('3'), 2),
    store.set('c', Buffer.from('4'), 0),
  ]);
  await store.close();
  const bytes = readFileSync(path);
  for (let size = whole; size < bytes.length; size++) {
    writeFileSync(path, bytes.subarray(0, size));
    expect([size, await contents()]).toEqual([size, before]);
    expect(statSync(path).size).toBe(whole);
  }
  // Blocks need not reach the disk in their order: one that is missing anywhere is a crash too.
  for (let at = whole; at < bytes.length; at++) {
    const holed = Buffer.from(bytes);
    holed[at] = (holed[at] as number) ^ 0xff;
    writeFileSync(path, holed);
    expect([at, await contents()]).toEqual([at, before]);
  }
  writeFileSync(path, bytes);
  expect(await contents()).toEqual(after);
  // What follows a write that was cut off is a write of its own.
  writeFileSync(path, bytes.subarray(0, bytes.length - 1));
  const again = await open();
  await again.set('d', Buffer.from('5'), 1);
  await again.close();
  expect(await contents()).toEqual({ ...before, d: '5' });
});

test('a file of a version before, in which every record stands for itself, is read', async () => {
  const record = (kind: number, topic: string, payload: string): Buffer => {
    const body = Buffer.concat([Buffer.from([kind, topic.length, 0]), Buffer.from(topic + payload)]);
    const header = Buffer.alloc(8);
    header.writeUInt32LE(body.length, 0);
    header.writeUInt32LE(crc32(body), 4);
    return Buffer.concat([header, body]);
  };
  const old = [record(1, 'a', '1'), record(2, 'b', '2'), record(0xff, 'a', ''), record(0, 'c', '3')];
  await (await open()).close();
  writeFileSync(path, Buffer.concat(old));
  expect(await contents()).toEqual({ b: '2', c: '3' });
});

test('what is written after a write for which the disk had no room is read again', () => {
  const backend = new URL('./file-backend.ts', import.meta.url).pathname;
  // A process that may make no file of more than 8 blocks: the second write ends in its middle.
  const script = `
    import { FileBackend } from ${JSON.stringify(backend)};
    const backend = new FileBackend(${JSON.stringify(path)});
    for await (const _ of backend.load());
    const write = (topic, bytes) =>
      backend.write([{ topic, payload: Buffer.alloc(bytes, topic), qos: 1 }]).then(() => 'written', ({ code }) => code);
    console.log(await write('a', 2_000), await write('b', 10_000), await write('c', 1_000));
  `;
  const { stdout, stderr } = spawnSync(
    'sh',
    [
      '-c',
      'ulimit -f 8 && exec "$@"',
      'sh',
      process.execPath,
      '--import',
      TSX,
      '--input-type=module',
      '-e',
      script,
    ],
    { encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } },
  );
  expect([stdout.trim(), stderr]).toEqual(['written EFBIG written', '']);
  return expect(contents()).resolves.toEqual({ a: 'a'.repeat(2_000), c: 'c'.repeat(1_000) });
});
