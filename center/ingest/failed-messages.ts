/**
 * Messages that keep failing although the store works. A message that could not be stored isn't acknowledged and comes
 * again, which is right for an outage. One that fails because of a bug of ours would come forever, and over a foreign
 * broker it would block all others. After a few tries it is set aside.
 */

/** SQLSTATE classes that describe the server's state: connection, resources, shutdown, system, read-only. */
const OUTAGE_STATES = /^(08|25|40|53|55|57|58|F0|XX)...$/;

/** Whether an error means that the store is unavailable, so the message is not to blame. */
function isOutage(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { code } = error as { code?: unknown };
  // Without a code: an error of the pool itself ("Connection terminated", "Client has encountered a connection error").
  if (typeof code !== 'string') return !(error instanceof TypeError || error instanceof RangeError);
  return OUTAGE_STATES.test(code) || /^E[A-Z]+$/.test(code);
}

interface Tries {
  count: number;
  /** Number of messages of its kind stored by then. */
  storedThen: number;
}

export class FailedMessages {
  readonly #tries = new Map<string, Tries>();
  readonly #limits: { tries_max: number; remembered_max: number };

  constructor(limits: { tries_max: number; remembered_max: number }) {
    this.#limits = limits;
  }

  /**
   * Notes that a message failed. Failures only count when others of its kind were stored in between, because then the
   * store works.
   * @param stored messages of its kind stored since the start
   * @returns the number of tries when it should be set aside, otherwise undefined
   */
  failed(message: string, error: unknown, stored: number): number | undefined {
    if (isOutage(error)) return undefined;
    const before = this.#tries.get(message);
    if (before && before.storedThen === stored) return undefined;
    const count = (before?.count ?? 0) + 1;
    this.#tries.delete(message);
    if (count >= this.#limits.tries_max) return count;
    for (const oldest of this.#tries.keys()) {
      if (this.#tries.size < this.#limits.remembered_max) break;
      this.#tries.delete(oldest);
    }
    this.#tries.set(message, { count, storedThen: stored });
    return undefined;
  }
}
