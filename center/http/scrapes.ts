/**
 * The metrics as text. Rendering blocks the event loop for milliseconds, and anybody who reaches the port may ask.
 * Beyond a rate that no scraper comes near, recently rendered text is returned.
 */
import type { Registry } from 'prom-client';
import { CENTER_LIMITS } from '../limits.ts';

export class Scrapes {
  readonly #registry: Pick<Registry, 'metrics'>;
  readonly #now: () => number;
  #credit: number = CENTER_LIMITS.scrapes_burst_max;
  #at_ms: number;
  #last: Promise<string> | undefined;

  /** @param now milliseconds of a monotonic clock */
  constructor(registry: Pick<Registry, 'metrics'>, now: () => number) {
    this.#registry = registry;
    this.#now = now;
    this.#at_ms = now();
  }

  text(): Promise<string> {
    const now_ms = this.#now();
    const { scrapes_burst_max, scrapes_per_second_max } = CENTER_LIMITS;
    const earned = ((now_ms - this.#at_ms) / 1_000) * scrapes_per_second_max;
    this.#credit = Math.min(scrapes_burst_max, this.#credit + earned);
    this.#at_ms = now_ms;
    if (this.#last && this.#credit < 1) return this.#last;
    this.#credit -= 1;
    this.#last = this.#registry.metrics();
    return this.#last;
  }
}
