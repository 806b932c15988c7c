/**
 * Who may begin a connection, and when. Accepted sockets beyond the pace wait unread, in order, so that in a storm
 * those that are served are served to the end; ids, users and addresses that connect over and over, or try passwords,
 * are banned for a while.
 */
import type { BrokerLimits } from '../limits.ts';

/** A connection that waits: called when its turn has come, or told that there is no place for it. */
export interface Waiting {
  address: string;
  begin(): void;
  turnAway(reason: string): void;
  readonly gone: boolean;
}

interface Watched {
  since: number;
  connects: number;
  failures: number;
  bannedUntil: number;
}

/** Watches one kind of name (ids, users, addresses). Bounded: the one seen first gives way. */
class Watch {
  readonly #limits: BrokerLimits;
  readonly #seen = new Map<string, Watched>();
  /** Until when some ban lasts: mostly there is none, and then no name has to be looked up. */
  #bansUntil = 0;

  constructor(limits: BrokerLimits) {
    this.#limits = limits;
  }

  /** Whether anybody is banned. */
  bans(now: number): boolean {
    return this.#bansUntil > now;
  }

  banned(name: string, now: number): boolean {
    return (this.#seen.get(name)?.bannedUntil ?? 0) > now;
  }

  /** Counts a connect or a failure; true when this one brings the ban. */
  count(name: string, kind: 'connects' | 'failures', most: number, now: number): boolean {
    let entry = this.#seen.get(name);
    if (!entry || now - entry.since > this.#limits.flapWindowMs) {
      if (!entry && this.#seen.size >= this.#limits.watchedMax) {
        this.#seen.delete(this.#seen.keys().next().value as string);
      }
      entry = { since: now, connects: 0, failures: 0, bannedUntil: entry?.bannedUntil ?? 0 };
      this.#seen.set(name, entry);
    }
    entry[kind]++;
    if (entry[kind] <= most || entry.bannedUntil > now) return false;
    entry.bannedUntil = now + this.#limits.flapBanMs;
    this.#bansUntil = Math.max(this.#bansUntil, entry.bannedUntil);
    return true;
  }
}

export class Gate {
  readonly #limits: BrokerLimits;
  readonly #clients: Watch;
  readonly #users: Watch;
  readonly #addresses: Watch;
  readonly #perAddress = new Map<string, number>();
  #waiting: Waiting[] = [];
  #head = 0;
  #tokens: number;
  #filledAt: number;

  constructor(limits: BrokerLimits, now: number) {
    this.#limits = limits;
    this.#clients = new Watch(limits);
    this.#users = new Watch(limits);
    this.#addresses = new Watch(limits);
    this.#tokens = this.#burst;
    this.#filledAt = now;
  }

  get waiting(): number {
    return this.#waiting.length - this.#head;
  }

  get #burst(): number {
    return Math.max(1, this.#limits.connectsPerSecondMax / 4);
  }

  /** A socket was accepted; `open` is how many connections there are. It begins now, later, or is turned away. */
  enter(connection: Waiting, open: number, now: number): void {
    const { address } = connection;
    const limits = this.#limits;
    const fromThere = this.#perAddress.get(address) ?? 0;
    const reason =
      open >= limits.connectionsMax
        ? 'connections'
        : fromThere >= limits.connectionsPerAddressMax
          ? 'connections-per-address'
          : this.#addresses.banned(address, now)
            ? 'banned'
            : this.waiting >= limits.waitingConnectionsMax
              ? 'connections-waiting'
              : undefined;
    if (reason !== undefined) {
      connection.turnAway(reason);
      return;
    }
    this.#perAddress.set(address, fromThere + 1);
    if (this.waiting === 0 && this.#take(now)) connection.begin();
    else this.#waiting.push(connection);
  }

  /** A connection that had entered is over. */
  leave(address: string): void {
    const left = (this.#perAddress.get(address) ?? 1) - 1;
    if (left <= 0) this.#perAddress.delete(address);
    else this.#perAddress.set(address, left);
  }

  /** Lets those begin whose turn has come. Called many times a second while somebody waits. */
  advance(now: number): void {
    while (this.waiting > 0) {
      const next = this.#waiting[this.#head] as Waiting;
      if (!next.gone && !this.#take(now)) break;
      this.#head++;
      if (!next.gone) next.begin();
    }
    if (this.waiting === 0 || this.#head > 1_024) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Whether any client or user is banned at all: mostly nobody is, and `refuses` need not be asked. */
  bans(now: number): boolean {
    return this.#clients.bans(now) || this.#users.bans(now);
  }

  /** CONNECT came: whether that client, or that user from there, is banned. */
  refuses(key: string, username: string | undefined, address: string, now: number): boolean {
    // A user is banned only where the failures came from: else anybody could lock anybody out.
    return this.#clients.banned(key, now) || this.#users.banned(`${username ?? ''}@${address}`, now);
  }

  /** A client was let in. An address may have many clients, so it is only watched for failures. Returns a new ban. */
  connected(key: string, now: number): boolean {
    return this.#clients.count(key, 'connects', this.#limits.flapConnectsMax, now);
  }

  /** Credentials were wrong. Returns whether this brought a ban. */
  failed(username: string | undefined, address: string, now: number): boolean {
    const most = this.#limits.failuresMax;
    const user = this.#users.count(`${username ?? ''}@${address}`, 'failures', most, now);
    // One address may hide a whole site behind a proxy: it takes many names failing to ban it.
    const there = this.#addresses.count(address, 'failures', most * 10, now);
    return user || there;
  }

  #take(now: number): boolean {
    const rate = this.#limits.connectsPerSecondMax;
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#filledAt) / 1_000) * rate);
    this.#filledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
