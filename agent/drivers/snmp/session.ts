/**
 * net-snmp behind promises. One session per printer: a UDP socket, a few objects, and the SNMPv3 engine.
 */
import snmp from 'net-snmp';
import type { SnmpType, SnmpValue } from '../../mapping/snmp-answer.ts';
import { DRIVER_LIMITS } from '../limits.ts';
import { ErrorAnswer } from '../reader.ts';
import { NoAnswer, type SnmpRequests } from './walk.ts';

/** How to reach a printer over SNMP. */
export interface SnmpAccess {
  host: string;
  port: number;
  version: '1' | '2c' | '3';
  /** Versions 1 and 2c; default `public`. */
  community?: string;
  /** Version 3. */
  user?: string;
  level?: 'noAuthNoPriv' | 'authNoPriv' | 'authPriv';
  authProtocol?: 'md5' | 'sha' | 'sha224' | 'sha256' | 'sha384' | 'sha512';
  authKey?: string;
  privProtocol?: 'des' | 'aes' | 'aes256b' | 'aes256r';
  privKey?: string;
  context?: string;
  timeoutMs?: number;
  retries?: number;
}

const TYPES: Record<number, SnmpType> = {
  [snmp.ObjectType.Integer]: 'integer',
  [snmp.ObjectType.OctetString]: 'octets',
  [snmp.ObjectType.OID]: 'oid',
  [snmp.ObjectType.IpAddress]: 'ip',
  [snmp.ObjectType.Counter]: 'counter32',
  [snmp.ObjectType.Gauge]: 'gauge32',
  [snmp.ObjectType.TimeTicks]: 'ticks',
  [snmp.ObjectType.Opaque]: 'opaque',
  [snmp.ObjectType.Counter64]: 'counter64',
};

interface Varbind {
  oid: string;
  type?: number;
  value?: unknown;
}

type Rows = ([string, SnmpValue] | undefined)[];
type Done<T> = (error: Error | null, result?: T) => void;
type Send<T> = (session: snmp.Session, done: Done<T>) => unknown;

const SYSTEM = '1.3.6.1.2.1.1';
const SYS_UP_TIME = `${SYSTEM}.3.0`;
/** Columns that are asked for in one GETNEXT. */
const NEXTS_MAX = 16;

/**
 * A varbind as OID and value; undefined at the end of the agent's data. NULL, or "no such instance" in an existing row,
 * is a hole: a value of the type `null`.
 */
export function valueOfVarbind(varbind: Varbind | undefined): [string, SnmpValue] | undefined {
  if (varbind === undefined || varbind.type === snmp.ObjectType.EndOfMibView) return undefined;
  const type = varbind.type === undefined ? undefined : TYPES[varbind.type];
  const { value } = varbind;
  if (type === undefined || value === null || value === undefined) {
    return [varbind.oid, { type: 'null', value: '' }];
  }
  if (type === 'counter64' && Buffer.isBuffer(value)) {
    return [varbind.oid, { type, value: value.length === 0 ? 0n : BigInt(`0x${value.toString('hex')}`) }];
  }
  if (
    typeof value === 'number' ||
    typeof value === 'string' ||
    typeof value === 'bigint' ||
    value instanceof Uint8Array
  ) {
    return [varbind.oid, { type, value }];
  }
  return [varbind.oid, { type, value: String(value) }];
}

function failureOf(error: Error, access: SnmpAccess): Error {
  if (error.name === 'RequestTimedOutError' || /timed out/i.test(error.message)) {
    return new NoAnswer(
      `no answer from ${access.host}:${access.port} within ${access.timeoutMs ?? DRIVER_LIMITS.snmpRequestMs} ms`,
    );
  }
  const status = statusOf(error);
  return status === undefined ? error : new ErrorAnswer(error.message, status);
}

function openSession(access: SnmpAccess): snmp.Session {
  const options = {
    port: access.port,
    // This class decides about retries.
    retries: 0,
    timeout: access.timeoutMs ?? DRIVER_LIMITS.snmpRequestMs,
    transport: access.host.includes(':') ? ('udp6' as const) : ('udp4' as const),
    context: access.context ?? '',
    // Some printers answer out of order; the walk handles that.
    backwardsGetNexts: true,
  };
  if (access.version !== '3') {
    return snmp.createSession(access.host, access.community ?? 'public', {
      ...options,
      version: access.version === '1' ? snmp.Version1 : snmp.Version2c,
    });
  }
  return snmp.createV3Session(access.host, userOf(access), { ...options, version: snmp.Version3 });
}

