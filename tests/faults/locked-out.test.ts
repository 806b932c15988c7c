/** Administrators are never locked out: no request can do it, and the server offers a way back in. */
import { readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import mqtt from 'mqtt';
import { startEmbeddedPostgres } from '../../center/database/embedded-postgres.ts';
import { OperatorClient } from '../../cli/operator-client.ts';
import { eventually } from '../harness/ear.ts';
import { temporaryFolder } from '../harness/folder.ts';
import { platen, type RunningProduct, startProduct } from '../harness/product.ts';

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
let folder: string;
let data: string;
let product: RunningProduct | undefined;

beforeEach(() => {
  folder = temporaryFolder('platen-locked-out-');
  data = join(folder, 'data');
});
afterEach(() => {
  product?.process.kill('SIGKILL');
  product = undefined;
  rmSync(folder, { recursive: true, force: true });
});

async function start(env: Record<string, string> = {}): Promise<RunningProduct> {
  product = await startProduct({ data, env });
  return product;
}

async function end(running: RunningProduct): Promise<void> {
  expect(await running.stop()).toBe(0);
}

const adminFile = () => readFileSync(join(data, 'admin.json'), 'utf8');
const warnings = (running: RunningProduct) =>
  running.log
    .filter(({ level }) => level >= 40)
    .map(({ msg }) => msg)
    .join('\n');

async function mayEnter(running: RunningProduct, username: string, password: string): Promise<boolean> {
  try {
    const client = await mqtt.connectAsync(running.mqtt, { username, password, reconnectPeriod: 0 }, false);
    await client.endAsync();
    return true;
  } catch {
    return false;
  }
}

/** Waits until the operator's requests are refused. */
async function untilRefused(operator: OperatorClient): Promise<void> {
  const answers = () =>
    operator.call('users.list').then(
      () => true,
      () => false,
    );
  await eventually(async () => !(await answers()), 'the operator is refused');
}

test('an account keeps its password and its connection unless a new one is asked for, and that reply arrives', async () => {
  const running = await start();
  const admin = await running.operator();
  const lena = (await admin.call('users.put', { name: 'lena', role: 'admin' })) as { password: string };
  expect(lena.password.length).toBeGreaterThan(11);
  const operator = await OperatorClient.connect({
    url: running.mqtt,
    username: 'lena',
    password: lena.password,
  });
  expect(await operator.call('users.put', { name: 'lena', role: 'admin' })).toEqual({
    name: 'lena',
    role: 'admin',
  });
  // The same connection still answers a while later, and the password is still valid.
  await sleep(1_500);
  await operator.call('users.list');
  expect(await mayEnter(running, 'lena', lena.password)).toBe(true);

  const renewed = (await operator.call('users.put', { name: 'lena', role: 'admin', newPassword: true })) as {
    password: string;
  };
  await untilRefused(operator);
  expect(await mayEnter(running, 'lena', lena.password)).toBe(false);
  expect(await mayEnter(running, 'lena', renewed.password)).toBe(true);
  // A change of role does not change the password.
  expect(await admin.call('users.put', { name: 'lena', role: 'viewer' })).toEqual({
    name: 'lena',
    role: 'viewer',
  });
  expect(await mayEnter(running, 'lena', renewed.password)).toBe(true);
  await operator.close();
  await end(running);
});

test('the last administrator cannot be lost, not by two who demote each other either', async () => {
  const running = await start();
  const admin = await running.operator();
  const alone = await admin.request('users.put', { name: 'admin', role: 'viewer' });
  expect(alone.error).toMatchObject({
    code: 'request/conflict',
    message: expect.stringContaining('last administrator'),
  });
  const { password } = (await admin.call('users.put', { name: 'lena', role: 'admin' })) as {
    password: string;
  };
  const lena = await OperatorClient.connect({ url: running.mqtt, username: 'lena', password });
  // The slower one loses its connection, or is refused because no other administrator is left.
  await Promise.allSettled([
    admin.request('users.put', { name: 'lena', role: 'viewer' }),
    lena.request('users.remove', { name: 'admin' }),
  ]);
  await lena.close();
  const left: unknown[] = [];
  for (const who of [running.admin, { username: 'lena', password }]) {
    if (!(await mayEnter(running, who.username, who.password))) continue;
    const operator = await OperatorClient.connect({ url: running.mqtt, ...who });
    // The broker refuses a demoted administrator's request and ends the connection.
    const reply = await operator.request('users.list').catch((error: unknown) => {
      expect(String(error)).toContain('needs the role admin');
      return undefined;
    });
    await operator.close();
    if (reply?.status === 'ok') left.push(...(reply.data as { items: { role: string }[] }).items);
  }
  expect(left.filter((user) => (user as { role: string }).role === 'admin')).toHaveLength(1);
  await end(running);
});

test('one start on another database and back leaves everybody their own password', async () => {
  const server = await startEmbeddedPostgres(join(folder, 'server'), silent);
  try {
    let running = await start();
    const own = adminFile();
    await end(running);
    running = await start({ PLATEN_DATABASE_URL: server.url });
    const others = adminFile();
    expect(others).not.toBe(own);
    await (await running.operator()).call('users.list');
    await end(running);
    for (const [env, expected] of [
      [{}, own],
      [{ PLATEN_DATABASE_URL: server.url }, others],
      [{}, own],
    ] as const) {
      running = await start(env as Record<string, string>);
      expect(adminFile()).toBe(expected);
      await (await running.operator()).call('users.list');
      await end(running);
    }
  } finally {
    await server.stop();
  }
});

test('platen admin reset gives a way back in, beside a running Platen and without one', async () => {
  let running = await start();
  const before = JSON.parse(adminFile()) as { password: string };
  const admin = await running.operator();
  const reset = await platen(['admin', 'reset'], { env: { PLATEN_DATA: data } });
  expect(reset).toMatchObject({ code: 0, stdout: expect.stringContaining(join(data, 'admin.json')) });
  const after = JSON.parse(adminFile()) as { password: string };
  expect(after.password).not.toBe(before.password);
  // The old password no longer works and its connection is closed; the new one works.
  await untilRefused(admin);
  expect(await mayEnter(running, 'admin', before.password)).toBe(false);
  expect(await mayEnter(running, 'admin', after.password)).toBe(true);
  await end(running);

  // A damaged file without a running product: the start reports it, and the reset repairs it.
  truncateSync(join(data, 'admin.json'), 0);
  const failed = startProduct({ data });
  // The harness fails to read the file; the product itself starts.
  await expect(failed).rejects.toThrow(/admin\.json/);
  const [holder] = readdirSync(data).includes('running.json')
    ? [(JSON.parse(readFileSync(join(data, 'running.json'), 'utf8')) as { pid: number }).pid]
    : [];
  if (holder !== undefined) process.kill(holder, 'SIGTERM');
  while (readdirSync(data).includes('running.json')) await sleep(50);
  expect(await platen(['admin', 'reset'], { env: { PLATEN_DATA: data } })).toMatchObject({ code: 0 });
  running = await start();
  await (await running.operator()).call('users.list');
  expect(warnings(running)).not.toContain('admin.json');
  await end(running);
});

test('a password that was changed since is said at the next start, and nothing is changed for it', async () => {
  let running = await start();
  await (await running.operator()).call('users.put', {
    name: 'admin',
    role: 'admin',
    password: 'chosen by hand',
  });
  await running.kill();
  await expect(
    startProduct({ data }).then((next) => {
      running = next;
      product = next;
    }),
  ).resolves.toBeUndefined();
  expect(warnings(running)).toMatch(/does not hold the current password of admin.*platen admin reset/);
  expect(await mayEnter(running, 'admin', 'chosen by hand')).toBe(true);
  await end(running);
});
