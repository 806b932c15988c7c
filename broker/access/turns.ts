/**
 * The turns of costly password checks. One address has few at a time, and addresses take turns, so that a flood of
 * wrong passwords neither fills the thread pool nor keeps others waiting. Within an address its users take turns. A
 * user that proved itself at an address before has turns of its own there. A check is counted as a failure when it
 * begins, and forgiven when it was right: nobody gets more tries by making them all at once.
 */
import type { Gate } from '../connection/connect-queue.ts';
import type { BrokerLimits } from '../limits.ts';
import { CheckRefused, type Turn } from './identity.ts';

export interface TurnsOptions {
  limits: BrokerLimits;
  gate: Gate;
  /** Milliseconds, monotonic. */
  now(): number;
}

interface Job {
  turn: ConnectTurn;
  start(): void;
  refuse(error: CheckRefused): void;
}

/** Those who wait under one key: an address, or a known user at an address. */
class Lane {
  running = 0;
  waiting = 0;
  /** By user, in the order of their turns; none is empty. */
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

  /** Takes out the last of the user who has most waiting; undefined when that would be `user` itself. */
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

/** The turn of one CONNECT. */
export class ConnectTurn implements Turn {
  readonly username: string | undefined;
  readonly address: string;
  /** It was counted as a failure already. */
  counted = false;
  /** Counting it brought a ban. */
  banned = false;
  readonly #turns: Turns;

  constructor(turns: Turns, username: string | undefined, address: string) {
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

export class Turns {
  readonly #options: TurnsOptions;
  /** Lanes where somebody waits or is checked, in the order of their turns. */
  readonly #lanes = new Map<string, Lane>();
  /** Users that proved themselves at an address, the one that did so longest ago first. */
  readonly #known = new Set<string>();
  #running = 0;
  #waiting = 0;

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  /** Checks that wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /** The turn of a CONNECT. */
  of(username: string | undefined, address: string): ConnectTurn {
    return new ConnectTurn(this, username, address);
  }

  /** Whether passwords of this user from there are looked at. @throws CheckRefused */
  admit({ username, address }: ConnectTurn): void {
    const { gate, now } = this.#options;
    if (gate.bansPassword(username, address, this.#isKnown(username, address), now())) {
      throw new CheckRefused('banned');
    }
  }

  /** Somebody proved to be who it says. */
  proved(turn: ConnectTurn, remember: boolean): void {
    const { username, address, counted } = turn;
    if (counted) this.#options.gate.succeeded(username, address);
    if (!remember || username === undefined) return;
    const key = keyOf(username, address);
    this.#known.delete(key);
    if (this.#known.size >= this.#options.limits.watchedMax) {
      this.#known.delete(this.#known.values().next().value as string);
    }
    this.#known.add(key);
  }

  /** Somebody didn't. Returns whether that brought a ban. */
  failed(turn: ConnectTurn): boolean {
    const { gate, now } = this.#options;
    return turn.counted ? turn.banned : gate.failed(turn.username, turn.address, now());
  }

  /** Runs a check when its turn has come. @throws CheckRefused */
  async take<T>(turn: ConnectTurn, check: () => Promise<T>): Promise<T> {
    const { username = '', address } = turn;
    const key = this.#isKnown(turn.username, address) ? keyOf(username, address) : address;
    let lane = this.#lanes.get(key);
    if (!lane) {
      lane = new Lane();
      this.#lanes.set(key, lane);
    }
    await this.#turn(lane, turn);
    try {
      // Others may have brought a ban while it waited.
      this.admit(turn);
      turn.counted = true;
      turn.banned = this.#options.gate.failed(turn.username, address, this.#options.now());
      return await check();
    } finally {
      lane.running--;
      this.#running--;
      if (lane.running === 0 && lane.waiting === 0) this.#lanes.delete(key);
      this.#advance();
    }
  }

  #turn(lane: Lane, turn: ConnectTurn): Promise<void> {
    const { passwordChecksWaitingMax, passwordChecksWaitingPerAddressMax } = this.#options.limits;
    const user = turn.username ?? '';
    return new Promise((start, refuse) => {
      if (this.#waiting >= passwordChecksWaitingMax || lane.waiting >= passwordChecksWaitingPerAddressMax) {
        const displaced = lane.displace(user);
        if (!displaced) {
          refuse(new CheckRefused('checks-waiting'));
          return;
        }
        this.#waiting--;
        displaced.refuse(new CheckRefused('checks-waiting'));
      }
      lane.push(user, { turn, start, refuse });
      this.#waiting++;
      this.#advance();
    });
  }

  /** Begins as many checks as may run, one of each lane in turn. */
  #advance(): void {
    const { passwordChecksMax, passwordChecksPerAddressMax } = this.#options.limits;
    let idle = 0;
    while (this.#running < passwordChecksMax && this.#waiting > 0 && idle < this.#lanes.size) {
      const [key, lane] = this.#lanes.entries().next().value as [string, Lane];
      this.#lanes.delete(key);
      this.#lanes.set(key, lane);
      if (lane.waiting === 0 || lane.running >= passwordChecksPerAddressMax) {
        idle++;
        continue;
      }
      idle = 0;
      lane.running++;
      this.#running++;
      this.#waiting--;
      lane.next().start();
    }
  }

  #isKnown(username: string | undefined, address: string): boolean {
    return username !== undefined && this.#known.has(keyOf(username, address));
  }
}

function keyOf(username: string, address: string): string {
  return `${username}@${address}`;
}
