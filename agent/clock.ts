/**
 * Time as the agent sees it. It is passed in, so that tests and simulations can run hours in a moment.
 */

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Runs `task` after `ms` milliseconds unless the returned function is called first. */
  after(ms: number, task: () => void): () => void;
}

/** Node's timers overflow above 2^31 − 1 ms and would fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** The computer's clock and Node's timers. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, task) {
    const timer = setTimeout(task, Math.min(Math.max(0, ms), TIMER_MS_MAX));
    return () => clearTimeout(timer);
  },
};

interface Waiting {
  at: number;
  order: number;
  task: () => void;
}

/** A clock that only moves when it is told to: for deterministic tests and simulations in virtual time. */
export class VirtualClock implements Clock {
  #now: number;
  #order = 0;
  #waiting: Waiting[] = [];

  constructor(start = Date.parse('2026-01-01T00:00:00Z')) {
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  after(ms: number, task: () => void): () => void {
    const entry = { at: this.#now + Math.max(0, ms), order: this.#order++, task };
    this.#waiting.push(entry);
    return () => {
      const index = this.#waiting.indexOf(entry);
      if (index >= 0) this.#waiting.splice(index, 1);
    };
  }

  /**
   * Moves time on by `ms`, running what falls due in its order. Between two tasks pending promises get their turn,
   * so that asynchronous code under test keeps pace with the clock.
   */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await settle();
      const next = this.#waiting
        .filter((entry) => entry.at <= end)
        .sort((a, b) => a.at - b.at || a.order - b.order)[0];
      if (!next) break;
      this.#waiting.splice(this.#waiting.indexOf(next), 1);
      this.#now = Math.max(this.#now, next.at);
      next.task();
    }
    this.#now = end;
    await settle();
  }
}

/** Lets promises that are already settled run their continuations. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
