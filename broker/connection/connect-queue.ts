/**
 * Decides which accepted sockets may begin, and when. Sockets beyond the pace wait unread, so that in a storm each
 * client that is served gets through CONNECT. Every address has its own queue and the queues take turns, so a flood
 * from one address delays nobody else. Before CONNECT a socket is a stranger, in a pool of its own. Clients that
 * reconnect too often and users that guess passwords are banned for a while.
 */
import type { BrokerLimits } from '../limits.ts';
import { type Stranger, type StrangerDrop, Strangers } from './strangers.ts';

/** A waiting socket. `begin` is called at its turn, or `turnAway` when there is no room for it. */
export interface WaitingConnect {
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

/** Counts connects and failures for one kind of name: ids, users, addresses. When it is full, the oldest name goes. */
class Watch {
  readonly #limits: BrokerLimits;
  readonly #seen = new Map<string, Watched>();
  /** When the last ban ends. Usually nobody is banned, so no name has to be looked up. */
  #bansUntil = 0;

  constructor(limits: BrokerLimits) {
    this.#limits = limits;
  }

  /** Whether anyone is banned. */
  bans(now: number): boolean {
    return this.#bansUntil > now;
  }

  banned(name: string, now: number): boolean {
    return (this.#seen.get(name)?.bannedUntil ?? 0) > now;
  }

  /** Counts a connect or a failure. Returns whether it triggers a ban. */
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

  /** Takes back one failure. */
  forgive(name: string): void {
    const entry = this.#seen.get(name);
    if (entry && entry.failures > 0) entry.failures--;
  }
}

/** What the queue needs to know about the process. */
export interface ProcessState {
  /** Clients whose CONNECT was accepted. */
  clients(): number;
  /** Sockets that may still be opened before the reserve of file descriptors begins. */
  room(): number;
}

const UNLIMITED: ProcessState = { clients: () => 0, room: () => Number.POSITIVE_INFINITY };

/** The waiting sockets of one address, first in, first out. */
class AddressQueue {
  #list: WaitingConnect[] = [];
  #head = 0;

  get length(): number {
    return this.#list.length - this.#head;
  }

  push(connection: WaitingConnect): void {
    this.#list.push(connection);
  }

  get first(): WaitingConnect | undefined {
    return this.#list[this.#head];
  }

  shift(): void {
    this.#head++;
    if (this.#head <= 1_024) return;
    this.#list = this.#list.slice(this.#head);
    this.#head = 0;
  }

  pop(): WaitingConnect | undefined {
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
  /** The non-empty queues, in the order of their turns. */
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

  /** Sockets that began but have not sent CONNECT yet. */
  get strangers(): number {
    return this.#strangers.size;
  }

  /** All open sockets that were let in. */
  get sockets(): number {
    return this.#sockets;
  }

  get #burst(): number {
    return Math.max(1, this.#limits.connectsPerSecondMax / 4);
  }

  /** A socket was accepted. It begins now, later, or is turned away. */
  enter(connection: WaitingConnect, now: number): void {
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

  /** A socket that was let in closed. */
  leave(address: string): void {
    this.#count(address, -1);
  }

  /** A socket let in under a proxy's address belongs to another address. Returns a reason when that one is full. */
  move(from: string, to: string): string | undefined {
    if (from === to) return undefined;
    if ((this.#perAddress.get(to) ?? 0) >= this.#limits.connectionsPerAddressMax)
      return 'connections-per-address';
    this.#count(from, -1);
    this.#count(to, 1);
    return undefined;
  }

  /** A socket began. Until it sends CONNECT it is a stranger and may be closed to make room for another. */
  stranger(address: string, drop: (reason: StrangerDrop) => void, exempt = false): Stranger {
    return this.#strangers.enter(address, drop, exempt);
  }

  /** Begins the sockets whose turn it is. Called many times a second while any wait. */
  advance(now: number): void {
    while (this.#waiting > 0) {
      const [address, queue] = this.#queues.entries().next().value as [string, AddressQueue];
      const next = queue.first as WaitingConnect;
      if (!next.gone && !this.#take(now)) return;
      queue.shift();
      this.#waiting--;
      // One socket of each address, then the next address.
      this.#queues.delete(address);
      if (queue.length > 0) this.#queues.set(address, queue);
      if (!next.gone) next.begin();
    }
  }

  /** Whether any client is banned. Usually none is, and `refuses` need not be called. */
  bans(now: number): boolean {
    return this.#clients.bans(now);
  }

  /** Whether this client is banned. */
  refuses(key: string, now: number): boolean {
    return this.#clients.banned(key, now);
  }

  /**
   * Whether passwords of this user from this address are not checked at the moment. A user is banned only at the
   * address that the failures came from; otherwise anyone could lock out anyone. An address is banned only for users
   * that never logged in from there (not `known`); otherwise one bad machine could lock out its neighbours behind the
   * same proxy.
   */
  bansPassword(username: string | undefined, address: string, known: boolean, now: number): boolean {
    if (this.#users.banned(userAt(username, address), now)) return true;
    return !known && this.#addresses.banned(address, now);
  }

  /** A client connected. Returns whether that triggers a ban. Addresses are not counted: one may have many clients. */
  connected(key: string, now: number): boolean {
    return this.#clients.count(key, 'connects', this.#limits.flapConnectsMax, now);
  }

  /** Credentials were wrong, or are about to be checked. Returns whether that triggers a ban. */
  failed(username: string | undefined, address: string, now: number): boolean {
    const most = this.#limits.failuresMax;
    const user = this.#users.count(userAt(username, address), 'failures', most, now);
    // One address may be the proxy of a whole site, so many failures are needed to ban it.
    const there = this.#addresses.count(address, 'failures', most * 10, now);
    return user || there;
  }

  /** A check that was counted as a failure when it began has succeeded. */
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

  /** Why a socket from this address is refused; undefined when it may enter. May turn others away to make room. */
  #refusal(address: string): string | undefined {
    const { connectionsMax, connectionsPerAddressMax, waitingConnectionsMax } = this.#limits;
    if (this.#process.clients() >= connectionsMax) return 'connections';
    if ((this.#perAddress.get(address) ?? 0) >= connectionsPerAddressMax) return 'connections-per-address';
    if (this.#waiting >= waitingConnectionsMax && !this.#shorten(address)) return 'connections-waiting';
    // Clients keep their places. Sockets that wait in the longest queue, and silent ones, don't.
    if (this.#process.room() <= 0 && !this.#shorten(address) && !this.#strangers.dropAny()) {
      return 'descriptors';
    }
    return undefined;
  }

  /** Turns away the last socket of the longest queue. Returns false when that is the queue of `address` itself. */
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
    // A closed socket has left already.
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
