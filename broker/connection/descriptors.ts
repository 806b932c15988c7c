/**
 * How many file descriptors this process may have and has. At the limit not only new sockets fail: the database, the
 * broker's own file and downloads can't be opened either. So new sockets are turned away while a reserve is left.
 */
import { readdirSync, readFileSync } from 'node:fs';

const LIMITS_FILE = '/proc/self/limits';
const OPEN_FOLDER = '/proc/self/fd';
/** Counting takes milliseconds when there are thousands: far from the limit it is done seldom. */
const COUNT_OFTEN_MS = 500;
const COUNT_SELDOM_MS = 10_000;
/** Above this share of the limit it is counted often. */
const NEAR = 0.7;

/** The soft limit of open files of this process; undefined where the system doesn't tell. */
export function descriptorLimit(): number | undefined {
  try {
    const line = /^Max open files\s+(\d+)/m.exec(readFileSync(LIMITS_FILE, 'utf8'));
    return line ? Number(line[1]) : undefined;
  } catch {
    // Not Linux: there the system itself refuses what is too much.
    return undefined;
  }
}

function countOpen(): number | undefined {
  try {
    return readdirSync(OPEN_FOLDER).length;
  } catch {
    // At the very limit not even the folder can be opened: all are in use.
    return undefined;
  }
}

export interface DescriptorsOptions {
  /** How many are kept free of sockets. */
  reserve: number;
  /** Milliseconds, monotonic. */
  now(): number;
  /** Sockets that are open, as far as they are known: what changes between two counts. */
  sockets(): number;
  limit?: number | undefined;
  count?: () => number | undefined;
}

/** Whether there is room for another socket. */
export class Descriptors {
  readonly #options: DescriptorsOptions;
  readonly #limit: number | undefined;
  readonly #count: () => number | undefined;
  #countedAt = Number.NEGATIVE_INFINITY;
  /** Open at the last count, sockets aside. */
  #others = 0;

  constructor(options: DescriptorsOptions) {
    this.#options = options;
    this.#limit = 'limit' in options ? options.limit : descriptorLimit();
    this.#count = options.count ?? countOpen;
  }

  get limit(): number | undefined {
    return this.#limit;
  }

  /** How many are open, about. */
  get open(): number {
    const { now, sockets } = this.#options;
    const limit = this.#limit ?? Number.POSITIVE_INFINITY;
    const open = this.#others + sockets();
    const every = open > limit * NEAR ? COUNT_OFTEN_MS : COUNT_SELDOM_MS;
    if (this.#limit === undefined || now() - this.#countedAt < every) return open;
    this.#countedAt = now();
    const counted = this.#count() ?? limit;
    this.#others = Math.max(0, counted - sockets());
    return counted;
  }

  /** How many sockets may still be opened before the reserve begins. */
  get room(): number {
    if (this.#limit === undefined) return Number.POSITIVE_INFINITY;
    // Where few are allowed the reserve must not take them all.
    return this.#limit - Math.min(this.#options.reserve, this.#limit / 4) - this.open;
  }

  /** Why the process isn't well; undefined when there is room. */
  get fault(): string | undefined {
    if (this.room > 0) return undefined;
    return `${this.open} of ${this.#limit} file descriptors are in use: connections are turned away (raise the limit of open files, or lower connectionsMax)`;
  }
}