/** The version 3 user of an access: the strongest level that its keys allow, unless it names one. */
export function userOf(access: SnmpAccess): snmp.User {
  const level =
    access.level ?? (access.privKey ? 'authPriv' : access.authKey ? 'authNoPriv' : 'noAuthNoPriv');
  const user = {
    name: access.user ?? '',
    level: snmp.SecurityLevel[level],
    ...(level === 'noAuthNoPriv'
      ? {}
      : { authProtocol: snmp.AuthProtocols[access.authProtocol ?? 'sha'], authKey: access.authKey ?? '' }),
    ...(level === 'authPriv'
      ? { privProtocol: snmp.PrivProtocols[access.privProtocol ?? 'aes'], privKey: access.privKey ?? '' }
      : {}),
  };
  return user as snmp.User;
}

/** Which requests an agent accepts, as far as known. */
interface Appetite {
  /** Whether it answers GETBULK; undefined until one was answered or given up. */
  bulk: boolean | undefined;
  /** Number of varbinds requested at once. */
  varbindsMax: number;
  /** The most that it has answered. */
  taken: number;
}

/** SNMP error-status (RFC 3416) of an answer; undefined for other errors. */
function statusOf(error: unknown): number | undefined {
  const status = (error as { status?: unknown } | undefined)?.status;
  return typeof status === 'number' ? status : undefined;
}
const TOO_BIG = 1;

export class SnmpSession implements SnmpRequests {
  private readonly access: SnmpAccess;
  private session: snmp.Session | undefined;
  private readonly appetite: Appetite = {
    bulk: undefined,
    varbindsMax: DRIVER_LIMITS.snmpVarbindsMax,
    taken: 0,
  };

  constructor(access: SnmpAccess) {
    this.access = access;
    if (access.version === '1') this.appetite.bulk = false;
  }

  /** Peculiarities of this agent, in sentences. */
  get habits(): string[] {
    const { bulk, varbindsMax } = this.appetite;
    return [
      ...(bulk === false && this.access.version !== '1'
        ? ['The printer does not answer GETBULK; it is asked row by row.']
        : []),
      ...(varbindsMax < DRIVER_LIMITS.snmpVarbindsMax
        ? [
            `The printer does not answer large requests; it is asked for at most ${varbindsMax} values at once.`,
          ]
        : []),
    ];
  }

  /** The session, reopened after it broke (a socket error, a restarted SNMPv3 engine). */
  private get open(): snmp.Session {
    if (!this.session) {
      const session = openSession(this.access);
      // Without a listener a stray packet would end the process; the request itself fails by its timeout.
      session.on('error', () => this.drop(session));
      this.session = session;
    }
    return this.session;
  }

  private drop(session: snmp.Session): void {
    if (this.session === session) this.session = undefined;
    try {
      session.close();
    } catch {
      // Closed already: there is nothing left to free.
    }
  }

  async get(oids: string[]): Promise<[string, SnmpValue][]> {
    if (oids.length === 0) return [];
    try {
      const varbinds = await this.again((session, done: Done<Varbind[]>) => session.get(oids, done as never));
      return varbinds.map(valueOfVarbind).filter((item) => item !== undefined && item[1].type !== 'null') as [
        string,
        SnmpValue,
      ][];
    } catch (error) {
      const [only, ...more] = oids;
      if (only === undefined || more.length === 0) {
        // Version 1 reports a missing object this way. The other objects may still be readable.
        if (error instanceof NoAnswer || (this.access.version !== '1' && oids[0] === SYS_UP_TIME))
          throw error;
        return [];
      }
      if (error instanceof NoAnswer) await this.get([SYS_UP_TIME]);
      // The whole request fails when it is too large, or when one object is missing (version 1) or broken.
      const part = error instanceof NoAnswer || statusOf(error) === TOO_BIG ? Math.ceil(oids.length / 3) : 1;
      const found: [string, SnmpValue][] = [];
      for (let i = 0; i < oids.length; i += part) found.push(...(await this.get(oids.slice(i, i + part))));
      return found;
    }
  }

  async bulk(oids: string[], nonRepeaters: number, repetitions: number): Promise<Rows[]> {
    if (oids.length === 0) return [];
    const { appetite } = this;
    if (appetite.bulk === false) return this.nexts(oids);
    const repeating = oids.length - nonRepeaters;
    const room = Math.floor((appetite.varbindsMax - nonRepeaters) / Math.max(1, repeating));
    if (room < 1 && oids.length > 1) {
      // Not even one row of each fits: split.
      const half = Math.ceil(oids.length / 2);
      return [
        ...(await this.bulk(oids.slice(0, half), Math.min(nonRepeaters, half), 1)),
        ...(await this.bulk(oids.slice(half), Math.max(0, nonRepeaters - half), 1)),
      ];
    }
    const rows = Math.max(1, Math.min(repetitions, room));
    const asked = nonRepeaters + repeating * rows;
    try {
      const lists = await this.bulkOnce(oids, nonRepeaters, rows);
      appetite.bulk = true;
      const got = lists.reduce((sum, list) => sum + list.length, 0);
      appetite.taken = Math.max(appetite.taken, got);
      const cut = oids.flatMap((_, i) => (lists[i]?.length === 0 ? [i] : []));
      if (cut.length === 0 || got === 0) return lists;
      // It returned as many as fit: ask for the missing ones separately.
      if (got < oids.length) appetite.varbindsMax = Math.min(appetite.varbindsMax, got);
      const single = cut.filter((i) => i < nonRepeaters).length;
      const rest = await this.bulk(
        cut.map((i) => oids[i] ?? ''),
        single,
        1,
      );
      for (const [at, i] of cut.entries()) lists[i] = rest[at] ?? [];
      return lists;
    } catch (error) {
      if (await this.learn(error, asked)) return this.bulk(oids, nonRepeaters, repetitions);
      return this.nexts(oids);
    }
  }

