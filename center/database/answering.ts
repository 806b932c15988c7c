/**
 * Marks work that answers an operator's question, through all its calls. The database runs its statements on separate
 * connections, so that slow questions, however many, don't delay anything that is being stored.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

const asking = new AsyncLocalStorage<string>();

/** Runs read-only work for the operator who asked. */
export function answering<T>(operator: string, work: () => Promise<T>): Promise<T> {
  return asking.run(operator, work);
}

/** The operator for whom the caller works; undefined outside of `answering`. */
export function askedBy(): string | undefined {
  return asking.getStore();
}

/** Limits the work under way per name. Work above the limit waits without delaying other names. */
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
    // The finished work passes its place on to the next, so the count stays.
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
