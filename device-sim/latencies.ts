/** A histogram of durations in constant space. Buckets grow by a tenth, so percentiles are accurate to 10 %. */

const GROWTH = 1.1;
const FIRST_MS = 0.05;
const BUCKETS = 180;

export class Latencies {
  readonly #buckets = new Array<number>(BUCKETS).fill(0);
  #count = 0;
  #most = 0;

  add(ms: number): void {
    const bucket = ms <= FIRST_MS ? 0 : Math.ceil(Math.log(ms / FIRST_MS) / Math.log(GROWTH));
    const index = Math.min(BUCKETS - 1, bucket);
    this.#buckets[index] = (this.#buckets[index] ?? 0) + 1;
    this.#count++;
    this.#most = Math.max(this.#most, ms);
  }

  get count(): number {
    return this.#count;
  }
  /** The longest duration, in ms. */
  get most(): number {
    return this.#most;
  }

  /** The duration in ms that a `share` (0 to 1) of all durations did not exceed; 0 without durations. */
  percentile(share: number): number {
    let left = Math.ceil(this.#count * share);
    for (const [index, count] of this.#buckets.entries()) {
      left -= count;
      if (left <= 0 && this.#count > 0) return Math.min(this.#most, FIRST_MS * GROWTH ** index);
    }
    return 0;
  }
}
