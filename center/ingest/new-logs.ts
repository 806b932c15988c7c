/**
 * Log memories that a printer begins. Each is kept as long as entries are, so that one that is sent again is known; a
 * printer with a new one for every message would fill the tables and every list of them.
 */
import { PlatenError } from '../../schemas/errors.ts';
import { CENTER_LIMITS } from '../limits.ts';

const HOUR_MS = 3_600_000;

interface Begun {
  since: number;
  /** Many messages of one log memory may come before the first of them is stored: each memory counts once. */
  logs: Set<string>;
}

export class NewLogs {
  readonly #now: () => number;
  /** By printer, least recently begun first. */
  readonly #begun = new Map<string, Begun>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * A printer sends of a log memory that was not met lately.
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
