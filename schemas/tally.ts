/** Counts by a text from outside, which may be the name of something that every object has: `constructor`. */
export class Tally {
  readonly #counts = new Map<string, number>();

  add(key: string, n = 1): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + n);
  }

  /** As an object of JSON; `__proto__` is a property like any other in it. */
  get counts(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }
}
