/** The log memory on disk: it survives its process and a power loss, and never assigns a number twice. */
import { spawn } from 'node:child_process';
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { seededRandom } from '../base/random.ts';
import { WITH_TYPES } from '../tests/harness/run/with-types.ts';
import { DiskLog } from './disk-log.ts';

const NOW = Date.parse('2026-11-22T07:00:00Z');
const silent = pino({ level: 'silent' });
/** Each kill starts a process, which takes most of the time; `npm run test:long` kills more often. */
const KILLS = process.env['PLATEN_TEST_LONG'] ? 40 : 8;
let folder: string;
let opened: DiskLog[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'platen-log-'));
});
afterEach(async () => {
  for (const log of opened) await log.close();
  opened = [];
  rmSync(folder, { recursive: true, force: true });
});

function open(limits: { entriesMax?: number; bytesMax?: number } = {}): DiskLog {
  const log = new DiskLog({ folder, log: silent, ...limits });
  opened.push(log);
  return log;
}

function fill(log: DiskLog, count: number): void {
  for (let n = 0; n < count; n++) {
    log.append({ at: new Date(NOW).toISOString(), code: `C-${log.last + 1}`, severity: 'error' }, NOW);
  }
}

const codes = (log: DiskLog) =>
  log
    .read(1, 1_000_000, Number.POSITIVE_INFINITY)
    .map(({ text }) => (JSON.parse(text) as { code: string }).code);
const expected = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `C-${from + index}`);
const segments = () =>
  readdirSync(folder)
    .filter((name) => name.startsWith('segment-'))
    .sort();

test('is durable only after the sync, and tells when it is', async () => {
  const log = open();
  let told = 0;
  log.onDurable(() => {
    told = log.durable;
  });
  fill(log, 3);
  expect([log.last, log.durable]).toEqual([3, 0]);
  await log.sync();
  expect([log.durable, told]).toEqual([3, 3]);
});

test('goes on after a restart: same id, same entries, same cursor, next number', async () => {
  const log = open();
  fill(log, 5);
  await log.sync();
  log.acknowledge(2);
  await log.close();
  const again = open();
  expect(again.id).toBe(log.id);
  expect(codes(again)).toEqual(expected(1, 5));
  expect(again.acknowledged).toBe(2);
  fill(again, 1);
  await again.sync();
  expect(again.last).toBe(6);
});

test('is bounded on disk too, and tells through first and lost what gave way', async () => {
  const log = open({ entriesMax: 20 });
  for (let round = 0; round < 10; round++) {
    fill(log, 13);
    await log.sync();
  }
  expect([log.first, log.last, log.lost]).toEqual([111, 130, 110]);
  expect(segments().length).toBeLessThanOrEqual(5);
  await log.close();
  const again = open({ entriesMax: 20 });
  expect([again.first, again.last, again.lost]).toEqual([111, 130, 110]);
});

test('a power loss takes at most what was not durable, wherever it strikes', async () => {
  const log = open({ entriesMax: 40 });
  for (let round = 0; round < 5; round++) {
    fill(log, 7);
    await log.sync();
  }
  const { id } = log;
  await log.close();
  const files = segments().map((name) => ({ name, bytes: readFileSync(join(folder, name)) }));
  expect(files.length).toBeGreaterThan(1);
  const newest = files[files.length - 1] as (typeof files)[0];
  for (let size = newest.bytes.length - 1; size >= 0; size -= 7) {
    for (const name of segments()) rmSync(join(folder, name));
    for (const { name, bytes } of files) writeFileSync(join(folder, name), bytes);
    truncateSync(join(folder, newest.name), size);
    const again = open({ entriesMax: 40 });
    expect(again.id).toBe(id);
    expect(codes(again)).toEqual(expected(1, again.last));
    expect(again.last).toBeGreaterThanOrEqual(28);
    fill(again, 1);
    await again.sync();
    expect(codes(again)).toEqual(expected(1, again.last));
    await again.close();
  }
});

test('a half-written line at the end is cut off and the next entry follows cleanly', async () => {
  const log = open();
  fill(log, 2);
  await log.close();
  appendFileSync(join(folder, segments()[0] ?? ''), '0badcafe {"seq":3,"co');
  const again = open();
  expect(again.last).toBe(2);
  fill(again, 1);
  await again.close();
  expect(codes(open())).toEqual(expected(1, 3));
});

test('a damaged file, or one that lacks what the center has, begins a new log instead of numbering twice', async () => {
  const log = open();
  fill(log, 9);
  await log.sync();
  log.acknowledge(9);
  await log.close();
  const file = join(folder, segments()[0] ?? '');
  const bytes = readFileSync(file);
  truncateSync(file, bytes.length - 10);
  const again = open();
  expect(again.id).not.toBe(log.id);
  expect([again.first, again.last, again.acknowledged]).toEqual([1, 0, 0]);
});

