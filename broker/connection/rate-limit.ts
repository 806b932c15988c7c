/**
 * How much a client may send. Whoever is ahead of its rates by more than its burst isn't read until it is not: nothing
 * is dropped, the peer waits. A printer's account is the printer's and not its connection's, so that connecting again
 * buys nothing.
 */

export interface Rates {
  /** 0: unbounded. */
  publishesPerSecond: number;
  /** 0: unbounded. */
  bytesPerSecond: number;
  /** How far ahead of both a client may be. */
  burstMs: number;
  /** All packets that are neither publishes nor the answers to what was sent; a filter counts as one. 0: unbounded. */
  packetsPerSecond: number;
  /** How far ahead of that a client may be. */
  packetBurstMs: number;
}

/** One client's account. Times are milliseconds of one clock. */
export class RateLimit {
  /** Connections that draw on it. */
  holders = 0;
  readonly #rates: Rates;
  /** Until when what was sent is paid for, under each rate. */
  #publishesPaidUntil = 0;
  #bytesPaidUntil = 0;
  #packetsPaidUntil = 0;

  constructor(rates: Rates) {
    this.#rates = rates;
  }

  /** Charges packets that aren't publishes, and filters; returns as `charge`. */
  chargePackets(packets: number, now: number): number {
    const { packetsPerSecond, packetBurstMs } = this.#rates;
    if (packetsPerSecond === 0) return 0;
    this.#packetsPaidUntil = Math.max(this.#packetsPaidUntil, now) + (packets * 1_000) / packetsPerSecond;
    return Math.max(0, this.#packetsPaidUntil - now - packetBurstMs);
  }

  /** Charges what was read; returns for how many milliseconds nothing more may be read, 0 when there is room. */
  charge(publishes: number, bytes: number, now: number): number {
    const { publishesPerSecond, bytesPerSecond, burstMs } = this.#rates;
    if (publishes > 0 && publishesPerSecond > 0) {
      this.#publishesPaidUntil =
        Math.max(this.#publishesPaidUntil, now) + (publishes * 1_000) / publishesPerSecond;
    }
    if (bytes > 0 && bytesPerSecond > 0) {
      this.#bytesPaidUntil = Math.max(this.#bytesPaidUntil, now) + (bytes * 1_000) / bytesPerSecond;
    }
    return Math.max(0, this.#publishesPaidUntil - now - burstMs, this.#bytesPaidUntil - now - burstMs);
  }

  /** Whether nothing is owed: a new account would be the same. */
  settled(now: number): boolean {
    return this.#publishesPaidUntil <= now && this.#bytesPaidUntil <= now && this.#packetsPaidUntil <= now;
  }
}

/** The accounts of printers, or of operators, by name. */
export class RateLimits {
  readonly #rates: Rates;
  readonly #byName = new Map<string, RateLimit>();

  constructor(rates: Rates) {
    this.#rates = rates;
  }

  /** A connection of somebody takes hold of its account; undefined when there are no rates. */
  acquire(name: string): RateLimit | undefined {
    const { publishesPerSecond, bytesPerSecond, packetsPerSecond } = this.#rates;
    if (publishesPerSecond + bytesPerSecond + packetsPerSecond === 0) return undefined;
    let limit = this.#byName.get(name);
    if (!limit) {
      limit = new RateLimit(this.#rates);
      this.#byName.set(name, limit);
    }
    limit.holders++;
    return limit;
  }

  /** Lets go of accounts where nothing is owed and nobody is connected. Called about once a second. */
  prune(now: number): void {
    for (const [name, limit] of this.#byName) {
      if (limit.holders === 0 && limit.settled(now)) this.#byName.delete(name);
    }
  }
}
