/**
 * The time by which ages are measured. Dropping data can't be undone, and the machine's clock may be wrong, so it is
 * believed only as far as it agrees with the time known to have passed. Pure: both clocks are passed in.
 */

const DAY_MS = 86_400_000;
/** A machine may have been off this long, or asleep, without its clock being doubted. */
const OFF_DAYS_MAX = 30;
const ASLEEP_DAYS_MAX = 3;
/** The clock is read far more often; a larger step means that the steady clock jumped too. */
const STEP_MS_MAX = 3_600_000;
/** Share of the retention: a clock error must be small compared with what it decides. */
const OF_RETENTION_MAX = 0.25;

export class StoreClock {
  readonly #wall: () => number;
  readonly #steady: () => number;
  readonly #gap_ms: number;
  #trusted_ms: number;
  #trustedAt: number;

  /**
   * @param wall the machine's clock, in milliseconds since the epoch
   * @param steady a clock that only measures elapsed time
   * @param trusted_ms the latest trusted time when the store was used before
   */
  constructor(options: {
    wall: () => number;
    steady: () => number;
    trusted_ms: number;
    retention_days: number;
  }) {
    const { wall, steady, trusted_ms, retention_days } = options;
    this.#wall = wall;
    this.#steady = steady;
    this.#gap_ms = Math.min(ASLEEP_DAYS_MAX, retention_days * OF_RETENTION_MAX) * DAY_MS;
    this.#trusted_ms = trusted_ms;
    this.#trustedAt = steady();
    const off_ms = wall() - trusted_ms;
    if (off_ms > 0 && off_ms <= Math.min(OFF_DAYS_MAX, retention_days * OF_RETENTION_MAX) * DAY_MS) {
      this.#trusted_ms += off_ms;
    }
  }

  /** The time known to have come: it follows the machine's clock while that is plausible. */
  trusted(): number {
    const steady = this.#steady();
    const step = steady - this.#trustedAt;
    this.#trustedAt = steady;
    this.#trusted_ms += Math.min(Math.max(step, 0), STEP_MS_MAX);
    const ahead = this.#wall() - this.#trusted_ms;
    if (ahead > 0 && ahead <= this.#gap_ms) this.#trusted_ms += ahead;
    return this.#trusted_ms;
  }

  /** An operator confirms that it is this time, or later. */
  trust(time_ms: number): void {
    this.#trusted_ms = Math.max(this.trusted(), time_ms);
  }

  /**
   * The time for new data: the machine's, unless that was set back so far that the data would count as old.
   */
  now(): number {
    const wall = this.#wall();
    const trusted = this.trusted();
    return wall < trusted - this.#gap_ms ? trusted : wall;
  }

  /** The time against which ages are measured. @param newest_ms when the newest entry was stored */
  reference(newest_ms: number | undefined): number {
    return Math.min(this.#wall(), this.trusted(), newest_ms ?? Number.POSITIVE_INFINITY);
  }

  /** What is wrong with the machine's clock, and what to do. */
  fault(): string | undefined {
    const ahead_ms = this.#wall() - this.trusted();
    if (Math.abs(ahead_ms) <= this.#gap_ms) return undefined;
    const days = Math.round(Math.abs(ahead_ms) / DAY_MS);
    return ahead_ms > 0
      ? `the clock leapt ${days} days ahead; everything is stored, and nothing old is dropped until it is right. Set it, or say that it is right: platen admin clock`
      : `the clock was set back by ${days} days; everything is stored, with the time that has passed since. Set it right`;
  }
}
