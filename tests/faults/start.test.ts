/** Starts that cannot succeed, or that are watched: what they report, by when, and how they stop. */
import type { ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import mqtt from 'mqtt';
import { printerTopic } from '../../schemas/topics.ts';
import { eventually } from '../harness/ear.ts';
import { temporaryFolder } from '../harness/folder.ts';
import { testRedis } from '../harness/orders.ts';
import { freePort } from '../harness/ports.ts';
import { sampleStructure } from '../harness/printer.ts';
import { platen, type RunningProduct, startProduct as startReady } from '../harness/product.ts';
import { type Starting, starting } from '../harness/starting.ts';

let folder: string;
let data: string;
/** It retries for ten seconds; the last test checks how it ends. */
let redisAbsent: Starting;
let absentFolder: string;
beforeAll(async () => {
  absentFolder = temporaryFolder('platen-start-');
  redisAbsent = starting({
    data: join(absentFolder, 'data'),
    env: { PLATEN_REDIS_URL: `redis://:secret@127.0.0.1:${await freePort()}` },
  });
});
afterAll(async () => {
  redisAbsent.process.kill('SIGKILL');
  await redisAbsent.end();
  rmSync(absentFolder, { recursive: true, force: true });
});
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

/** Like the harness's, but killed when a test fails. */
async function startProduct(options: Parameters<typeof startReady>[0]): Promise<RunningProduct> {
  const product = await startReady(options);
  children.add(product.process);
  return product;
}

/** A start that is not awaited, killed when a test fails. */
function begin(env: Record<string, string> = {}): Starting {
  const start = starting({ data, env });
  children.add(start.process);
  return start;
}

test('with Redis absent a stop is obeyed at once', async () => {
  const stopped = begin({ PLATEN_REDIS_URL: `redis://:secret@127.0.0.1:${await freePort()}` });
  await eventually(() => existsSync(join(data, 'running.json')), 'the data folder is taken');
  // By then it has tried Redis and waits to try again.
  await sleep(500);
  // It exits with another code when stopping takes too long.
  expect(await stopped.end('SIGTERM')).toBe(0);
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
  await eventually(async () => (await readyz()).status === 503, '/readyz says it');
  expect(await (await readyz()).text()).toMatch(
    /"queue":\{"ready":false,"reason":"the Redis at .* is not reachable"/,
  );
  expect(await product.stop()).toBe(0);
});

test('ready means serving: with the first 200 of /readyz, MQTT is there', async () => {
  const [httpPort, mqttPort] = [await freePort(), await freePort()];
  const product = begin({ PLATEN_HTTP_PORT: String(httpPort), PLATEN_MQTT_PORT: String(mqttPort) });
  const seen: string[] = [];
  await eventually(async () => {
    try {
      const response = await fetch(`http://127.0.0.1:${httpPort}/readyz`);
      if (response.status === 200) return true;
      seen.push(await response.text());
    } catch {
      // HTTP doesn't listen yet.
    }
    return false;
  }, '/readyz answers 200');
  await new Promise<void>((resolve, reject) => {
    const socket = connect(mqttPort, '127.0.0.1', () => {
      socket.destroy();
      resolve();
    });
    socket.on('error', reject);
  });
  expect(seen.join('\n')).toMatch(/does not listen/);
  expect(await product.end('SIGTERM')).toBe(0);
});

test('a Ctrl-C at any moment of a first start ends it, without advice, and the next start goes well', async () => {
  const postgres = join(data, 'postgres');
  const inPostgres = () => (existsSync(postgres) ? readdirSync(postgres) : []);
  const halfMade = () => inPostgres().filter((name) => name.startsWith('cluster-being-made'));
  const moments: [string, (first: Starting) => boolean][] = [
    ['it loads', () => true],
    ['it has the folder', () => existsSync(join(data, 'running.json'))],
    ['its database is being made', () => halfMade().length > 0],
    ['its database starts', () => existsSync(join(postgres, 'cluster', 'postmaster.pid'))],
    // The previous start may have made them before it ended: then this one is ready at once.
    ['tables are made', (first) => /migration applied|ready/.test(first.text())],
  ];
  for (const [what, holds] of moments) {
    const first = begin();
    await sleep(100);
    await eventually(() => holds(first), `${what}: ${first.text()}`);
    // A signal before the program has loaded ends Node itself.
    expect([what, [0, null]]).toEqual([what, expect.arrayContaining([await first.end('SIGINT')])]);
    expect([what, first.text()]).toEqual([what, expect.not.stringMatching(/rebuild|npm/)]);
    expect([what, halfMade()]).toEqual([what, []]);
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

test('Redis absent at the start is said in one sentence, and ends it', async () => {
  const [code, text] = [await redisAbsent.end(), redisAbsent.text()];
  expect([code, text]).toEqual([
    1,
    expect.stringMatching(/The Redis at 127\.0\.0\.1:\d+ cannot be used: .*ECONNREFUSED/),
  ]);
  expect(text).toContain('PLATEN_REDIS_URL');
  expect(text).not.toContain('secret');
});
