/**
 * Rate limits. The broker stops reading a client that exceeds its rates by more than its burst, so the peer waits and
 * nothing is dropped. A limit belongs to a printer or an operator and not to a connection, so reconnecting buys
 * nothing.
 */

export interface Rates {
  /** 0: unbounded. */
  publishesPerSecond: number;
  /** 0: unbounded. */
  bytesPerSecond: number;
  /** How far a client may exceed both rates for a while. */
  burstMs: number;
  /** Packets other than PUBLISH and acknowledgements; each filter counts as one. 0: unbounded. */
  packetsPerSecond: number;
  /** How far a client may exceed that rate for a while. */
  packetBurstMs: number;
}

/** The limit of one client. All times come from one clock, in milliseconds. */
export class RateLimit {
  /** Number of connections that it applies to. */
  holders = 0;
  readonly #rates: Rates;
  /** When the client is back within each rate. */
  #publishesWithinRateAt = 0;
  #bytesWithinRateAt = 0;
  #packetsWithinRateAt = 0;

  constructor(rates: Rates) {
    this.#rates = rates;
  }

  /** Charges packets other than PUBLISH, plus filters. Returns the same as `charge`. */
  chargePackets(packets: number, now: number): number {
    const { packetsPerSecond, packetBurstMs } = this.#rates;
    if (packetsPerSecond === 0) return 0;
    this.#packetsWithinRateAt =
      Math.max(this.#packetsWithinRateAt, now) + (packets * 1_000) / packetsPerSecond;
    return Math.max(0, this.#packetsWithinRateAt - now - packetBurstMs);
  }

  /** Charges incoming data. Returns how long reading must pause, in ms; 0 for no pause. */
  charge(publishes: number, bytes: number, now: number): number {
    const { publishesPerSecond, bytesPerSecond, burstMs } = this.#rates;
    if (publishes > 0 && publishesPerSecond > 0) {
      this.#publishesWithinRateAt =
        Math.max(this.#publishesWithinRateAt, now) + (publishes * 1_000) / publishesPerSecond;
    }
    if (bytes > 0 && bytesPerSecond > 0) {
      this.#bytesWithinRateAt = Math.max(this.#bytesWithinRateAt, now) + (bytes * 1_000) / bytesPerSecond;
    }
    return Math.max(0, this.#publishesWithinRateAt - now - burstMs, this.#bytesWithinRateAt - now - burstMs);
  }

  /** Whether the client is within its rates, so that a new limit would behave the same. */
  settled(now: number): boolean {
    return (
      this.#publishesWithinRateAt <= now && this.#bytesWithinRateAt <= now && this.#packetsWithinRateAt <= now
    );
  }
}

/** The limits of all printers, or of all operators, by name. */
export class RateLimits {
  readonly #rates: Rates;
  readonly #byName = new Map<string, RateLimit>();

  constructor(rates: Rates) {
    this.#rates = rates;
  }

  /** The limit for a new connection of `name`; undefined when no rate is set. */
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

  /** Drops limits that no connection uses and that hold nobody back. Called about once a second. */
  prune(now: number): void {
    for (const [name, limit] of this.#byName) {
      if (limit.holders === 0 && limit.settled(now)) this.#byName.delete(name);
    }
  }
}
