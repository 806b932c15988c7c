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
  const holed = Buffer.from(bytes);
  holed[bytes.length - 1] = (holed[bytes.length - 1] as number) ^ 0xff;
  truncateSync(path, 0);
  appendFileSync(path, holed);
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
  // A folder blocks the path of the new file.
  mkdirSync(`${path}.next`);
  const big = Buffer.alloc(1024 * 1024, 'x');
  for (let n = 0; n < 7; n++) await store.set('big', big, 1);
  expect(statSync(path).size).toBeGreaterThan(7 * big.length);
  expect(told).toEqual([{ reason: expect.stringContaining('folder') }]);
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
  // One group write of four changes, one of them a removal.
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
  // Blocks may reach the disk in any order, so a crash can also leave out one in the middle.
  for (let at = whole; at < bytes.length; at++) {
    const holed = Buffer.from(bytes);
    holed[at] = (holed[at] as number) ^ 0xff;
    writeFileSync(path, holed);
    expect([at, await contents()]).toEqual([at, before]);
  }
  writeFileSync(path, bytes);
  expect(await contents()).toEqual(after);
  // A separate write follows the one that was cut off.
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
  // The process may create no file over 8 blocks: the second write ends in the middle.
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

describe('rot', () => {
  const told: { repaired: number; lost: number; copy: string }[] = [];
  const log = { error: (about: unknown) => void told.push(about as (typeof told)[number]) };
  let bytes: Buffer;
  /** Where each write begins: a; b and c in one; d removed and e; f. */
  let starts: number[];

  beforeEach(async () => {
    told.length = 0;
    starts = [];
    const store = await open();
    const write = async (...changes: [string, string][]) => {
      starts.push(statSync(path).size);
      await Promise.all(changes.map(([topic, payload]) => store.set(topic, Buffer.from(payload), 1)));
    };
    await write(['a', 'first'], ['d', 'for now']);
    await write(['b', 'second'], ['c', 'of the same write']);
    await write(['d', ''], ['e', 'x'.repeat(3_000)]);
    await write(['f', 'last but one']);
    await write(['g', 'last']);
    await store.close();
    bytes = readFileSync(path);
  });

  const all = {
    a: 'first',
    b: 'second',
    c: 'of the same write',
    e: 'x'.repeat(3_000),
    f: 'last but one',
    g: 'last',
  };

  /** Reads the file and checks that every reported record is correct. */
  async function readAfter(rotten: Buffer): Promise<Record<string, string>> {
    told.length = 0;
    writeFileSync(path, rotten);
    const backend = new FileBackend(path, log);
    const found: Record<string, string> = {};
    for await (const { topic, payload } of backend.load()) found[topic] = String(payload);
    await backend.write([{ topic: 'new', payload: Buffer.from('after'), qos: 1 }]);
    await backend.close();
    for (const { copy } of told) {
      expect(readFileSync(copy).equals(rotten)).toBe(true);
      rmSync(copy);
    }
    // The file is whole again, and accepts new writes.
    const before = told.length;
    expect(await contents()).toEqual({ ...found, new: 'after' });
    expect(told.length).toBe(before);
    return found;
  }

  test('a single flipped bit is put right wherever it is, told, and a copy is set aside', async () => {
    // Within the longest payload every position behaves the same.
    const [, , third = 0] = starts;
    const alike = (bit: number) => bit > (third + 100) * 8 && bit < (third + 2_900) * 8;
    for (let bit = 0; bit < bytes.length * 8; bit += alike(bit) ? 61 : 7) {
      const rotten = Buffer.from(bytes);
      rotten[bit >> 3] = (rotten[bit >> 3] as number) ^ (1 << (bit & 7));
      expect([bit, await readAfter(rotten)]).toEqual([bit, all]);
      expect([bit, told]).toEqual([bit, [expect.objectContaining({ repaired: 1, lost: 0, lostBytes: 0 })]]);
    }
  }, 120_000);

  test('where more is damaged only that record is lost: what stands before and after it is kept', async () => {
    const [, second = 0, third = 0] = starts;
    const rotten = Buffer.from(bytes);
    // In the payload of c, the last record of its write.
    rotten.fill(0xa5, third - 6, third - 2);
    const { c, ...others } = all;
    expect(c).toBeDefined();
    expect(await readAfter(rotten)).toEqual(others);
    expect(told).toMatchObject([{ lost: 1, repaired: 0 }]);
    // A whole header, of a write followed by others: b.
    const headless = Buffer.from(bytes);
    headless.fill(0xa5, second, second + 8);
    const { b, ...withoutB } = all;
    expect(b).toBeDefined();
    expect(await readAfter(headless)).toEqual(withoutB);
    // A block in the middle of the longest payload.
    const holed = Buffer.from(bytes);
    holed.fill(0, third + 100, third + 600);
    const { e, ...withoutE } = all;
    expect(e).toBeDefined();
    expect(await readAfter(holed)).toEqual(withoutE);
  });

  test('what a crash cut off is nothing to tell; a last write that is damaged is told, and does not count', async () => {
    const last = starts.at(-1) as number;
    const { g, ...others } = all;
    expect(g).toBeDefined();
    expect(await readAfter(bytes.subarray(0, last + 10))).toEqual(others);
    expect(told).toEqual([]);
    expect(await readAfter(Buffer.concat([bytes.subarray(0, last), Buffer.alloc(5_000)]))).toEqual(others);
    expect(told).toEqual([]);
    const damaged = Buffer.from(bytes);
    damaged.fill(0xa5, bytes.length - 3);
    expect(await readAfter(damaged)).toEqual(others);
    expect(told).toMatchObject([{ lost: 1 }]);
  });

  test('what looks like records in the payload of a write that was cut off is not taken for any', async () => {
    const record = (topic: string) => {
      const body = Buffer.concat([Buffer.from([1, topic.length, 0]), Buffer.from(`${topic}forged`)]);
      const header = Buffer.alloc(8);
      header.writeUInt32LE(body.length, 0);
      header.writeUInt32LE(crc32(body), 4);
      return Buffer.concat([header, body]);
    };
    writeFileSync(path, bytes);
    const store = await open();
    const forged = Buffer.concat(Array.from({ length: 50 }, (_, n) => record(`forged-${n}`)));
    await store.set('h', forged, 1);
    await store.close();
    const whole = readFileSync(path);
    for (const cut of [1, 200, 500]) {
      expect(await readAfter(whole.subarray(0, whole.length - cut))).toEqual(all);
    }
  });

  test('rot that comes while it runs is found when the file is written anew, and told', async () => {
    writeFileSync(path, bytes);
    const backend = new FileBackend(path, log);
    for await (const _ of backend.load());
    const rotten = Buffer.from(bytes);
    rotten.fill(0xa5, (starts[1] as number) + 13, (starts[1] as number) + 17);
    writeFileSync(path, rotten);
    const big = Buffer.alloc(1024 * 1024, 'x');
    for (let n = 0; n < 9; n++) await backend.write([{ topic: 'big', payload: big, qos: 1 }]);
    expect(told).toMatchObject([{ lost: 1 }]);
    expect(backend.damage).toMatchObject({ lost: 1, repaired: 0 });
    await backend.close();
    expect(Object.keys(await contents()).sort()).toEqual(['a', 'big', 'c', 'e', 'f', 'g']);
  });
});
