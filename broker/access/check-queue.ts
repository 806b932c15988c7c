/**
 * The queue of costly password checks. Each address may run a few at a time and addresses take turns, so a flood of
 * wrong passwords neither fills the thread pool nor delays others. The users of one address take turns too, and a user
 * who logged in from there before has a separate queue. A check counts as a failure when it starts, and the count is
 * taken back if the password was right, so running many checks in parallel gains no extra attempts.
 */
import type { ConnectQueue } from '../connection/connect-queue.ts';
import type { BrokerLimits } from '../limits.ts';
import { CheckRefused, type Turn } from './identity.ts';

export interface CheckQueueOptions {
  limits: BrokerLimits;
  connectQueue: ConnectQueue;
  /** Milliseconds, monotonic. */
  now(): number;
}

interface Job {
  turn: CheckTurn;
  start(): void;
  refuse(error: CheckRefused): void;
}

/** The waiting checks of one address, or of one known user at an address. Its users take turns. */
class FairQueue {
  running = 0;
  waiting = 0;
  /** By user, in the order of their turns. No list is empty. */
  readonly #byUser = new Map<string, Job[]>();

  push(user: string, job: Job): void {
    const jobs = this.#byUser.get(user);
    if (jobs) jobs.push(job);
    else this.#byUser.set(user, [job]);
    this.waiting++;
  }

  next(): Job {
    const [user, jobs] = this.#byUser.entries().next().value as [string, Job[]];
    const job = jobs.shift() as Job;
    this.#byUser.delete(user);
    if (jobs.length > 0) this.#byUser.set(user, jobs);
    this.waiting--;
    return job;
  }

  /** Removes the last check of the user with the most checks; undefined when that is `user` itself. */
  displace(user: string): Job | undefined {
    let most: [string, Job[]] | undefined;
    for (const entry of this.#byUser) if (!most || entry[1].length > most[1].length) most = entry;
    const own = this.#byUser.get(user)?.length ?? 0;
    if (!most || own >= most[1].length) return undefined;
    const job = most[1].pop() as Job;
    if (most[1].length === 0) this.#byUser.delete(most[0]);
    this.waiting--;
    return job;
  }
}

/** The password check of one CONNECT. */
export class CheckTurn implements Turn {
  readonly username: string | undefined;
  readonly address: string;
  /** It was counted as a failure. */
  counted = false;
  /** Counting it triggered a ban. */
  banned = false;
  readonly #turns: CheckQueue;

  constructor(turns: CheckQueue, username: string | undefined, address: string) {
    this.#turns = turns;
    this.username = username;
    this.address = address;
  }

  admit(): void {
    this.#turns.admit(this);
  }

  take<T>(check: () => Promise<T>): Promise<T> {
    return this.#turns.take(this, check);
  }
}

export class CheckQueue {
  readonly #options: CheckQueueOptions;
  /** Queues with a waiting or running check, in the order of their turns. */
  readonly #queues = new Map<string, FairQueue>();
  /** Users that logged in from an address, oldest login first. */
  readonly #known = new Set<string>();
  #running = 0;
  #waiting = 0;

  constructor(options: CheckQueueOptions) {
    this.#options = options;
  }

  /** The number of waiting checks. */
  get waiting(): number {
    return this.#waiting;
  }

  /** The check of a CONNECT. */
  of(username: string | undefined, address: string): CheckTurn {
    return new CheckTurn(this, username, address);
  }

  /** Throws when this user is banned at this address. @throws CheckRefused */
  admit({ username, address }: CheckTurn): void {
    const { connectQueue, now } = this.#options;
    if (connectQueue.bansPassword(username, address, this.#isKnown(username, address), now())) {
      throw new CheckRefused('banned');
    }
  }

  /** The credentials were right. */
  proved(turn: CheckTurn, remember: boolean): void {
    const { username, address, counted } = turn;
    if (counted) this.#options.connectQueue.succeeded(username, address);
    if (!remember || username === undefined) return;
    const key = keyOf(username, address);
    this.#known.delete(key);
    if (this.#known.size >= this.#options.limits.watchedMax) {
      this.#known.delete(this.#known.values().next().value as string);
    }
    this.#known.add(key);
  }

  /** The credentials were wrong. Returns whether that triggered a ban. */
  failed(turn: CheckTurn): boolean {
    const { connectQueue, now } = this.#options;
    return turn.counted ? turn.banned : connectQueue.failed(turn.username, turn.address, now());
  }

  /** Runs a check when its turn comes. @throws CheckRefused */
  async take<T>(turn: CheckTurn, check: () => Promise<T>): Promise<T> {
    const { username = '', address } = turn;
    const key = this.#isKnown(turn.username, address) ? keyOf(username, address) : address;
    let queue = this.#queues.get(key);
    if (!queue) {
      queue = new FairQueue();
      this.#queues.set(key, queue);
    }
    await this.#turn(queue, turn);
    try {
      // A ban may have begun while it waited.
      this.admit(turn);
      turn.counted = true;
      turn.banned = this.#options.connectQueue.failed(turn.username, address, this.#options.now());
      return await check();
    } finally {
      queue.running--;
      this.#running--;
      if (queue.running === 0 && queue.waiting === 0) this.#queues.delete(key);
      this.#advance();
    }
  }

  #turn(queue: FairQueue, turn: CheckTurn): Promise<void> {
    const { passwordChecksWaitingMax, passwordChecksWaitingPerAddressMax } = this.#options.limits;
    const user = turn.username ?? '';
    return new Promise((start, refuse) => {
      if (this.#waiting >= passwordChecksWaitingMax || queue.waiting >= passwordChecksWaitingPerAddressMax) {
        const displaced = queue.displace(user);
        if (!displaced) {
          refuse(new CheckRefused('checks-waiting'));
          return;
        }
        this.#waiting--;
        displaced.refuse(new CheckRefused('checks-waiting'));
      }
      queue.push(user, { turn, start, refuse });
      this.#waiting++;
      this.#advance();
    });
  }

  /** Starts as many checks as are allowed, one from each queue in turn. */
  #advance(): void {
    const { passwordChecksMax, passwordChecksPerAddressMax } = this.#options.limits;
    let idle = 0;
    while (this.#running < passwordChecksMax && this.#waiting > 0 && idle < this.#queues.size) {
      const [key, queue] = this.#queues.entries().next().value as [string, FairQueue];
      this.#queues.delete(key);
      this.#queues.set(key, queue);
      if (queue.waiting === 0 || queue.running >= passwordChecksPerAddressMax) {
        idle++;
        continue;
      }
      idle = 0;
      queue.running++;
      this.#running++;
      this.#waiting--;
      queue.next().start();
    }
  }

  #isKnown(username: string | undefined, address: string): boolean {
    return username !== undefined && this.#known.has(keyOf(username, address));
  }
}

function keyOf(username: string, address: string): string {
  return `${username}@${address}`;
}
