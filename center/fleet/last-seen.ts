/**
 * When each printer was last heard of. Every uplink moves it, which costs the way in no more than an entry in a map:
 * what changed is written together, once a minute, and whoever asks meanwhile is told what is not written yet.
 */

import type { Logger } from 'pino';
import { Serial } from '../../base/serial.ts';
import { reasonOf } from '../../schemas/errors.ts';
import { CENTER_LIMITS } from '../limits.ts';

/** The durable side. */
export interface LastSeenStore {
  /** Writes times that are later than what is there; gives the printers that it could not come to just now. */
  putLastSeen(list: readonly (readonly [printer: string, at: number])[]): Promise<string[]>;
}

export class LastSeen {
  readonly #store: LastSeenStore;
  readonly #now: () => number;
  readonly #log: Logger;
  /** Heard of since the last write. */
  #heard = new Map<string, number>();
  /** Being written. */
  #writing = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  readonly #flushes = new Serial();

  constructor(store: LastSeenStore, now: () => number, log: Logger) {
    this.#store = store;
    this.#now = now;
    this.#log = log;
  }

  start(): void {
    this.#timer = setInterval(() => void this.flush(), CENTER_LIMITS.last_seen_interval_ms);
    this.#timer.unref();
  }

  /** Writes what is not written yet. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }

  /** Something came from a printer just now. */
  hear(printer: string): void {
    this.#heard.set(printer, this.#now());
  }

  /** When a printer was last heard of, if that is not in the store yet; ms since the epoch. */
  of(printer: string): number | undefined {
    return this.#heard.get(printer) ?? this.#writing.get(printer);
  }

  /** A printer was removed: nothing of it is written any more. */
  forget(printer: string): void {
    this.#heard.delete(printer);
    this.#writing.delete(printer);
  }

  /** Writes what was heard until now, a page at a time. Never rejects: it stays to be written. */
  flush(): Promise<void> {
    return this.#flushes.run(() => this.#flush());
  }

  async #flush(): Promise<void> {
    if (this.#heard.size === 0) return;
    this.#writing = this.#heard;
    this.#heard = new Map();
    try {
      const list = [...this.#writing];
      for (let from = 0; from < list.length; from += CENTER_LIMITS.last_seen_page_printers) {
        const page = list.slice(from, from + CENTER_LIMITS.last_seen_page_printers);
        const left = new Set(await this.#store.putLastSeen(page));
        for (const [printer] of page) if (!left.has(printer)) this.#writing.delete(printer);
      }
    } catch (error) {
      this.#log.warn({ reason: reasonOf(error) }, 'when printers were last seen is written later');
    }
    for (const [printer, at] of this.#writing) if (!this.#heard.has(printer)) this.#heard.set(printer, at);
    this.#writing = new Map();
  }
}
