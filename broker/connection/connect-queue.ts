/**
 * Who may begin a connection, and when. Accepted sockets beyond the pace wait unread, so that in a storm those that are
 * served are served to the end: one queue for each address, served in turn, so that a flood from one address delays
 * nobody else. Until CONNECT a socket is a stranger, in a pool of its own. Ids and users that connect over and over, or
 * try passwords, are banned for a while.
 */
import type { BrokerLimits } from '../limits.ts';
import { type Stranger, type StrangerDrop, Strangers } from './strangers.ts';

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

  /** Takes one failure back. */
  forgive(name: string): void {
    const entry = this.#seen.get(name);
    if (entry && entry.failures > 0) entry.failures--;
  }
}

/** What the gate needs to know of the process. */
export interface ProcessState {
  /** Clients whose CONNECT was accepted. */
  clients(): number;
  /** Sockets that may still be opened before the reserve of file descriptors begins. */
  room(): number;
}

const UNLIMITED: ProcessState = { clients: () => 0, room: () => Number.POSITIVE_INFINITY };

/** The sockets of one address that wait, first come first served. */
class AddressQueue {
  #list: Waiting[] = [];
  #head = 0;

  get length(): number {
    return this.#list.length - this.#head;
  }

  push(connection: Waiting): void {
    this.#list.push(connection);
  }

  get first(): Waiting | undefined {
    return this.#list[this.#head];
  }

  shift(): void {
    this.#head++;
    if (this.#head <= 1_024) return;
    this.#list = this.#list.slice(this.#head);
    this.#head = 0;
  }

  pop(): Waiting | undefined {
    return this.length > 0 ? this.#list.pop() : undefined;
  }
}

export class ConnectQueue {
  readonly #limits: BrokerLimits;
  readonly #process: ProcessState;
  readonly #clients: Watch;
  readonly #users: Watch;
  readonly #addresses: Watch;
  readonly #strangers: Strangers;
  readonly #perAddress = new Map<string, number>();
  /** Queues that aren't empty, in the order of their turns. */
  readonly #queues = new Map<string, AddressQueue>();
  #waiting = 0;
  #sockets = 0;
  #tokens: number;
  #filledAt: number;

  constructor(limits: BrokerLimits, now: number, process: ProcessState = UNLIMITED) {
    this.#limits = limits;
    this.#process = process;
    this.#clients = new Watch(limits);
    this.#users = new Watch(limits);
    this.#addresses = new Watch(limits);
    this.#strangers = new Strangers({
      max: limits.strangersMax,
      perAddressMax: limits.strangersPerAddressMax,
    });
    this.#tokens = this.#burst;
    this.#filledAt = now;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Sockets that began and have not said CONNECT yet. */
  get strangers(): number {
    return this.#strangers.size;
  }

  /** All sockets that entered and are not over. */
  get sockets(): number {
    return this.#sockets;
  }

  get #burst(): number {
    return Math.max(1, this.#limits.connectsPerSecondMax / 4);
  }

  /** A socket was accepted. It begins now, later, or is turned away. */
  enter(connection: Waiting, now: number): void {
    const { address } = connection;
    const reason = this.#refusal(address);
    if (reason !== undefined) {
      connection.turnAway(reason);
      return;
    }
    this.#count(address, 1);
    if (this.#waiting === 0 && this.#take(now)) {
      connection.begin();
      return;
    }
    let queue = this.#queues.get(address);
    if (!queue) {
      queue = new AddressQueue();
      this.#queues.set(address, queue);
    }
    queue.push(connection);
    this.#waiting++;
  }

  /** A connection that had entered is over. */
  leave(address: string): void {
    this.#count(address, -1);
  }

