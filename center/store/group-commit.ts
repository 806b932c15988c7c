/**
 * Group commit: while one batch is being written, the next is collected. Each submission resolves when the batch it
 * travelled in is durable. A lost database is waited for and the batch written again, so `write` must do no harm when
 * it is run twice; nothing resolves meanwhile, which holds back whoever waits.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { isLostConnection } from './database.ts';

export interface GroupCommitOptions<T, R> {
  /** Writes a batch in one transaction and gives one result for each item, in their order. */
  write(items: T[]): Promise<R[]>;
  /** How much an item weighs towards `batchWeight_max`; default 1. */
  weigh?(item: T): number;
  /** What a batch may weigh at most; one that is heavier alone still goes. */
  batchWeight_max: number;
  /** How many items may wait; more are refused. */
  waiting_max: number;
  /** Resolves when it is worth trying again after the database was lost. */
  whenReady?(): Promise<void>;
}

interface Waiting<T, R> {
  item: T;
  weight: number;
  resolve(result: R): void;
  reject(error: unknown): void;
}

const RETRY_MS = 100;

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
    // A turn of the event loop, so that what one read from a socket brought goes together.
    this.#running ??= new Promise<void>((done) => setImmediate(done)).then(() => this.#run());
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) await this.#writeBatch(this.#take());
    this.#running = undefined;
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

  async #writeBatch(batch: Waiting<T, R>[]): Promise<void> {
    for (;;) {
      try {
        const results = await this.#options.write(batch.map((waiting) => waiting.item));
        batch.forEach((waiting, index) => {
          waiting.resolve(results[index] as R);
        });
        return;
      } catch (error) {
        if (isLostConnection(error) && !this.#closed) {
          await this.#pause();
          continue;
        }
        if (batch.length === 1 || isLostConnection(error)) {
          for (const waiting of batch) waiting.reject(error);
          return;
        }
        // One bad item must not take the others with it: each alone.
        for (const waiting of batch) await this.#writeBatch([waiting]);
        return;
      }
    }
  }

  async #pause(): Promise<void> {
    await sleep(RETRY_MS);
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
