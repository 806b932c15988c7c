/**
 * How long to wait before the next attempt to connect.
 */
import type { Random } from '../base/random.ts';

/**
 * Full jitter: a uniform draw under a ceiling that doubles with every attempt. After a broker outage the reconnects of
 * thousands of printers are spread over the ceiling instead of coming in waves.
 */
export class Backoff {
  #attempt = 0;
  readonly #first: number;
  readonly #most: number;
  readonly #random: Random;

  constructor(firstMs: number, mostMs: number, random: Random) {
    this.#first = firstMs;
    this.#most = mostMs;
    this.#random = random;
  }

  /** Milliseconds to wait before the next attempt. */
  next(): number {
    const ceiling = Math.min(this.#most, this.#first * 2 ** Math.min(this.#attempt, 30));
    this.#attempt++;
    return this.#random() * ceiling;
  }

  /** Call after a successful attempt. */
  reset(): void {
    this.#attempt = 0;
  }
}
