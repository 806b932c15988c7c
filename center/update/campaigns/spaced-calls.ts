/** Calls a function for ids, at most once per interval for the same id. */
export class SpacedCalls {
  readonly #everyMs: number;
  readonly #now: () => number;
  readonly #call: (id: string) => Promise<void>;
  readonly #states = new Map<string, { timer?: NodeJS.Timeout; last: number }>();
  #stopped = false;

  constructor(everyMs: number, now: () => number, call: (id: string) => Promise<void>) {
    this.#everyMs = everyMs;
    this.#now = now;
    this.#call = call;
  }

  /** Schedules a call for this id; several requests make one call. */
  soon(id: string): void {
    if (this.#stopped) return;
    const state = this.#states.get(id) ?? { last: 0 };
    if (state.timer) return;
    state.timer = setTimeout(
      () => {
        this.#states.set(id, { last: this.#now() });
        void this.#call(id);
      },
      Math.max(0, state.last + this.#everyMs - this.#now()),
    );
    this.#states.set(id, state);
  }

  /** Makes no further calls. */
  stop(): void {
    this.#stopped = true;
    for (const { timer } of this.#states.values()) clearTimeout(timer);
  }
}