  private async bulkOnce(oids: string[], nonRepeaters: number, repetitions: number): Promise<Rows[]> {
    const varbinds = await this.request((session, done: Done<(Varbind | Varbind[])[]>) =>
      session.getBulk(oids, nonRepeaters, repetitions, done as never),
    );
    return oids.map((_, i) => {
      const column = varbinds[i];
      if (column === undefined) return [];
      return (Array.isArray(column) ? column : [column]).map(valueOfVarbind);
    });
  }

  /**
   * What a failed GETBULK says about the agent: whether to retry with a smaller request. Old network cards drop
   * responses they can't build, others answer tooBig, some don't support GETBULK or fail when it runs past the end of a
   * table.
   * @throws NoAnswer when the printer doesn't answer at all
   */
  private async learn(error: unknown, asked: number): Promise<boolean> {
    const { appetite } = this;
    if (error instanceof NoAnswer) await this.get([SYS_UP_TIME]);
    if (appetite.bulk === undefined) {
      try {
        await this.bulkOnce([SYSTEM], 0, 1);
        appetite.bulk = true;
        appetite.taken = 1;
      } catch {
        // Even a small one fails: it does not support GETBULK.
        appetite.bulk = false;
        return false;
      }
    }
    if (!(error instanceof NoAnswer) && statusOf(error) !== TOO_BIG) return false;
    if (error instanceof NoAnswer && asked <= appetite.taken) {
      // It has answered as much before, so a packet was lost. If that happens again, request less.
      appetite.taken = asked - 1;
      return true;
    }
    if (asked <= 1) {
      appetite.bulk = false;
      return false;
    }
    appetite.varbindsMax = Math.max(1, Math.min(Math.floor(asked / 3), appetite.varbindsMax - 1));
    return true;
  }

  /** One row of each by GETNEXT. */
  private async nexts(oids: string[]): Promise<Rows[]> {
    const lists: Rows[] = [];
    // Version 1 fails as a whole where one column ends.
    const together = this.access.version === '1' ? 1 : Math.min(NEXTS_MAX, this.appetite.varbindsMax);
    for (let i = 0; i < oids.length; i += together) {
      lists.push(...(await this.nextOf(oids.slice(i, i + together))));
    }
    return lists;
  }

  private async nextOf(oids: string[]): Promise<Rows[]> {
    try {
      const varbinds = await this.again((session, done: Done<Varbind[]>) =>
        session.getNext(oids, done as never),
      );
      return oids.map((_, i) => (varbinds[i] === undefined ? [] : [valueOfVarbind(varbinds[i])]));
    } catch (error) {
      if (oids.length === 1) {
        if (error instanceof NoAnswer) throw error;
        return [[undefined]]; // noSuchName, or genErr at the end of a table: this column has no more.
      }
      if (error instanceof NoAnswer) await this.get([SYS_UP_TIME]);
      if (error instanceof NoAnswer || statusOf(error) === TOO_BIG) {
        this.appetite.varbindsMax = Math.max(1, Math.floor(oids.length / 3));
      }
      const lists: Rows[] = [];
      for (const oid of oids) lists.push(...(await this.nextOf([oid])));
      return lists;
    }
  }

  /** A request that is sent again when no answer comes. */
  private async again<T>(send: Send<T>): Promise<T> {
    for (let tried = 0; ; tried++) {
      try {
        return await this.request(send);
      } catch (error) {
        const most = this.access.retries ?? DRIVER_LIMITS.snmpRetries;
        if (!(error instanceof NoAnswer) || tried >= most) throw error;
      }
    }
  }

  private request<T>(send: Send<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const session = this.open;
      send(session, (error, result) => {
        if (error) {
          // SNMPv3: the printer's engine may have started again; the next session finds it anew.
          if (this.access.version === '3') this.drop(session);
          reject(failureOf(error, this.access));
        } else resolve(result as T);
      });
    });
  }

  close(): void {
    if (this.session) this.drop(this.session);
  }
}
