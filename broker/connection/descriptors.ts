/**
 * Keeps file descriptors in reserve. At the limit of open files not only sockets fail: the database, the broker's file
 * and downloads can't be opened either. So new sockets are turned away while some descriptors are left.
 */
import { readdirSync, readFileSync } from 'node:fs';

const LIMITS_FILE = '/proc/self/limits';
const OPEN_FOLDER = '/proc/self/fd';
/** Counting thousands takes milliseconds, so it is rare while the limit is far away. */
const COUNT_OFTEN_MS = 500;
const COUNT_SELDOM_MS = 10_000;
/** Above this share of the limit the count is frequent. */
const NEAR = 0.7;

/** The soft limit of open files of this process; undefined where the system doesn't say. */
export function descriptorLimit(): number | undefined {
  try {
    const line = /^Max open files\s+(\d+)/m.exec(readFileSync(LIMITS_FILE, 'utf8'));
    return line ? Number(line[1]) : undefined;
  } catch {
    // Not Linux: only the system's own limit applies.
    return undefined;
  }
}

function countOpen(): number | undefined {
  try {
    return readdirSync(OPEN_FOLDER).length;
  } catch {
    // At the limit the folder itself can't be opened, so all are in use.
    return undefined;
  }
}

export interface DescriptorsOptions {
  /** Descriptors that sockets may not use. */
  reserve: number;
  /** Milliseconds, monotonic. */
  now(): number;
  /** Open sockets, which change between two counts. */
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
  /** Descriptors other than sockets that were open at the last count. */
  #others = 0;

  constructor(options: DescriptorsOptions) {
    this.#options = options;
    this.#limit = 'limit' in options ? options.limit : descriptorLimit();
    this.#count = options.count ?? countOpen;
  }

  get limit(): number | undefined {
    return this.#limit;
  }

  /** The approximate number of open descriptors. */
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
    // With a low limit, the reserve must not take everything.
    return this.#limit - Math.min(this.#options.reserve, this.#limit / 4) - this.open;
  }

  /** Why new sockets are turned away; undefined when there is room. */
  get fault(): string | undefined {
    if (this.room > 0) return undefined;
    return `${this.open} of ${this.#limit} file descriptors are in use: connections are turned away (raise the limit of open files, or lower connectionsMax)`;
  }
}
