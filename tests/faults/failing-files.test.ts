/**
 * Files on a device whose fsync and rename fail: nothing is reported durable that is not, and nothing durable is lost.
 */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../harness/folder.ts';
import { WITH_TYPES } from '../harness/run/with-types.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SHIM = new URL('../harness/failing-files.mjs', import.meta.url).href;
let folder: string;

beforeEach(() => {
  folder = temporaryFolder('platen-failing-');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a program of ours that can make file calls fail; parses its output as JSON. */
function run(program: string): Promise<unknown> {
  const child = spawn(
    process.execPath,
    ['--import', SHIM, ...WITH_TYPES, '--input-type=module', '-e', program],
    {
      cwd: ROOT,
      env: { ...process.env, NODE_OPTIONS: '', FOLDER: folder },
    },
  );
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  return new Promise((resolve, reject) => {
    child.once('close', (code) => {
      if (code === 0) resolve(JSON.parse(stdout));
      else reject(new Error(`the program ended with ${code}: ${stderr}`));
    });
  });
}

const BROKER_FILE = `
  import { FileBackend } from './broker/retained/file-backend.ts';
  const told = [];
  const open = async () => {
    const backend = new FileBackend(process.env.FOLDER + '/retained.log', { error: (about) => told.push(about) });
    const found = {};
    for await (const { topic, payload } of backend.load()) found[topic] = payload.length;
    return { backend, found };
  };
  let { backend } = await open();
  const write = (topic, bytes) =>
    backend.write([{ topic, payload: Buffer.alloc(bytes, topic), qos: 1 }]).then(() => 'durable', ({ code }) => code);
`;

test("the broker's file: what fsync refused was never durable, what follows is, and all that was told is there", async () => {
  const found = await run(`${BROKER_FILE}
    const said = [await write('a', 1_000)];
    failing.fsync = true;
    said.push(await write('b', 5_000), await write('a', 2_000));
    failing.fsync = false;
    said.push(await write('c', 10));
    await backend.close();
    console.log(JSON.stringify({ said, found: (await open()).found, told }));`);
  expect(found).toEqual({ said: ['durable', 'EIO', 'EIO', 'durable'], found: { a: 1_000, c: 10 }, told: [] });
});

test("the broker's file: when it cannot be renamed it grows, says so, and loses nothing", async () => {
  const found = await run(`${BROKER_FILE}
    const MIB = 1024 * 1024;
    const said = [await write('kept', 10)];
    failing.rename = true;
    for (let n = 0; n < 7; n += 1) said.push(await write('big', MIB));
    failing.rename = false;
    await backend.close();
    console.log(JSON.stringify({ said: [...new Set(said)], found: (await open()).found, told: told.length }));`);
  expect(found).toEqual({ said: ['durable'], found: { kept: 10, big: 1024 * 1024 }, told: 1 });
  expect(readdirSync(folder)).toEqual(['retained.log']);
});

test("the agent's log: with a device that syncs nothing it goes on in memory under a new log, nothing of it unsent", async () => {
  const found = (await run(`
    import { pino } from 'pino';
    import { DiskLog } from './agent/disk-log.ts';
    const log = new DiskLog({ folder: process.env.FOLDER + '/log', entriesMax: 100, log: pino({ level: 'silent' }) });
    const fill = (count) => {
      for (let n = 0; n < count; n += 1) log.append({ at: '2026-11-22T07:00:00Z', code: 'C', severity: 'error' }, 0);
    };
    fill(3);
    await log.sync();
    const before = { id: log.id, durable: log.durable };
    failing.fsync = true;
    fill(4);
    await log.sync();
    const after = { id: log.id, last: log.last };
    console.log(JSON.stringify({ before: before.durable, sameId: before.id === after.id, last: after.last }));
    process.exit(0);`)) as { before: number; sameId: boolean; last: number };
  expect(found).toEqual({ before: 3, sameId: false, last: 7 });
});

test.each(['fsync', 'rename'])(
  'a small file whose %s fails is the old one, whole, and nothing else is left',
  async (what) => {
    const found = await run(`
    import { writeWhole, writeWholeSync } from './files/whole-file.ts';
    const file = process.env.FOLDER + '/small.json';
    writeWholeSync(file, '{"old":true}');
    failing.${what} = true;
    const said = [];
    try { writeWholeSync(file, '{"new":1}'); said.push('written'); } catch ({ code }) { said.push(code); }
    said.push(await writeWhole(file, '{"new":2}').then(() => 'written', ({ code }) => code));
    console.log(JSON.stringify(said));`);
    expect(found).toEqual(['EIO', 'EIO']);
    expect(readFileSync(join(folder, 'small.json'), 'utf8')).toBe('{"old":true}');
    expect(readdirSync(folder)).toEqual(['small.json']);
  },
);
