/**
 * The product on a machine whose clock leaps: libfaketime gives it a different time than its Postgres and the printers.
 */
import { spawnSync } from 'node:child_process';
import { rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { printerTopic } from '../../schemas/topics.ts';
import { temporaryFolder } from '../harness/folder.ts';
import { sampleEntries, TestPrinter } from '../harness/printer.ts';
import { type RunningProduct, startProduct } from '../harness/product.ts';

let folder: string;
let data: string;
let product: RunningProduct | undefined;
let password: string;

beforeEach(() => {
  folder = temporaryFolder('platen-leap-');
  data = join(folder, 'data');
});
afterEach(async () => {
  product?.process.kill('SIGKILL');
  product = undefined;
  rmSync(folder, { recursive: true, force: true });
});

/** Environment variables that give a process another time; with a file the time can change while it runs. */
function otherTime(offset: string, file?: string): Record<string, string> {
  const { stdout, status } = spawnSync('faketime', ['-f', '+1d', 'printenv', 'LD_PRELOAD'], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error('faketime is missing: see deploy/packages.json');
  return {
    LD_PRELOAD: stdout.trim(),
    // Timers keep running, as when somebody sets the clock.
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    FAKETIME_NO_CACHE: '1',
    ...(file === undefined ? { FAKETIME: offset } : { FAKETIME_TIMESTAMP_FILE: file }),
  };
}

async function start(env: Record<string, string> = {}): Promise<RunningProduct> {
  product = await startProduct({ data, env });
  return product;
}

async function enroll(running: RunningProduct): Promise<void> {
  const operator = await running.operator();
  password = String((await operator.call('printers.enroll', { printer: 'leap-1' }))['password']);
}

/** Sends entries; resolves when the broker has acknowledged them, which means that they are stored. */
async function send(running: RunningProduct, from: number, to: number): Promise<void> {
  const printer = await TestPrinter.connect(running.mqtt, 'leap-1', password);
  await printer.client.publishAsync(
    printerTopic.errors('leap-1'),
    JSON.stringify({ log: 'L', first: 1, reason: 'event', entries: sampleEntries(from, to) }),
    { qos: 1 },
  );
  await printer.close();
}

async function stored(running: RunningProduct): Promise<number> {
  const operator = await running.operator();
  let count = 0;
  let cursor: string | undefined;
  do {
    const page = (await operator.call('printers.errors', {
      printer: 'leap-1',
      limit: 1_000,
      ...(cursor === undefined ? {} : { cursor }),
    })) as { items: unknown[]; next?: string };
    count += page.items.length;
    cursor = page.next;
  } while (cursor !== undefined);
  return count;
}

async function readiness(running: RunningProduct): Promise<{ status: number; text: string }> {
  const response = await fetch(new URL('readyz', running.http));
  return { status: response.status, text: await response.text() };
}

test('one start two years ahead: everything acknowledged is there, also after the next start', async () => {
  let running = await start();
  await enroll(running);
  for (let first = 1; first < 1_000; first += 100) await send(running, first, first + 99);
  expect(await running.stop()).toBe(0);

  running = await start(otherTime('+2y'));
  expect(await readiness(running)).toEqual({
    status: 200,
    text: expect.stringMatching(/"clock":.*leapt 7\d\d days ahead.*nothing old is dropped/),
  });
  expect(await stored(running)).toBe(1_000);
  await send(running, 1_001, 1_010);
  expect(await running.stop()).toBe(0);

  running = await start();
  expect((await readiness(running)).text).not.toContain('leapt');
  expect(await stored(running)).toBe(1_010);
  expect(await running.stop()).toBe(0);
});

test.each(['+60d', '-2y'])('the clock leaps by %s at run time: entries are taken all along', async (leap) => {
  const file = join(folder, 'time');
  /** libfaketime notices changes by the file's mtime. */
  let written = 0;
  const set = (offset: string) => {
    writeFileSync(file, `${offset}\n`);
    written += 10;
    utimesSync(file, 1_700_000_000 + written, 1_700_000_000 + written);
  };
  set('+0');
  const running = await start(otherTime('', file));
  await enroll(running);
  await send(running, 1, 10);
  set(leap);
  const end = Date.now() + 60_000;
  while (!(await readiness(running)).text.includes('"clock":{"ready":true,"reason"')) {
    if (Date.now() > end) throw new Error('the leap was not noticed');
    await sleep(100);
  }
  await send(running, 11, 20);
  set('+0');
  await send(running, 21, 30);
  expect(await stored(running)).toBe(30);
  expect((await readiness(running)).status).toBe(200);
  expect(await running.stop()).toBe(0);
});
