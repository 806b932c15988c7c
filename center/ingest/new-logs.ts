/**
 * Limits the log memories that a printer starts. Each is kept as long as its entries, so that repeats are recognised; a
 * printer with a new one per message would fill the tables and every list of them.
 */
import { PlatenError } from '../../schemas/errors.ts';
import { CENTER_LIMITS } from '../limits.ts';

const HOUR_MS = 3_600_000;

interface Begun {
  since: number;
  /** Distinct memories: many messages of one may come before the first of them is stored. */
  logs: Set<string>;
}

export class NewLogs {
  readonly #now: () => number;
  /** By printer, least recently used first. */
  readonly #begun = new Map<string, Begun>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * A printer sends entries of a log memory that is not known.
   * @throws PlatenError payload/too-many-logs
   */
  check(printer: string, log: string): void {
    const now = this.#now();
    const before = this.#begun.get(printer);
    const begun: Begun = before && now - before.since < HOUR_MS ? before : { since: now, logs: new Set() };
    if (begun.logs.has(log)) return;
    if (begun.logs.size >= CENTER_LIMITS.new_logs_per_hour_max) {
      throw new PlatenError('payload/too-many-logs', { limit: CENTER_LIMITS.new_logs_per_hour_max });
    }
    begun.logs.add(log);
    this.#begun.delete(printer);
    this.#begun.set(printer, begun);
    for (const oldest of this.#begun.keys()) {
      if (this.#begun.size <= CENTER_LIMITS.new_logs_remembered_max) break;
      this.#begun.delete(oldest);
    }
  }
}
