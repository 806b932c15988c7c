/**
 * Group commit: while one batch is being written, the next is collected. Each submission resolves when the batch it
 * travelled in is durable. A database that is lost, or that can take nothing (its disk is full), is waited for and the
 * batch written again, so `write` must do no harm when it is run twice; nothing resolves meanwhile, which holds back
 * whoever waits.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { reasonOf } from '../../schemas/errors.ts';
import { isLostConnection, isUnable } from '../database/database.ts';

export interface GroupCommitOptions<T, R> {
  /** Writes a batch in one transaction and gives one result for each item, in their order. */
  write(items: T[]): Promise<R[]>;
  /** How much an item weighs towards `batchWeight_max`; default 1. */
  weigh?(item: T): number;
  /** What a batch may weigh at most; one that is heavier alone still goes. */
  batchWeight_max: number;
  /** How many items may wait; more are refused. */
  waiting_max: number;
  /** How large an item is, and how much may wait; default: not counted. */
  bytesOf?(item: T): number;
  waitingBytes_max?: number;
  /**
   * How long the next batch is collected after a large one: where many come, a few milliseconds more
   * make larger batches, and each costs several ways to the database. Alone nobody waits. Default 0.
   */
  gather_ms?: number;
  /**
   * What must have gathered for a batch to be begun while others are still being written: `write` is then called before
   * the calls before it have settled, and must keep their order itself. Default: never.
   */
  aheadWeight_min?: number;
  /** Resolves when it is worth trying again after the database was lost. */
  whenReady?(): Promise<void>;
  /** Called when the database is there but can take nothing; what it gives is called when it can again. */
  unable?(reason: string): () => void;
  /** What an item that fails alone is rejected with, of the error; default: that error. */
  refusal?(error: unknown): unknown;
  /** Called when a batch is durable: how long that took in seconds, waiting for the database included; its items. */
  committed?: Committed;
}

export type Committed = (duration_s: number, items: number) => void;

/** An item, and who is told what becomes of it. */
export interface PendingItem<T, R> {
  readonly item: T;
  resolve(result: R): void;
  reject(error: unknown): void;
}

const RETRY_MS = 100;
/** A full disk isn't emptied in a moment. */
const UNABLE_RETRY_MS = 1_000;
/** A batch of this many items is a sign that more come. */
const CROWD_ITEMS = 8;
/** Batches under way at once where none waits for the one before: one is written, one is next, one is answered. */
const UNDER_WAY_MAX = 3;

