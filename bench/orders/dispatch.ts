/** Orders dispatched per second, against bare BullMQ on the same backend. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { createPostgresBackend, Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { openStore, type Store } from '../../center/database/store.ts';
import { JOBS_CONCURRENT_MAX } from '../../center/update/limits.ts';
import type { NewExecution } from '../../center/update/orders/execution-store.ts';
import { OrderService } from '../../center/update/orders/order-service.ts';
import { openRepository } from '../../releases/repository.ts';
import { testRedis } from '../../tests/harness/orders.ts';

const silent = pino({ level: 'silent' });
/** Jobs added in one call, as a campaign does it. */
const BULK = 500;

export interface Dispatched {
  /** Orders per second, by round. */
  platen: number[];
  /** Jobs per second, by round. */
  bare: number[];
}

/** Empty jobs, added in bulk and processed by one worker. */
async function bareRound(
  connection: { postgres: string } | { redis: string },
  jobs: number,
): Promise<number> {
  const clients: Redis[] = [];
  const name = `bare-${randomUUID()}`;
  let left = jobs;
  let done: () => void = () => {};
  const all = new Promise<void>((resolve) => {
    done = resolve;
  });
  const process = async () => {
    if (--left === 0) done();
  };
  const defaults = { removeOnComplete: true };
  let queue: Queue;
  let worker: Worker;
  if ('redis' in connection) {
    const make = () => {
      const client = new Redis(connection.redis, { maxRetriesPerRequest: null });
      clients.push(client);
      return client;
    };
    queue = new Queue(name, { connection: make(), defaultJobOptions: defaults });
    worker = new Worker(name, process, { connection: make(), concurrency: JOBS_CONCURRENT_MAX });
  } else {
    const at = { connectionString: connection.postgres, schema: 'bare', migrate: true };
    const made = new Queue(
      name,
      { connection: { ...at, max: 4 }, defaultJobOptions: defaults },
      createPostgresBackend,
    );
    await made.waitUntilReady();
    queue = made as unknown as Queue;
    worker = new Worker(
      name,
      process,
      { connection: { ...at, max: 6 }, concurrency: JOBS_CONCURRENT_MAX },
      createPostgresBackend,
    ) as unknown as Worker;
  }
  worker.on('error', () => {});
  await worker.waitUntilReady();
  const started = performance.now();
  for (let at = 0; at < jobs; at += BULK) {
    const count = Math.min(BULK, jobs - at);
    await queue.addBulk(
      Array.from({ length: count }, () => {
        const id = randomUUID();
        return { name: 'execution', data: { kind: 'execution', id }, opts: { jobId: `${id}-1-offer` } };
      }),
    );
  }
  await all;
  const seconds = (performance.now() - started) / 1000;
  await worker.close();
  await queue.close();
  for (const client of clients) client.disconnect();
  return jobs / seconds;
}

async function platenRound(
  store: Store,
  connection: { postgres: string } | { redis: string },
  folder: string,
  orders: number,
): Promise<number> {
  const run = randomUUID().slice(0, 8);
  let left = orders;
  let done: () => void = () => {};
  const all = new Promise<void>((resolve) => {
    done = resolve;
  });
  const service = new OrderService({
    database: store.database,
    queue: connection,
    publish: async (topic) => {
      if (topic.endsWith('/order') && --left === 0) done();
    },
    tell: () => {},
    conclude: () => {},
    repository: openRepository(join(folder, 'repository')),
    repositoryUrl: 'http://127.0.0.1/repository/',
    log: silent,
    now: Date.now,
  });
  await service.start();
  const at = Date.now();
  const step = {
    subject: 'engine:acme.engine',
    from: '2.4.0',
    to: '2.5.0',
    target: 'acme.engine/2.5.0.bin',
    length: 1 << 20,
    sha256: '0'.repeat(64),
  };
  const list: NewExecution[] = Array.from({ length: orders }, (_, n) => ({
    id: randomUUID(),
    printer: `${run}-${n}`,
    at,
    deadlineAt: at + 86_400_000,
    plan: { steps: [step], structure: { session: 's', revision: 1 } },
  }));
  const rows = [];
  for (let from = 0; from < orders; from += BULK)
    rows.push(...(await service.store.create(list.slice(from, from + BULK))));
  const started = performance.now();
  for (let from = 0; from < rows.length; from += BULK) await service.dispatch(rows.slice(from, from + BULK));
  await all;
  const seconds = (performance.now() - started) / 1000;
  await service.stop();
  await store.database.query(
    "UPDATE executions SET ended_at = now(), state = 'cancelled', publish_due = false WHERE ended_at IS NULL",
  );
  return orders / seconds;
}

/** Measures one backend; the two sides take turns. */
export async function measureDispatch(
  backend: 'postgres' | 'redis',
  folder: string,
  orders: number,
  rounds: number,
): Promise<Dispatched> {
  const store = await openStore({ source: { dataFolder: join(folder, backend) }, log: silent });
  const redis = backend === 'redis' ? await testRedis() : undefined;
  const connection = redis ? { redis: redis.url } : { postgres: store.database.url };
  const result: Dispatched = { platen: [], bare: [] };
  try {
    // One unmeasured warm-up round: query plans, pools, compiled code.
    await bareRound(connection, Math.min(orders, 500));
    await platenRound(store, connection, folder, Math.min(orders, 500));
    for (let round = 0; round < rounds; round++) {
      result.bare.push(await bareRound(connection, orders));
      result.platen.push(await platenRound(store, connection, folder, orders));
    }
  } finally {
    await redis?.close();
    await store.close();
  }
  return result;
}
