/**
 * When each printer was last heard of. An uplink only sets an entry in a map; changes are written in batches once a
 * minute, and queries meanwhile read the map first.
 */

import type { Logger } from 'pino';
import { Serial } from '../../base/serial.ts';
import { reasonOf } from '../../schemas/errors.ts';
import { CENTER_LIMITS } from '../limits.ts';

/** Stores the times. */
export interface LastSeenStore {
  /** Writes times that are later than the stored ones. Returns the printers that were skipped. */
  putLastSeen(list: readonly (readonly [printer: string, at: number])[]): Promise<string[]>;
}

export class LastSeen {
  readonly #store: LastSeenStore;
  readonly #now: () => number;
  readonly #log: Logger;
  /** Times since the last write. */
  #heard = new Map<string, number>();
  /** Times that are being written. */
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

  /** Writes the remaining times. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }

  /** Records that a message from a printer has just arrived. */
  hear(printer: string): void {
    this.#heard.set(printer, this.#now());
  }

  /** When a printer was last heard of, in ms since the epoch, if that is not stored yet. */
  of(printer: string): number | undefined {
    return this.#heard.get(printer) ?? this.#writing.get(printer);
  }

  /** Forgets a removed printer, so that nothing is written for it. */
  forget(printer: string): void {
    this.#heard.delete(printer);
    this.#writing.delete(printer);
  }

  /** Writes the times so far, in pages. Never rejects: times that failed to be written are kept for the next try. */
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