export class GroupCommit<T, R> {
  #options: GroupCommitOptions<T, R>;
  #queue: PendingItem<T, R>[] = [];
  #queueWeight = 0;
  #queueBytes = 0;
  /** Batches that are being written. */
  #underWay = 0;
  /** A batch begins when this turn of the event loop is over. */
  #turn = false;
  /** No batch begins until the next is collected. */
  #gathering = false;
  /** Begins a batch of items that have patience; undefined while one runs or there is none. */
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #idle: (() => void)[] = [];
  /** Items given, and taken into a batch, since the beginning. */
  #given = 0;
  #taken = 0;
  readonly #writing = new Set<Promise<void>>();
  /** Are told when the next batch is taken. */
  #taking: (() => void)[] = [];

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
    return new Promise((resolve, reject) => this.give({ item, resolve, reject }, patience_ms));
  }

  /** The same without a promise: nobody is told anything before this has returned, unless the item is refused. */
  give(waiting: PendingItem<T, R>, patience_ms = 0): void {
    const { waiting_max, waitingBytes_max = Number.POSITIVE_INFINITY } = this.#options;
    if (this.#closed) {
      waiting.reject(new Error('the store is closed'));
    } else if (this.#queue.length >= waiting_max) {
      waiting.reject(new Error(`more than ${waiting_max} writes wait for the database`));
    } else if (this.#queueBytes >= waitingBytes_max) {
      waiting.reject(new Error(`more than ${waitingBytes_max} bytes wait for the database`));
    } else {
      this.#queue.push(waiting);
      this.#given += 1;
      this.#queueWeight += this.#weigh(waiting);
      this.#queueBytes += this.#bytesOf(waiting);
      if (patience_ms === 0) this.#begin();
      else if (this.#underWay === 0) this.#timer ??= setTimeout(() => this.#begin(), patience_ms);
    }
  }

  #weigh({ item }: PendingItem<T, R>): number {
    return this.#options.weigh?.(item) ?? 1;
  }

  #bytesOf({ item }: PendingItem<T, R>): number {
    return this.#options.bytesOf?.(item) ?? 0;
  }

  #begin(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#turn || this.#gathering || !this.#may()) return;
    this.#turn = true;
    // A turn of the event loop, so that what it brought from all sockets goes together.
    setImmediate(() => {
      this.#turn = false;
      this.#next();
    });
  }

  /** Whether what waits may go now. */
  #may(): boolean {
    if (this.#underWay === 0) return true;
    const { aheadWeight_min = Number.POSITIVE_INFINITY } = this.#options;
    return this.#underWay < UNDER_WAY_MAX && this.#queueWeight >= aheadWeight_min;
  }

  #next(): void {
    if (this.#queue.length === 0) {
      if (this.#underWay === 0) for (const resolve of this.#idle.splice(0)) resolve();
      return;
    }
    if (!this.#may()) return;
    const batch = this.#take();
    this.#underWay += 1;
    const written = this.#writeBatch(batch).then((settle) => {
      this.#writing.delete(written);
      this.#written(batch, settle);
    });
    this.#writing.add(written);
    for (const resolve of this.#taking.splice(0)) resolve();
    if (this.#queue.length > 0) this.#begin();
  }

  #written(batch: PendingItem<T, R>[], settle: () => void): void {
    const { gather_ms = 0 } = this.#options;
    this.#underWay -= 1;
    if (gather_ms > 0 && batch.length >= CROWD_ITEMS && !this.#closed) {
      this.#gathering = true;
      setTimeout(() => {
        this.#gathering = false;
        this.#begin();
      }, gather_ms);
      settle();
      return;
    }
    if (this.#queue.length === 0) {
      settle();
      this.#begin();
      return;
    }
    this.#begin();
    // Told only when the next statement is on its way: the database works while those who waited go on.
    setImmediate(settle);
  }

  #take(): PendingItem<T, R>[] {
    let taken = 0;
    let count = 0;
    for (const waiting of this.#queue) {
      const weight = this.#weigh(waiting);
      if (count > 0 && taken + weight > this.#options.batchWeight_max) break;
      taken += weight;
      count += 1;
    }
    this.#queueWeight -= taken;
    const batch = this.#queue.splice(0, count);
    this.#taken += count;
    for (const waiting of batch) this.#queueBytes -= this.#bytesOf(waiting);
    return batch;
  }

  /** Gives what tells the outcome to those who wait; never rejects. */
  async #writeBatch(batch: PendingItem<T, R>[]): Promise<() => void> {
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
            const { refusal } = this.#options;
            const reason = lost || unable || !refusal ? error : refusal(error);
            return () => {
              for (const waiting of batch) waiting.reject(reason);
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

  /** Resolves when everything that was given until now is settled, whatever is given meanwhile. */
  async settled(): Promise<void> {
    const last = this.#given;
    while (this.#taken < last) {
      this.#begin();
      await new Promise<void>((resolve) => this.#taking.push(resolve));
    }
    await Promise.all(this.#writing);
    // Those who wait are told in the turn after the writing.
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Takes no more, and resolves when what was submitted is settled. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#queue.length === 0 && this.#underWay === 0) return;
    const idle = new Promise<void>((resolve) => this.#idle.push(resolve));
    this.#begin();
    await idle;
  }
}
