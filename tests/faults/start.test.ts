/** Starts that can't succeed, or that are watched while they do: what is said, by when, and how they are stopped. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import mqtt from 'mqtt';
import { printerTopic } from '../../schemas/topics.ts';
import { temporaryFolder } from '../harness/folder.ts';
import { freePort, testRedis } from '../harness/orders.ts';
import { sampleStructure } from '../harness/printer.ts';
import { platen, type RunningProduct, startProduct as startReady } from '../harness/product.ts';
import { WITH_TYPES } from '../harness/run/with-types.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

let folder: string;
let data: string;
const children = new Set<ChildProcess>();
beforeEach(() => {
  folder = temporaryFolder('platen-start-');
  data = join(folder, 'data');
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
  rmSync(folder, { recursive: true, force: true });
});

/** As the harness does, and ended also where a test fails. */
async function startProduct(options: Parameters<typeof startReady>[0]): Promise<RunningProduct> {
  const product = await startReady(options);
  children.add(product.process);
  return product;
}

interface Starting {
  process: ChildProcess;
  text(): string;
  /** Its exit code, and how long it took from the call on. */
  end(signal?: NodeJS.Signals): Promise<{ code: number | null; ms: number }>;
}

/** A start that isn't waited for. */
function starting(env: Record<string, string>): Starting {
  const child = spawn(process.execPath, [...WITH_TYPES, join(ROOT, 'cli/platen.ts'), 'up', '--log', 'json'], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      PLATEN_DATA: data,
      PLATEN_MQTT_PORT: '0',
      PLATEN_HTTP_PORT: '0',
      PLATEN_DEMO: '0',
      ...env,
    },
  });
  children.add(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
  }
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return {
    process: child,
    text: () => text,
    end: async (signal) => {
      const from = performance.now();
      if (signal) child.kill(signal);
      return { code: await ended, ms: performance.now() - from };
    },
  };
}

async function until(what: string, holds: () => boolean | Promise<boolean>, ms = 60_000): Promise<void> {
  const end = Date.now() + ms;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`${what}: not within ${ms} ms`);
    await sleep(20);
  }
}

test('Redis absent at the start: said in one sentence within seconds; a stop is obeyed at once', async () => {
  const redis = `redis://:secret@127.0.0.1:${await freePort()}`;
  const failing = starting({ PLATEN_REDIS_URL: redis, PLATEN_DATA: join(folder, 'failing') });
  const failed = failing.end();

  const stopped = starting({ PLATEN_REDIS_URL: redis });
  await until('the data folder is taken', () => existsSync(join(data, 'running.json')));
  // It has tried Redis by then, and waits to try again.
  await sleep(500);
  const end = await stopped.end('SIGTERM');
  expect(end.code).toBe(0);
  expect(end.ms).toBeLessThan(10_000);

  const { code, ms } = await failed;
  expect(code).toBe(1);
  expect(ms).toBeLessThan(60_000);
  expect(failing.text()).toMatch(/The Redis at 127\.0\.0\.1:\d+ cannot be used: .*ECONNREFUSED/);
  expect(failing.text()).toContain('PLATEN_REDIS_URL');
  expect(failing.text()).not.toContain('secret');
});

