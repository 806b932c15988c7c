/**
 * Entries that were stored and are still to be judged. They are gathered for a moment, by printer, because judging
 * many entries of a printer at once costs little more than judging one: what is concluded is told once at the end. The
 * rules don't care how a log was cut, so nothing else changes by it.
 */
import type { LogEntry } from '../../schemas/types.ts';

/** A stretch of one log memory. */
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

  /** Takes what waits of one printer, in its order. */
  take(printer: string): Stretch[] {
    const stretches = this.#printers.get(printer);
    if (!stretches) return [];
    this.#printers.delete(printer);
    for (const { entries } of stretches) this.#size -= entries.length;
    return stretches;
  }

  /** Printers of whom something waits, those who have waited longest first. */
  printers(): IterableIterator<string> {
    return this.#printers.keys();
  }
}
