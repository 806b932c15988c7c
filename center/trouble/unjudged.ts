/**
 * Stored entries still to be judged. They are gathered by printer for a moment, because judging many entries of one
 * printer together costs little more than judging one: changes are reported once at the end. Rules don't depend on how
 * a log is split, so nothing else changes.
 */
import type { LogEntry } from '../../schemas/types.ts';

/** A run of entries of one log memory. */
export interface Stretch {
  log: string;
  entries: LogEntry[];
}

export class Unjudged {
  #printers = new Map<string, Stretch[]>();
  #size = 0;

  /** How many entries wait. */
  get size(): number {
    return this.#size;
  }

  add(printer: string, log: string, entries: readonly LogEntry[]): void {
    this.#size += entries.length;
    const stretches = this.#printers.get(printer);
    const last = stretches?.at(-1);
    if (last?.log === log) {
      for (const entry of entries) last.entries.push(entry);
    } else if (stretches) {
      stretches.push({ log, entries: [...entries] });
    } else {
      this.#printers.set(printer, [{ log, entries: [...entries] }]);
    }
  }

  /** Takes the waiting entries of one printer, in order. */
  take(printer: string): Stretch[] {
    const stretches = this.#printers.get(printer);
    if (!stretches) return [];
    this.#printers.delete(printer);
    for (const { entries } of stretches) this.#size -= entries.length;
    return stretches;
  }

  /** Printers with waiting entries, the longest-waiting first. */
  printers(): IterableIterator<string> {
    return this.#printers.keys();
  }
}
