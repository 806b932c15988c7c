/**
 * Marks what answers a question of somebody, through all that is called for it: the database runs such statements on
 * connections of their own, so that questions, however slow and however many, hold up nothing that is being stored.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

const asking = new AsyncLocalStorage<string>();

/** Runs work that only reads, for the operator who asked. */
export function answering<T>(operator: string, work: () => Promise<T>): Promise<T> {
  return asking.run(operator, work);
}

/** For whom the caller answers; undefined outside of `answering`. */
export function askedBy(): string | undefined {
  return asking.getStore();
}

/** Lets everybody have so many things under way; who has them waits, and keeps nobody else waiting. */
export class TurnsByName {
  readonly #max: number;
  readonly #names = new Map<string, { running: number; waiting: (() => void)[] }>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Runs `work` when it is its turn. */
  async run<T>(name: string, work: () => Promise<T>): Promise<T> {
    let turns = this.#names.get(name);
    if (!turns) {
      turns = { running: 0, waiting: [] };
      this.#names.set(name, turns);
    }
    const { waiting } = turns;
    // Whoever ends gives its place to the next one, so it stays counted.
    if (turns.running < this.#max) turns.running += 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else {
        turns.running -= 1;
        if (turns.running === 0) this.#names.delete(name);
      }
    }
  }
}