test('one flipped bit anywhere: what the center lacks and can be read is sent under a new log, and the files are kept', async () => {
  const log = open({ entriesMax: 40 });
  for (let round = 0; round < 4; round++) {
    fill(log, 9);
    await log.sync();
  }
  log.acknowledge(10);
  const { id } = log;
  const before = codes(log).slice(10);
  await log.close();
  const files = segments().map((name) => ({ name, bytes: readFileSync(join(folder, name)) }));
  const checkpoint = readFileSync(join(folder, 'checkpoint.json'));
  const random = seededRandom(7);
  for (let round = 0; round < 30; round++) {
    for (const name of readdirSync(folder)) rmSync(join(folder, name));
    writeFileSync(join(folder, 'checkpoint.json'), checkpoint);
    const chosen = Math.floor(random() * files.length);
    for (const [at, { name, bytes }] of files.entries()) {
      const copy = Buffer.from(bytes);
      // Not in the last line, which a power loss could have torn too.
      const end = copy.lastIndexOf(0x0a, copy.length - 2);
      const place = Math.floor(random() * end);
      if (at === chosen) copy[place] = (copy[place] ?? 0) ^ 1;
      writeFileSync(join(folder, name), copy);
    }
    const said: string[] = [];
    const again = new DiskLog({
      folder,
      entriesMax: 40,
      log: pino({}, { write: (line: string) => said.push(line) }),
    });
    opened.push(again);
    expect(again.id).not.toBe(id);
    expect(again.acknowledged).toBe(0);
    // At most the entry with the flipped bit is lost (or two, if their lines were joined).
    const saved = codes(again);
    expect(saved.filter((code) => !before.includes(code))).toEqual([]);
    expect(saved.length).toBeGreaterThanOrEqual(before.length - 2);
    expect(said.join('')).toMatch(/damaged.*segment-/);
    await again.close();
    expect(readdirSync(folder).filter((name) => name.endsWith('.damaged'))).toHaveLength(files.length);
    expect(codes(new DiskLog({ folder, entriesMax: 40, log: silent }))).toEqual(saved);
  }
});

test('a disk that takes nothing more: goes on in memory under a new log, nothing of it unsent', async () => {
  const log = open({ entriesMax: 8 });
  fill(log, 2);
  await log.sync();
  const before = log.id;
  // The next segment can't be created: a folder has its name.
  rmSync(folder, { recursive: true });
  writeFileSync(folder, 'no folder any more');
  fill(log, 3);
  await log.sync();
  expect(log.id).not.toBe(before);
  expect(codes(log)).toEqual(expected(1, 5));
  expect(log.durable).toBe(5);
  fill(log, 1);
  expect(log.durable).toBe(6);
});

test('kill -9 while it writes, again and again: what was told durable is there, in order, under the same id', async () => {
  const seed = 20261122;
  const random = seededRandom(seed);
  let [durable, id] = [0, ''];
  for (let round = 0; round < KILLS; round++) {
    const told = await writeUntilKilled(random() * 60);
    durable = Math.max(durable, told);
    const log = open({ entriesMax: 500 });
    if (id !== '') expect(log.id).toBe(id);
    id = log.id;
    expect(log.last).toBeGreaterThanOrEqual(durable);
    expect(codes(log)).toEqual(expected(log.first, log.last));
    durable = log.last;
    await log.close();
  }
  expect(durable).toBeGreaterThan(KILLS * 10);
});

/**
 * Starts a process that writes as fast as it can, kills it after a while, and returns the last number it reported as
 * durable.
 */
async function writeUntilKilled(ms: number): Promise<number> {
  const program = `
    import { writeSync } from 'node:fs';
    import { pino } from 'pino';
    import { DiskLog } from './agent/disk-log.ts';
    const log = new DiskLog({ folder: ${JSON.stringify(folder)}, entriesMax: 500, log: pino({ level: 'silent' }) });
    log.onDurable(() => writeSync(1, log.durable + '\\n'));
    for (;;) {
      for (let n = 0; n < 7; n++) log.append({ at: '2026-11-22T07:00:00Z', code: 'C-' + (log.last + 1), severity: 'error' }, 0);
      await new Promise((resolve) => setImmediate(resolve));
    }`;
  const child = spawn(process.execPath, [...WITH_TYPES, '--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  const first = new Promise<void>((resolve) => child.stdout.once('data', () => resolve()));
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await Promise.race([first, exited]);
  await new Promise((resolve) => setTimeout(resolve, ms));
  child.kill('SIGKILL');
  await exited;
  const lines = text.split('\n').slice(0, -1);
  return Number(lines.at(-1) ?? 0);
}
