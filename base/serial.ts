/** Runs asynchronous work one piece at a time, in the order in which it was submitted. */
export class Serial {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `work` when everything submitted before it has settled. Settles as `work` does. */
  run<T>(work: () => Promise<T> | T): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Resolves when everything submitted so far has settled. */
  async idle(): Promise<void> {
    await this.#last;
  }
}

/** The same for each of many keys: work of one key runs in order, different keys don't wait for each other. */
export class SerialByKey {
  readonly #last = new Map<string, Promise<unknown>>();

  run<T>(key: string, work: () => Promise<T> | T): Promise<T> {
    const result = (this.#last.get(key) ?? Promise.resolve()).then(work);
    const ended = result
      .catch(() => undefined)
      .then(() => {
        if (this.#last.get(key) === ended) this.#last.delete(key);
      });
    this.#last.set(key, ended);
    return result;
  }

  /** Resolves when everything submitted so far has settled. */
  async idle(): Promise<void> {
    await Promise.all(this.#last.values());
  }
}
