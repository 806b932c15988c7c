/**
 * Group commit: while one batch is being written, the next is collected. Each submission resolves when its batch is
 * durable. When the database is lost or cannot write (its disk is full), the batch is written again as soon as it can,
 * so `write` must be idempotent. Nothing resolves meanwhile, which is the back-pressure on senders.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { reasonOf } from '../../schemas/errors.ts';
import { isLostConnection, isUnable } from '../database/database.ts';

export interface GroupCommitOptions<T, R> {
  /** Writes a batch in one transaction. Returns one result per item, in order. */
  write(items: T[]): Promise<R[]>;
  /** Weight of an item towards `batchWeight_max`; default 1. */
  weigh?(item: T): number;
  /** Maximum weight of a batch. An item that is heavier goes alone. */
  batchWeight_max: number;
  /** How many items may wait; further ones are refused. */
  waiting_max: number;
  /** Size of an item, limited in total by `waitingBytes_max`; default: not counted. */
  bytesOf?(item: T): number;
  waitingBytes_max?: number;
  /**
   * How long to collect the next batch after a large one: under load, a few milliseconds more make larger batches, and
   * each batch costs several round trips. Without load nothing waits. Default 0.
   */
  gather_ms?: number;
  /**
   * Weight that must have gathered to start a batch while others are still being written. `write` is then called
   * before its earlier calls have settled, and must keep their order itself. Default: never.
   */
  aheadWeight_min?: number;
  /** Resolves when another attempt makes sense after the database was lost. */
  whenReady?(): Promise<void>;
  /** Called when the database is reachable but cannot write; the returned function is called when it can again. */
  unable?(reason: string): () => void;
  /** Maps the error of an item that fails alone to its rejection; default: the error itself. */
  refusal?(error: unknown): unknown;
  /** Called when a batch is durable, with its items and its duration in seconds, waiting for the database included. */
  committed?: Committed;
}

export type Committed = (duration_s: number, items: number) => void;

/** An item and its callbacks. */
export interface PendingItem<T, R> {
  readonly item: T;
  resolve(result: R): void;
  reject(error: unknown): void;
}

const RETRY_MS = 100;
/** Pause between attempts while the database cannot write: a full disk isn't emptied in a moment. */
const UNABLE_RETRY_MS = 1_000;
/** With this many items in a batch more are expected soon. */
const CROWD_ITEMS = 8;
/** Batches under way at once with `aheadWeight_min`: one being written, one next, one being answered. */
const UNDER_WAY_MAX = 3;

export class GroupCommit<T, R> {
  #options: GroupCommitOptions<T, R>;
  #queue: PendingItem<T, R>[] = [];
  #queueWeight = 0;
  #queueBytes = 0;
  #underWay = 0;
  /** A batch starts at the end of this turn of the event loop. */
  #turn = false;
  /** No batch starts until the next one is collected. */
  #gathering = false;
  /** Starts a batch of patient items; undefined while one runs or there are none. */
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #idle: (() => void)[] = [];
  /** Items given, and taken into a batch, since the start. */
  #given = 0;
  #taken = 0;
  readonly #writing = new Set<Promise<void>>();
  /** Called when the next batch is taken. */
  #taking: (() => void)[] = [];

  constructor(options: GroupCommitOptions<T, R>) {
    this.#options = options;
  }

  /** How many items wait, without those under way. */
  get waiting(): number {
    return this.#queue.length;
  }

  /**
   * Resolves when the item is durable; rejects when the statement fails, the queue is full or it was closed.
   * @param patience_ms how long it may wait for others; it goes at once when a batch goes anyway
   */
  submit(item: T, patience_ms = 0): Promise<R> {
    return new Promise((resolve, reject) => this.give({ item, resolve, reject }, patience_ms));
  }

  /** Like `submit`, without a promise. Callbacks come only after this has returned, unless the item is refused. */
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
    // At the end of the turn, so that one batch takes what all sockets delivered in it.
    setImmediate(() => {
      this.#turn = false;
      this.#next();
    });
  }

  /** Whether waiting items may go now. */
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
    // Reported only once the next statement is on its way, so that the database works meanwhile.
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

  /** Writes a batch; never rejects. @returns a function that reports the outcome to the callers */
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
          // One bad item must not fail the others: each is written alone.
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
    // In short steps, so that closing the store doesn't wait for all of it.
    while (!this.#closed && Date.now() < end) await sleep(Math.min(RETRY_MS, ms));
    try {
      await this.#options.whenReady?.();
    } catch {
      // Still away: the next attempt reports it.
    }
  }

  /** Resolves when everything given so far is settled, whatever is given meanwhile. */
  async settled(): Promise<void> {
    const last = this.#given;
    while (this.#taken < last) {
      this.#begin();
      await new Promise<void>((resolve) => this.#taking.push(resolve));
    }
    await Promise.all(this.#writing);
    // Callers are called in the turn after the writing.
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Refuses further items, and resolves when all others are settled. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#queue.length === 0 && this.#underWay === 0) return;
    const idle = new Promise<void>((resolve) => this.#idle.push(resolve));
    this.#begin();
    await idle;
  }
}