test('Redis that goes away: not ready, and stopped in time all the same', async () => {
  const redis = await testRedis();
  const product = await startProduct({ data, env: { PLATEN_REDIS_URL: redis.url } });
  const readyz = () => fetch(new URL('readyz', product.http));
  const answer = await readyz();
  expect(answer.status).toBe(200);
  const { parts } = (await answer.json()) as { parts: object };
  expect(Object.keys(parts)).toEqual(
    expect.arrayContaining(['broker', 'center', 'clock', 'database', 'disk', 'queue']),
  );
  await redis.close();
  await until('/readyz says it', async () => (await readyz()).status === 503);
  expect(await (await readyz()).text()).toMatch(
    /"queue":\{"ready":false,"reason":"the Redis at .* is not reachable"/,
  );
  const from = performance.now();
  expect(await product.stop()).toBe(0);
  expect(performance.now() - from).toBeLessThan(9_000);
});

test('ready means serving: with the first 200 of /readyz, MQTT is there', async () => {
  const [httpPort, mqttPort] = [await freePort(), await freePort()];
  const product = starting({ PLATEN_HTTP_PORT: String(httpPort), PLATEN_MQTT_PORT: String(mqttPort) });
  const seen: string[] = [];
  await until('/readyz answers 200', async () => {
    try {
      const response = await fetch(`http://127.0.0.1:${httpPort}/readyz`);
      if (response.status === 200) return true;
      seen.push(await response.text());
    } catch {
      // HTTP doesn't listen yet.
    }
    return false;
  });
  await new Promise<void>((resolve, reject) => {
    const socket = connect(mqttPort, '127.0.0.1', () => {
      socket.destroy();
      resolve();
    });
    socket.on('error', reject);
  });
  expect(seen.join('\n')).toMatch(/does not listen/);
  expect((await product.end('SIGTERM')).code).toBe(0);
});

test('a Ctrl-C at any moment of a first start ends it, without advice, and the next start goes well', async () => {
  for (const wait_ms of [300, 1_000, 2_000, 3_000, 4_000]) {
    const first = starting({});
    await sleep(wait_ms);
    const { code, ms } = await first.end('SIGINT');
    // Before the program has loaded, Node itself ends it.
    expect([0, null]).toContain(code);
    expect(ms).toBeLessThan(9_000);
    expect(first.text()).not.toMatch(/rebuild|npm/);
    const postgres = join(data, 'postgres');
    const left = existsSync(postgres) ? readdirSync(postgres) : [];
    expect(left.filter((name) => name.startsWith('cluster-being-made'))).toEqual([]);
  }
  const product = await startProduct({ data, firstStart: true });
  expect(await product.stop()).toBe(0);
});

test('a second start says where the first one runs', async () => {
  const product = await startProduct({ data });
  const { code, stderr } = await platen(['up'], {
    env: { PLATEN_DATA: data, PLATEN_MQTT_PORT: '0', PLATEN_HTTP_PORT: '0' },
  });
  expect(code).toBe(1);
  expect(stderr).toContain(
    `in use by platen up (process ${product.process.pid}), at ${product.mqtt} ${product.http}`,
  );
  expect(await product.stop()).toBe(0);
});

test('an address that is none of this machine is not taken for a port in use', async () => {
  const { code, stderr } = await platen(['up'], {
    env: { PLATEN_DATA: data, PLATEN_HOST: '203.0.113.9', PLATEN_MQTT_PORT: '0', PLATEN_HTTP_PORT: '0' },
  });
  expect(code).toBe(1);
  expect(stderr).toContain('The address 203.0.113.9 is none of this machine');
  expect(stderr).toMatch(/Set PLATEN_HOST to one of .*127\.0\.0\.1/);
});

test('bound to every address, orders name one that printers can reach, and the start says how to set it', async () => {
  let product = await startProduct({ data, env: { PLATEN_HOST: '0.0.0.0' } });
  const ready = product.log.find(({ msg }) => msg === 'ready');
  expect(String(ready?.['repository'])).toMatch(/^http:\/\/(?!0\.0\.0\.0)[\d.]+:\d+\/repository\/$/);
  expect(product.log.map(({ msg }) => msg).join('\n')).toContain('PLATEN_PUBLIC_URL is missing');
  expect(await product.stop()).toBe(0);
  product = await startProduct({
    data,
    env: { PLATEN_HOST: '0.0.0.0', PLATEN_PUBLIC_URL: 'https://platen.example/printers' },
  });
  expect(product.log.find(({ msg }) => msg === 'ready')).toMatchObject({
    repository: 'https://platen.example/printers/repository/',
  });
  expect(product.log.map(({ msg }) => msg).join('\n')).not.toContain('PLATEN_PUBLIC_URL');
  expect(await product.stop()).toBe(0);
});

test('with open access the center hears what is published', async () => {
  const product = await startProduct({ data, env: { PLATEN_ACCESS: 'open' } });
  const client = await mqtt.connectAsync(product.mqtt, { clientId: 'anybody' });
  const heard = new Promise<string>((resolve) => client.on('message', (topic) => resolve(topic)));
  await client.subscribeAsync(printerTopic.verdict('open-1'), { qos: 1 });
  await client.publishAsync(printerTopic.structure('open-1'), JSON.stringify(sampleStructure()), {
    qos: 1,
    retain: true,
  });
  expect(await heard).toBe(printerTopic.verdict('open-1'));
  await client.endAsync();
  expect(await product.stop()).toBe(0);
});
