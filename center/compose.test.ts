import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { Registry } from 'prom-client';
import { openLocalRepository } from '../releases/local.ts';
import { eventually, silent, type TestStore, testRedis, testStore } from '../tests/harness/orders.ts';
import { StoredAccounts } from './accounts/accounts.ts';
import { Tokens } from './accounts/tokens.ts';
import { createCenter } from './compose.ts';

let opened: TestStore;
let redis: { url: string; close(): Promise<void> };

beforeAll(async () => {
  opened = await testStore();
  redis = await testRedis();
});
afterAll(async () => {
  await redis.close();
  await opened.close();
});

test('a start that fails half-way closes what it opened, even when closing fails', async () => {
  const { store, folder } = opened;
  const stopped: string[] = [];
  const center = await createCenter({
    store,
    link: {
      start: () => Promise.reject(new Error('the broker is away')),
      publish: () => Promise.resolve(),
      stop: () => {
        stopped.push('link');
        return Promise.reject(new Error('the broker is still away'));
      },
    },
    accounts: new StoredAccounts(store.credentials),
    tokens: new Tokens(store.database, Date.now),
    registry: new Registry(),
    repository: await openLocalRepository(join(folder, 'repository'), join(folder, 'keys'), Date.now),
    repositoryUrl: 'http://127.0.0.1/repository/',
    redisUrl: redis.url,
    log: silent,
    now: Date.now,
  });
  await expect(center.start()).rejects.toThrow('the broker is away');
  expect(stopped).toEqual(['link']);
  const client = new Redis(redis.url);
  const connections = async () =>
    String(await client.client('LIST'))
      .trim()
      .split('\n').length;
  // The queue and its worker have connections of their own; the remaining one is ours.
  await eventually(async () => ((await connections()) === 1 ? true : undefined));
  client.disconnect();
  await center.stop();
  expect(stopped).toEqual(['link']);
});
