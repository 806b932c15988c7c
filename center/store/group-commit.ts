/**
 * Group commit: while one batch is being written, the next is collected. Each submission resolves when the batch it
 * travelled in is durable. A database that is lost, or that can take nothing (its disk is full), is waited for and the
 * batch written again, so `write` must do no harm when it is run twice; nothing resolves meanwhile, which holds back
 * whoever waits.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { reasonOf } from '../../schemas/errors.ts';
import { isLostConnection, isUnable } from './database.ts';

export interface GroupCommitOptions<T, R> {
  /** Writes a batch in one transaction and gives one result for each item, in their order. */
  write(items: T[]): Promise<R[]>;
  /** How much an item weighs towards `batchWeight_max`; default 1. */
  weigh?(item: T): number;
  /** What a batch may weigh at most; one that is heavier alone still goes. */
  batchWeight_max: number;
  /** How many items may wait; more are refused. */
  waiting_max: number;
  /**
   * How long the next batch is collected after a large one: where many come, a few milliseconds more
   * make larger batches, and each costs several ways to the database. Alone nobody waits. Default 0.
   */
  gather_ms?: number;
  /** Resolves when it is worth trying again after the database was lost. */
  whenReady?(): Promise<void>;
  /** Called when the database is there but can take nothing; what it gives is called when it can again. */
  unable?(reason: string): () => void;
  /** Called when a batch is durable: how long that took in seconds, waiting for the database included; its items. */
  committed?: Committed;
}

export type Committed = (duration_s: number, items: number) => void;

interface Waiting<T, R> {
  item: T;
  weight: number;
  resolve(result: R): void;
  reject(error: unknown): void;
}

const RETRY_MS = 100;
/** A full disk isn't emptied in a moment. */
const UNABLE_RETRY_MS = 1_000;
/** A batch of this many items is a sign that more come. */
const CROWD_ITEMS = 8;

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export class GroupCommit<T, R> {
  #options: GroupCommitOptions<T, R>;
  #queue: Waiting<T, R>[] = [];
  #running: Promise<void> | undefined;
  /** Begins a batch of items that have patience; undefined while one runs or there is none. */
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: GroupCommitOptions<T, R>) {
    this.#options = options;
  }

  /** How many items wait, those under way not counted. */
  get waiting(): number {
    return this.#queue.length;
  }

  /**
   * Resolves when the item is durable; rejects when the statement fails, the queue is full or it was closed.
   * @param patience_ms how long it may wait for others to go with; it goes at once when a batch goes anyway
   */
  submit(item: T, patience_ms = 0): Promise<R> {
    if (this.#closed) return Promise.reject(new Error('the store is closed'));
    if (this.#queue.length >= this.#options.waiting_max) {
      return Promise.reject(new Error(`more than ${this.#options.waiting_max} writes wait for the database`));
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ item, weight: this.#options.weigh?.(item) ?? 1, resolve, reject });
      if (patience_ms === 0) this.#begin();
      else if (!this.#running) this.#timer ??= setTimeout(() => this.#begin(), patience_ms);
    });
  }

  #begin(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    const { gather_ms = 0 } = this.#options;
    let settle: (() => void) | undefined;
    for (;;) {
      // A turn of the event loop, so that what it brought from all sockets goes together.
      await nextTurn();
      if (this.#queue.length === 0) break;
      const batch = this.#take();
      const written = this.#writeBatch(batch);
      // Told only when the next statement is on its way: the database works while those who waited go on.
      if (settle) setImmediate(settle);
      settle = await written;
      if (gather_ms > 0 && batch.length >= CROWD_ITEMS && !this.#closed) {
        settle();
        settle = undefined;
        await sleep(gather_ms);
      }
    }
    this.#running = undefined;
    settle?.();
  }

  #take(): Waiting<T, R>[] {
    let weight = 0;
    let count = 0;
    for (const waiting of this.#queue) {
      weight += waiting.weight;
      if (count > 0 && weight > this.#options.batchWeight_max) break;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  /** Gives what tells the outcome to those who wait; never rejects. */
  async #writeBatch(batch: Waiting<T, R>[]): Promise<() => void> {
    let able: (() => void) | undefined;
    const began_ms = performance.now();
    try {
      for (;;) {
        try {
          const results = await this.#options.write(batch.map((waiting) => waiting.item));
          this.#options.committed?.((performance.now() - began_ms) / 1_000, batch.length);
          return () => {
            for (let index = 0; index < batch.length; index += 1) batch[index]?.resolve(results[index] as R);
          };
        } catch (error) {
          const lost = isLostConnection(error);
          const unable = isUnable(error);
          if ((lost || unable) && !this.#closed) {
            if (unable) able ??= this.#options.unable?.(reasonOf(error));
            await this.#pause(unable ? UNABLE_RETRY_MS : RETRY_MS);
            continue;
          }
          if (batch.length === 1 || lost || unable) {
            return () => {
              for (const waiting of batch) waiting.reject(error);
            };
          }
          // One bad item must not take the others with it: each alone.
          for (const waiting of batch) (await this.#writeBatch([waiting]))();
          return () => undefined;
        }
      }
    } finally {
      able?.();
    }
  }

  async #pause(ms: number): Promise<void> {
    const end = Date.now() + ms;
    // In short steps: whoever closes the store doesn't wait for the whole of it.
    while (!this.#closed && Date.now() < end) await sleep(Math.min(RETRY_MS, ms));
    try {
      await this.#options.whenReady?.();
    } catch {
      // Not back yet: the next attempt says so again.
    }
  }

  /** Takes no more, and resolves when what was submitted is settled. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer) this.#begin();
    await this.#running;
  }
}
