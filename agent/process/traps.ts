/**
 * Receives SNMP traps and informs (1, 2c, 3) for all printers of the process and hands each to the one it came from.
 */
import type { Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { isIP } from 'node:net';
import snmp from 'net-snmp';
import type { Logger } from 'pino';
import { reasonOf } from '../../schemas/errors.ts';
import { DRIVER_LIMITS } from '../drivers/limits.ts';
import { valueOfVarbind } from '../drivers/snmp/session.ts';
import type { SnmpReader } from '../drivers/snmp/snmp-reader.ts';

interface Notification {
  pdu: {
    varbinds?: { oid: string; type?: number; value?: unknown }[];
    /** Version 3: the user that signed it. */
    user?: string;
  };
  rinfo: { address: string };
}

export interface TrapReceiver {
  /** Port it listens on. */
  port: number;
  close(): Promise<void>;
}

/** A printer, by address or name. */
export interface TrapSource {
  /** Its current host; may change while the process runs. */
  readonly host: string;
  reader: Pick<SnmpReader, 'trap'>;
  /** The version 3 user for requests to the printer; the printer signs notifications with the same keys. */
  user?: snmp.User;
}

/** Current addresses of a name; rejects when it can't be resolved. */
export type Resolve = (host: string) => Promise<string[]>;

interface Receiver {
  close(done: () => void): void;
  getAuthorizer(): { addUser(user: snmp.User): void; disableAuthorization: boolean };
  listener: { sockets: Record<string, Socket> };
}

/** The number that SNMP writes for version 3; 0 and 1 are 1 and 2c. */
const VERSION_3 = 3;

/** msgVersion: the first INTEGER in the outermost SEQUENCE. Undefined when it isn't SNMP. */
function versionOf(message: Buffer): number | undefined {
  const length = message[1] ?? 0;
  const at = 2 + (length < 0x80 ? 0 : length & 0x7f);
  return message[0] === 0x30 && message[at] === 2 && message[at + 1] === 1 ? message[at + 2] : undefined;
}

/** The users by name. Two printers whose users share a name and not their keys: the later one's traps can't be read. */
function usersOf(sources: TrapSource[], log: Logger): Map<string, snmp.User> {
  const users = new Map<string, snmp.User>();
  for (const { user, host } of sources) {
    if (!user) continue;
    const known = users.get(user.name);
    if (!known) users.set(user.name, user);
    else if (JSON.stringify(known) !== JSON.stringify(user)) {
      log.warn(
        { host, user: user.name },
        'another printer has a user of that name with other keys; SNMPv3 traps of this one cannot be read',
      );
    }
  }
  return users;
}

const resolveByDns: Resolve = async (host) =>
  (await lookup(host, { all: true })).map(({ address }) => address);

/** An address in one spelling: IPv4 that came through an IPv6 socket is IPv4. */
const plain = (address: string) => address.replace(/^::ffff:(?=\d+\.)/i, '').toLowerCase();

/**
 * Maps addresses to printers. Names are resolved when a trap needs it, and again when the result is old: printers get
 * their addresses from DHCP.
 */
export class TrapAddresses {
  private readonly sources: TrapSource[];
  private hosts: string[] = [];
  private fixed = new Map<string, TrapSource[]>();
  private names = new Map<string, TrapSource[]>();
  private readonly resolve: Resolve;
  private readonly now: () => number;
  private found = new Map<string, TrapSource[]>();
  private looking: Promise<void> | undefined;
  private lookedMs = Number.NEGATIVE_INFINITY;

  constructor(sources: TrapSource[], resolve: Resolve = resolveByDns, now: () => number = Date.now) {
    this.sources = sources;
    this.resolve = resolve;
    this.now = now;
  }

  /** Rebuilds the map from the printers' current hosts. */
  private sort(): void {
    if (this.hosts.length > 0 && this.sources.every(({ host }, i) => host === this.hosts[i])) return;
    this.hosts = this.sources.map(({ host }) => host);
    this.fixed = new Map();
    this.names = new Map();
    for (const source of this.sources) {
      const [map, key] =
        isIP(source.host) === 0 ? [this.names, source.host] : [this.fixed, plain(source.host)];
      map.set(key, [...(map.get(key) ?? []), source]);
    }
  }

  /** The printers at an address: none, one, or several behind a print server. */
  async at(address: string): Promise<TrapSource[]> {
    this.sort();
    const key = plain(address);
    const fixed = this.fixed.get(key) ?? [];
    if (this.names.size === 0) return fixed;
    const ageMs = this.now() - this.lookedMs;
    const known = fixed.length > 0 || this.found.has(key);
    if (ageMs >= (known ? DRIVER_LIMITS.trapNamesKnownMs : DRIVER_LIMITS.trapNamesUnknownMs)) {
      this.looking ??= this.look().finally(() => {
        this.looking = undefined;
      });
    }
    await this.looking;
    return [...fixed, ...(this.found.get(key) ?? [])];
  }

  /** One at a time: a thousand lookups at once would block all others of the process. */
  private async look(): Promise<void> {
    this.lookedMs = this.now();
    const next = new Map<string, TrapSource[]>();
    for (const [host, sources] of this.names) {
      let addresses: string[];
      try {
        addresses = await this.resolve(host);
      } catch {
        // The name server may be unavailable for a moment: keep the known address.
        addresses = [...this.found].flatMap(([address, those]) =>
          those.some((source) => source.host === host) ? [address] : [],
        );
      }
      for (const address of new Set(addresses.map(plain))) {
        next.set(address, [...(next.get(address) ?? []), ...sources]);
      }
    }
    this.found = next;
  }
}

/**
 * Listens for traps. Their content is not trusted by itself: a trap causes a read, and only an alert that has already left
 * the table is taken from the trap.
 * Rejects when the port is not available.
 */
export async function receiveTraps(
  options: { host?: string; port: number },
  sources: TrapSource[],
  log: Logger,
  resolve?: Resolve,
): Promise<TrapReceiver> {
  const addresses = new TrapAddresses(sources, resolve);
  let waiting = 0;
  const deliver = async ({ pdu, rinfo }: Notification) => {
    const printers = await addresses.at(rinfo.address);
    if (printers.length === 0) {
      log.debug({ address: rinfo.address }, 'a trap of a printer that is not spoken for');
      return;
    }
    const variables = (pdu.varbinds ?? [])
      .map(valueOfVarbind)
      .filter((item) => item !== undefined)
      .filter(([, value]) => value.type !== 'null');
    for (const { reader, user } of printers) {
      // When several printers share an address, the alert can't be attributed: only read them. The same goes for an unsigned
      // trap in the name of a version 3 printer.
      const believed = printers.length === 1 && (user === undefined || pdu.user === user.name);
      reader.trap(believed ? variables : []);
    }
  };
  const take = (error: Error | null, notification?: Notification) => {
    if (error || !notification) {
      log.debug({ reason: error?.message }, 'a trap could not be read');
      return;
    }
    if (waiting >= DRIVER_LIMITS.trapsWaitingMax) return;
    waiting++;
    deliver(notification)
      .catch((failure: unknown) => log.warn({ reason: reasonOf(failure) }, 'a trap could not be delivered'))
      .finally(() => waiting--);
  };
  const host = options.host ?? '0.0.0.0';
  const receiver = (
    snmp as unknown as { createReceiver(options: object, callback: typeof take): Receiver }
  ).createReceiver(
    {
      port: options.port,
      address: host,
      transport: host.includes(':') ? 'udp6' : 'udp4',
      includeAuthentication: true,
      accessControlModelType: snmp.AccessControlModelType.None,
    },
    take,
  );
  const authorizer = receiver.getAuthorizer();
  for (const user of usersOf(sources, log).values()) authorizer.addUser(user);
  const [socket] = Object.values(receiver.listener.sockets);
  if (!socket) throw new Error('net-snmp opened no socket');
  // Communities of traps protect nothing: the content is checked by reading the printer. Version 3 must be signed by one of
  // our users. net-snmp has one switch for both, which is set before it parses a message.
  socket.prependListener('message', (message: Buffer) => {
    authorizer.disableAuthorization = versionOf(message) !== VERSION_3;
  });
  // net-snmp reports a port in use through the same callback as a malformed trap; tell them apart here.
  try {
    await once(socket, 'listening');
  } catch (error) {
    socket.close();
    throw error;
  }
  return {
    get port() {
      return socket.address().port;
    },
    close: () => new Promise((done) => receiver.close(done)),
  };
}
