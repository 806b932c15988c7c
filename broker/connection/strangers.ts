/**
 * Sockets that have not sent CONNECT yet. They have a separate pool, so they never take the places of clients. When the
 * pool is full, or one address has used up its share, a random stranger is closed to make room. A real client leaves
 * the pool within milliseconds and is hardly ever picked; silent sockets push one another out.
 */

/** One socket in the pool. */
export interface Stranger {
  readonly address: string;
  /** Takes it out of the pool: it sent CONNECT, or it is closed. May be called more than once. */
  leave(): void;
}

export interface StrangersOptions {
  /** Over all addresses. */
  max: number;
  perAddressMax: number;
  /** From 0 up to 1; `Math.random` outside of tests. */
  random?: () => number;
}

/** Why a stranger was closed. */
export type StrangerDrop = 'strangers' | 'strangers-per-address';

class Entry implements Stranger {
  readonly address: string;
  readonly drop: (reason: StrangerDrop) => void;
  readonly #pool: Strangers;
  /** Its index in each of the two lists; -1 when it left. */
  place = -1;
  placeThere = -1;

  constructor(pool: Strangers, address: string, drop: (reason: StrangerDrop) => void) {
    this.#pool = pool;
    this.address = address;
    this.drop = drop;
  }

  leave(): void {
    this.#pool.remove(this);
  }
}

export class Strangers {
  readonly #options: StrangersOptions;
  readonly #random: () => number;
  readonly #all: Entry[] = [];
  readonly #byAddress = new Map<string, Entry[]>();

  constructor(options: StrangersOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
  }

  get size(): number {
    return this.#all.length;
  }

  /**
   * Adds a socket. `drop` is called later if it must make room; by then it has left the pool. An address that
   * represents many clients (a trusted proxy) is `exempt` from the limit per address.
   */
  enter(address: string, drop: (reason: StrangerDrop) => void, exempt = false): Stranger {
    const { max, perAddressMax } = this.#options;
    const there = this.#byAddress.get(address);
    if (!exempt && there && there.length >= perAddressMax) this.#dropOne(there, 'strangers-per-address');
    else if (this.#all.length >= max) this.#dropOne(this.#all, 'strangers');
    const entry = new Entry(this, address, drop);
    entry.place = this.#all.push(entry) - 1;
    const list = this.#byAddress.get(address);
    if (list) entry.placeThere = list.push(entry) - 1;
    else {
      entry.placeThere = 0;
      this.#byAddress.set(address, [entry]);
    }
    return entry;
  }

  /** Drops a random socket. Returns false when the pool is empty. */
  dropAny(): boolean {
    if (this.#all.length === 0) return false;
    this.#dropOne(this.#all, 'strangers');
    return true;
  }

  remove(entry: Entry): void {
    if (entry.place < 0) return;
    const last = this.#all.pop() as Entry;
    if (last !== entry) {
      this.#all[entry.place] = last;
      last.place = entry.place;
    }
    const there = this.#byAddress.get(entry.address) as Entry[];
    const lastThere = there.pop() as Entry;
    if (lastThere !== entry) {
      there[entry.placeThere] = lastThere;
      lastThere.placeThere = entry.placeThere;
    }
    if (there.length === 0) this.#byAddress.delete(entry.address);
    entry.place = -1;
  }

  #dropOne(from: Entry[], reason: StrangerDrop): void {
    const entry = from[Math.floor(this.#random() * from.length)] as Entry;
    this.remove(entry);
    entry.drop(reason);
  }
}
