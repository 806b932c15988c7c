import { type ChildProcess, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { temporaryFolder } from '../harness/folder.ts';
import { type Starting, starting } from '../harness/starting.ts';

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

/**
 * `platen up` on the data folder, as the given user or as the one that runs the tests; resolves when it is ready or has
 * ended.
 */
async function up(user?: { uid: number; gid: number }): Promise<Starting & { isReady: boolean }> {
  const start = starting({ data, user: user && { uid: user.uid, gid: user.gid } });
  running.add(start.process);
  return { ...start, isReady: await start.ready() };
}

/** The owners of everything in the data folder. */
function owners(): number[] {
  const all = [data, ...readdirSync(data, { recursive: true }).map((name) => join(data, String(name)))];
  return [...new Set(all.map((file) => statSync(file).uid))];
}

test('root and the owner of a data folder take turns, and it stays the owner’s', async () => {
  if (!isRoot) {
    // Only root can become another user: a file without permissions stands in for one of another user.
    expect(await (await up()).end('SIGTERM')).toBe(0);
    chmodSync(join(data, 'admin.json'), 0);
    chmodSync(data, 0o500);
    const refused = await up();
    chmodSync(data, 0o700);
    expect(refused.isReady).toBe(false);
    expect(refused.text()).toContain(data);
    return;
  }
  chownSync(folder, ANN.uid, ANN.gid);
  for (const user of [ANN, undefined, ANN, undefined]) {
    const start = await up(user);
    expect([start.isReady, start.text()]).toEqual([true, expect.any(String)]);
    if (!user) expect(start.text()).toContain(`belongs to ${ANN.name}: Platen goes on as that user`);
    expect(await start.end('SIGTERM')).toBe(0);
    expect(owners()).toEqual([ANN.uid]);
  }
  // Files that an earlier version left owned by root are repaired by the next start as root.
  spawnSync('chown', ['-R', 'root:root', join(data, 'postgres', 'cluster'), join(data, 'admin.json')]);
  const refused = await up(ANN);
  expect(refused.isReady).toBe(false);
  expect(refused.text()).toMatch(/start\/owner|cannot be used by daemon: .* belongs to root/);
  expect(refused.text()).toContain(`sudo chown -R ${ANN.name} ${data}`);
  const mended = await up();
  expect(mended.isReady).toBe(true);
  await mended.end('SIGTERM');
  expect(owners()).toEqual([ANN.uid]);
});

test("a copy of root's data with other owners: root mends it, somebody else is told the command", async () => {
  expect(await (await up()).end('SIGTERM')).toBe(0);
  const copy = join(folder, 'copy');
  cpSync(data, copy, { recursive: true });
  data = copy;
  if (isRoot) {
    const refused = await up(ANN);
    expect(refused.isReady).toBe(false);
    expect(refused.text()).not.toMatch(/EACCES/);
    expect(refused.text()).toContain(`sudo chown -R ${ANN.name} ${copy}`);
  }
  const start = await up();
  expect(start.isReady).toBe(true);
  expect(await start.end('SIGTERM')).toBe(0);
});
