/**
 * Messages that fail again and again although the store works. A message that could not be stored isn't acknowledged
 * and comes again, which mends an outage; one that fails for a fault of ours would come for ever, and over a foreign
 * broker nobody else would be served meanwhile. After a few tries it is set aside.
 */

/** Classes of SQLSTATE that tell of the server's state: connection, resources, shutdown, system, read-only. */
const OUTAGE_STATES = /^(08|25|40|53|55|57|58|F0|XX)...$/;

/** Whether an error tells that the store is not there, or not now: no fault of the message. */
function isOutage(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { code } = error as { code?: unknown };
  // Without a code: the pool's own ("Connection terminated", "Client has encountered a connection error").
  if (typeof code !== 'string') return !(error instanceof TypeError || error instanceof RangeError);
  return OUTAGE_STATES.test(code) || /^E[A-Z]+$/.test(code);
}

interface Tries {
  count: number;
  /** Messages of its kind that were stored until then. */
  storedThen: number;
}

export class FailedMessages {
  readonly #tries = new Map<string, Tries>();
  readonly #limits: { tries_max: number; remembered_max: number };

  constructor(limits: { tries_max: number; remembered_max: number }) {
    this.#limits = limits;
  }

  /**
   * A message failed. Only failures between which others of its kind were stored count: then it isn't the store.
   * @param stored messages of its kind that were stored since the start
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
