/** Counts by untrusted keys, which may collide with properties of `Object.prototype`, such as `constructor`. */
export class Tally {
  readonly #counts = new Map<string, number>();

  add(key: string, n = 1): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + n);
  }

  /** The counts as a JSON object, in which `__proto__` is an ordinary property. */
  get counts(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }
}
