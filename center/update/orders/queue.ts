/**
 * The queue of nudges: "look at this execution or campaign now, or at that time". The store holds the truth. A nudge
 * that comes twice, late or for nothing is harmless, so losing the queue loses no order.
 *
 * BullMQ 6 on the same Postgres by default, on Redis if configured. Ids must not contain a colon: BullMQ splits at it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { createPostgresBackend, Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { PlatenError, reasonOf } from '../../../schemas/errors.ts';
import { JOBS_CONCURRENT_MAX } from '../limits.ts';

export interface Nudge {
  /** What to look at: one execution, one campaign, or every execution that is due. */
  kind: 'execution' | 'campaign' | 'due';
  /** Id of the execution or campaign. */
  id: string;
}

export interface NudgeAt {
  nudge: Nudge;
  /** While a nudge with this id waits, adding another has no effect. */
  jobId: string;
  /** From now; 0 is immediately. */
  delayMs: number;
}

export interface NudgeQueue {
  start(handle: (nudge: Nudge) => Promise<void>): Promise<void>;
  add(nudges: readonly NudgeAt[]): Promise<void>;
  /** Number of jobs by state. */
  depth(): Promise<Record<string, number>>;
  /** Why the queue is unusable now; undefined if it is usable or on the store's database. */
  fault(): string | undefined;
  stop(): Promise<void>;
}

export type QueueConnection =
  /** In a schema of its own. */
  { postgres: string; schema?: string } | { redis: string; prefix?: string };

const DONE = { removeOnComplete: true, removeOnFail: { count: 1000 } };

/** How long Redis may take to answer at the start. */
const REDIS_START_MS_MAX = 10_000;
const REDIS_TRY_EVERY_MS = 500;
/**
 * How long a socket to Redis may take to close. ioredis waits 2 s for it, also where the socket has closed already, and
 * that timer holds the process: a stop would last 2 s longer than it has to.
 */
const REDIS_CLOSE_MS_MAX = 100;

function withoutSecrets(url: string): string {
  const { host } = new URL(url);
  return host;
}

async function tooLate(): Promise<never> {
  await sleep(REDIS_START_MS_MAX, undefined, { ref: false });
  throw new Error(`the queue of orders is not ready within ${REDIS_START_MS_MAX / 1_000} s`);
}

/**
 * Checks at the start that Redis takes commands, and waits for one that is still starting.
 * @throws PlatenError start/redis
 */
export async function reachRedis(url: string, stop: AbortSignal): Promise<void> {
  const end = performance.now() + REDIS_START_MS_MAX;
  for (;;) {
    stop.throwIfAborted();
    const client = new Redis(url, {
      lazyConnect: true,
      connectTimeout: REDIS_START_MS_MAX / 2,
      disconnectTimeout: REDIS_CLOSE_MS_MAX,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
    });
    let heard: unknown;
    client.on('error', (error) => {
      heard ??= error;
    });
    const abandon = () => client.disconnect();
    stop.addEventListener('abort', abandon, { once: true });
    // Not `commandTimeout`: its timer outlives the connection, and holds the process (ioredis issue 1535).
    const late = setTimeout(abandon, REDIS_START_MS_MAX / 2);
    try {
      await client.connect();
      await client.ping();
      return;
    } catch (error) {
      stop.throwIfAborted();
      if (performance.now() > end) {
        const reason = reasonOf(heard ?? error);
        throw new PlatenError('start/redis', { redis: withoutSecrets(url), reason }, { cause: error });
      }
    } finally {
      clearTimeout(late);
      stop.removeEventListener('abort', abandon);
      client.disconnect();
    }
    await sleep(REDIS_TRY_EVERY_MS, undefined, { signal: stop }).catch(() => undefined);
  }
}

/** Opens the queue `orders`. */
export function openQueue(
  connection: QueueConnection,
  log: Logger,
  concurrency = JOBS_CONCURRENT_MAX,
): NudgeQueue {
  let parts:
    | { queue: Queue; worker: Worker; fault: () => string | undefined; close: () => Promise<void> }
    | undefined;
  const failed = (error: Error) => log.warn({ reason: reasonOf(error) }, 'the queue of orders has trouble');

  const open = async (handle: (nudge: Nudge) => Promise<void>) => {
    const process = async (job: { data: Nudge }) => handle(job.data);
    // A failed nudge is retried; the backoff doubles from one second.
    const defaults = { ...DONE, attempts: 8, backoff: { type: 'exponential', delay: 1000, jitter: 0.5 } };
    if ('redis' in connection) {
      const make = () => {
        const client = new Redis(connection.redis, {
          maxRetriesPerRequest: null,
          disconnectTimeout: REDIS_CLOSE_MS_MAX,
        });
        client.on('error', failed);
        return client;
      };
      const clients = [make(), make()] as const;
      const prefix = connection.prefix ?? 'platen';
      const queue = new Queue('orders', { connection: clients[0], prefix, defaultJobOptions: defaults });
      const worker = new Worker('orders', process, { connection: clients[1], prefix, concurrency });
      return {
        queue: queue as Queue,
        worker: worker as Worker,
        fault: () =>
          clients.every(({ status }) => status === 'ready')
            ? undefined
            : `the Redis at ${withoutSecrets(connection.redis)} is not reachable`,
        close: async () => {
          for (const client of clients) client.disconnect();
        },
      };
    }
    const options = {
      connectionString: connection.postgres,
      schema: connection.schema ?? 'bullmq',
      migrate: true,
    };
    const queue = new Queue(
      'orders',
      { connection: { ...options, max: 4 }, defaultJobOptions: defaults },
      createPostgresBackend,
    );
    await queue.waitUntilReady();
    const worker = new Worker(
      'orders',
      process,
      { connection: { ...options, max: 6 }, concurrency },
      createPostgresBackend,
    );
    return {
      queue: queue as unknown as Queue,
      worker: worker as unknown as Worker,
      fault: () => undefined,
      close: async () => {},
    };
  };

  return {
    start: async (handle) => {
      parts = await open(handle);
      parts.queue.on('error', failed);
      parts.worker.on('error', failed);
      parts.worker.on('failed', (job, error) =>
        log.warn({ nudge: job?.data, reason: reasonOf(error) }, 'a nudge failed'),
      );
      await Promise.race([parts.worker.waitUntilReady(), tooLate()]);
    },
    fault: () => parts?.fault(),
    add: async (nudges) => {
      if (!parts || nudges.length === 0) return;
      await parts.queue.addBulk(
        nudges.map(({ nudge, jobId, delayMs }) => ({
          name: nudge.kind,
          data: nudge,
          opts: { jobId, ...(delayMs > 0 ? { delay: Math.ceil(delayMs) } : {}) },
        })),
      );
    },
    depth: async () => (parts ? parts.queue.getJobCounts('wait', 'active', 'delayed', 'failed') : {}),
    stop: async () => {
      const closing = parts;
      parts = undefined;
      if (!closing) return;
      // Without Redis no job can finish, and a graceful close would wait for it.
      const gone = closing.fault() !== undefined;
      if (gone) await closing.close();
      await closing.worker.close(gone);
      await closing.queue.close();
      if (!gone) await closing.close();
    },
  };
}