  /** A socket that entered under a proxy's address turns out to be of another; a reason when there is no place for it. */
  move(from: string, to: string): string | undefined {
    if (from === to) return undefined;
    if ((this.#perAddress.get(to) ?? 0) >= this.#limits.connectionsPerAddressMax)
      return 'connections-per-address';
    this.#count(from, -1);
    this.#count(to, 1);
    return undefined;
  }

  /** A socket began: until it says CONNECT it is a stranger, which may have to give way to others. */
  stranger(address: string, drop: (reason: StrangerDrop) => void, exempt = false): Stranger {
    return this.#strangers.enter(address, drop, exempt);
  }

  /** Lets those begin whose turn has come. Called many times a second while somebody waits. */
  advance(now: number): void {
    while (this.#waiting > 0) {
      const [address, queue] = this.#queues.entries().next().value as [string, AddressQueue];
      const next = queue.first as Waiting;
      if (!next.gone && !this.#take(now)) return;
      queue.shift();
      this.#waiting--;
      // One of each address, then it is the next one's turn.
      this.#queues.delete(address);
      if (queue.length > 0) this.#queues.set(address, queue);
      if (!next.gone) next.begin();
    }
  }

  /** Whether any client is banned at all: mostly nobody is, and `refuses` need not be asked. */
  bans(now: number): boolean {
    return this.#clients.bans(now);
  }

  /** CONNECT came: whether that client is banned. */
  refuses(key: string, now: number): boolean {
    return this.#clients.banned(key, now);
  }

  /**
   * Whether passwords of that user from there aren't looked at for now. A user is banned only where the failures came
   * from, else anybody could lock anybody out; an address only for users that never proved themselves there (`known`),
   * else one bad machine could lock out its neighbours behind the same proxy.
   */
  bansPassword(username: string | undefined, address: string, known: boolean, now: number): boolean {
    if (this.#users.banned(userAt(username, address), now)) return true;
    return !known && this.#addresses.banned(address, now);
  }

  /** A client was let in. An address may have many clients, so it is only watched for failures. Returns a new ban. */
  connected(key: string, now: number): boolean {
    return this.#clients.count(key, 'connects', this.#limits.flapConnectsMax, now);
  }

  /** Credentials were wrong, or are about to be looked at. Returns whether this brought a ban. */
  failed(username: string | undefined, address: string, now: number): boolean {
    const most = this.#limits.failuresMax;
    const user = this.#users.count(userAt(username, address), 'failures', most, now);
    // One address may hide a whole site behind a proxy: it takes many names failing to ban it.
    const there = this.#addresses.count(address, 'failures', most * 10, now);
    return user || there;
  }

  /** What was counted as a failure when its check began was right. */
  succeeded(username: string | undefined, address: string): void {
    this.#users.forgive(userAt(username, address));
    this.#addresses.forgive(address);
  }

  #count(address: string, by: 1 | -1): void {
    this.#sockets += by;
    const there = (this.#perAddress.get(address) ?? 0) + by;
    if (there <= 0) this.#perAddress.delete(address);
    else this.#perAddress.set(address, there);
  }

  /** Why there is no place for a socket from there; makes room where somebody else has to give way. */
  #refusal(address: string): string | undefined {
    const { connectionsMax, connectionsPerAddressMax, waitingConnectionsMax } = this.#limits;
    if (this.#process.clients() >= connectionsMax) return 'connections';
    if ((this.#perAddress.get(address) ?? 0) >= connectionsPerAddressMax) return 'connections-per-address';
    if (this.#waiting >= waitingConnectionsMax && !this.#shorten(address)) return 'connections-waiting';
    // Those that are served keep their places; who waits longest in queue, or says nothing, doesn't.
    if (this.#process.room() <= 0 && !this.#shorten(address) && !this.#strangers.dropAny()) {
      return 'descriptors';
    }
    return undefined;
  }

  /** Turns away the last of the longest queue, for a newcomer of another address; false when its own is the longest. */
  #shorten(address: string): boolean {
    let longest: [string, AddressQueue] | undefined;
    for (const entry of this.#queues) {
      if (!longest || entry[1].length > longest[1].length) longest = entry;
    }
    if (!longest || longest[0] === address) return false;
    if ((this.#queues.get(address)?.length ?? 0) + 1 >= longest[1].length) return false;
    const last = longest[1].pop();
    if (!last) return false;
    this.#waiting--;
    if (longest[1].length === 0) this.#queues.delete(longest[0]);
    // Who is gone has left already.
    if (last.gone) return true;
    this.#count(last.address, -1);
    last.turnAway('connections-waiting');
    return true;
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

function userAt(username: string | undefined, address: string): string {
  return `${username ?? ''}@${address}`;
}
