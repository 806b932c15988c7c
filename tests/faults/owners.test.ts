import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { temporaryFolder } from '../harness/folder.ts';
import { WITH_TYPES } from '../harness/run/with-types.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** A user that every Debian has and that owns nothing. */
const ANN = { uid: 1, gid: 1, name: 'daemon' };
const isRoot = process.getuid?.() === 0;

let folder: string;
let data: string;
const running = new Set<ChildProcess>();
beforeEach(() => {
  folder = temporaryFolder('platen-owners-');
  data = join(folder, 'data');
});
afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

interface Start {
  /** Its lines until it was ready or ended. */
  text: string;
  ready: boolean;
  stop(): Promise<number | null>;
}

/** `platen up` on the data, as root (or whoever runs the tests) or as somebody else. */
async function up(user?: { uid: number; gid: number }): Promise<Start> {
  const child = spawn(process.execPath, [...WITH_TYPES, join(ROOT, 'cli/platen.ts'), 'up', '--log', 'json'], {
    ...(user ? { uid: user.uid, gid: user.gid } : {}),
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      PLATEN_DATA: data,
      PLATEN_MQTT_PORT: '0',
      PLATEN_HTTP_PORT: '0',
      PLATEN_DEMO: '0',
    },
  });
  running.add(child);
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const start: Start = {
    text: '',
    ready: false,
    stop: async () => {
      child.kill('SIGTERM');
      const code = await ended;
      running.delete(child);
      return code;
    },
  };
  child.stderr.on('data', (chunk: Buffer) => {
    start.text += chunk.toString();
  });
  await new Promise<void>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      start.text += `${line}\n`;
      if (line.includes('"msg":"ready"')) {
        start.ready = true;
        resolve();
      }
    });
    void ended.then(() => resolve());
  });
  return start;
}

/** The owners of everything in the data folder. */
function owners(): number[] {
  const all = [data, ...readdirSync(data, { recursive: true }).map((name) => join(data, String(name)))];
  return [...new Set(all.map((file) => statSync(file).uid))];
}

test('root and the owner of a data folder take turns, and it stays the owner’s', async () => {
  if (!isRoot) {
    // Without root nobody can become somebody else: a closed file stands for one of another user.
    expect(await (await up()).stop()).toBe(0);
    chmodSync(join(data, 'admin.json'), 0);
    chmodSync(data, 0o500);
    const refused = await up();
    chmodSync(data, 0o700);
    expect(refused.ready).toBe(false);
    expect(refused.text).toContain(data);
    return;
  }
  chownSync(folder, ANN.uid, ANN.gid);
  for (const user of [ANN, undefined, ANN, undefined]) {
    const start = await up(user);
    expect(start).toMatchObject({ ready: true });
    if (!user) expect(start.text).toContain(`belongs to ${ANN.name}: Platen goes on as that user`);
    expect(await start.stop()).toBe(0);
    expect(owners()).toEqual([ANN.uid]);
  }
  // What an earlier version started by root left behind is mended by the next start of root.
  spawnSync('chown', ['-R', 'root:root', join(data, 'postgres', 'cluster'), join(data, 'admin.json')]);
  const refused = await up(ANN);
  expect(refused.ready).toBe(false);
  expect(refused.text).toMatch(/start\/owner|cannot be used by daemon: .* belongs to root/);
  expect(refused.text).toContain(`sudo chown -R ${ANN.name} ${data}`);
  const mended = await up();
  expect(mended.ready).toBe(true);
  await mended.stop();
  expect(owners()).toEqual([ANN.uid]);
}, 300_000);

test("a copy of root's data with other owners: root mends it, somebody else is told the command", async () => {
  expect(await (await up()).stop()).toBe(0);
  const copy = join(folder, 'copy');
  cpSync(data, copy, { recursive: true });
  data = copy;
  if (isRoot) {
    const refused = await up(ANN);
    expect(refused.ready).toBe(false);
    expect(refused.text).not.toMatch(/EACCES/);
    expect(refused.text).toContain(`sudo chown -R ${ANN.name} ${copy}`);
  }
  const start = await up();
  expect(start.ready).toBe(true);
  expect(await start.stop()).toBe(0);
}, 300_000);
