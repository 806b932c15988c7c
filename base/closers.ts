/**
 * Parts that were opened, to be closed in reverse order. All are closed even when some fail to, so a start that fails
 * half-way leaves nothing open.
 */
export class Closers {
  readonly #onError: (error: unknown) => void;
  readonly #closers: (() => Promise<void> | void)[] = [];

  /** @param onError is called for each part that did not close cleanly */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  add(close: () => Promise<void> | void): void {
    this.#closers.push(close);
  }

  /** Closes what was opened since the last call. Never rejects. */
  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) {
      try {
        await close();
      } catch (error) {
        this.#onError(error);
      }
    }
  }

  /** Runs `open`; when it fails, what was opened so far is closed again. */
  async orClose<T>(open: () => Promise<T>): Promise<T> {
    try {
      return await open();
    } catch (error) {
      await this.close();
      throw error;
    }
  }
}
