/** The agent's clock. It is passed in, so that tests and simulations can run hours in a moment. */

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

interface Timer {
  at: number;
  /** Tasks due at the same time run in the order in which they were scheduled. */
  order: number;
  /** Undefined once cancelled. */
  task: (() => void) | undefined;
}

function before(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** A clock that is advanced by hand, for deterministic tests and for simulations in virtual time. */
export class VirtualClock implements Clock {
  #now: number;
  #order = 0;
  /** Binary heap, the earliest first. */
  readonly #heap: Timer[] = [];

  constructor(start = Date.parse('2026-01-01T00:00:00Z')) {
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  after(ms: number, task: () => void): () => void {
    const entry: Timer = { at: this.#now + Math.max(0, ms), order: this.#order++, task };
    this.#heap.push(entry);
    this.#up(this.#heap.length - 1);
    return () => {
      entry.task = undefined;
    };
  }

  /** Advances time by `ms` and runs due tasks in order, without yielding. For code that awaits nothing. */
  run(ms: number): void {
    const end = this.#now + ms;
    while (this.#runNext(end));
    this.#now = end;
  }

  /**
   * Advances time by `ms` and runs due tasks in order. Pending promises run between two tasks, so that asynchronous
   * code under test keeps pace with the clock.
   */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    do await settle();
    while (this.#runNext(end));
    this.#now = end;
    await settle();
  }

  /** Runs the earliest task that is due by `end`. False when there is none. */
  #runNext(end: number): boolean {
    for (;;) {
      const next = this.#heap[0];
      if (!next || next.at > end) return false;
      const last = this.#heap.pop() as Timer;
      if (last !== next) {
        this.#heap[0] = last;
        this.#down(0);
      }
      if (!next.task) continue;
      this.#now = Math.max(this.#now, next.at);
      next.task();
      return true;
    }
  }

  #up(from: number): void {
    let index = from;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#swapUnless(parent, index)) return;
      index = parent;
    }
  }

  #down(from: number): void {
    let index = from;
    for (;;) {
      const left = 2 * index + 1;
      const [a, b] = [this.#heap[left], this.#heap[left + 1]];
      if (!a) return;
      const child = b && before(b, a) ? left + 1 : left;
      if (!this.#swapUnless(index, child)) return;
      index = child;
    }
  }

  /** Swaps the two unless `upper` comes before `lower` already. True when it did. */
  #swapUnless(upper: number, lower: number): boolean {
    const [a, b] = [this.#heap[upper] as Timer, this.#heap[lower] as Timer];
    if (before(a, b)) return false;
    this.#heap[upper] = b;
    this.#heap[lower] = a;
    return true;
  }
}

/** Lets promises that have already settled run their continuations. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
