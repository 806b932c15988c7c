/**
 * net-snmp behind promises. One session a printer: it is a UDP socket and a few objects, and keeps SNMPv3's engine.
 */
import snmp from 'net-snmp';
import type { SnmpType, SnmpValue } from '../../mapping/snmp-answer.ts';
import { DRIVER_LIMITS } from '../limits.ts';
import { NoAnswer, type SnmpRequests } from './walk.ts';

/** How a printer lets itself be asked. */
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

/** A varbind as OID and value; undefined for "no such object" and the end of the MIB. */
export function valueOfVarbind(varbind: Varbind): [string, SnmpValue] | undefined {
  const type = varbind.type === undefined ? undefined : TYPES[varbind.type];
  const { value } = varbind;
  if (type === undefined || value === null || value === undefined) return undefined;
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
  return error;
}

function openSession(access: SnmpAccess): snmp.Session {
  const options = {
    port: access.port,
    retries: access.retries ?? DRIVER_LIMITS.snmpRetries,
    timeout: access.timeoutMs ?? DRIVER_LIMITS.snmpRequestMs,
    transport: access.host.includes(':') ? ('udp6' as const) : ('udp4' as const),
    context: access.context ?? '',
    // Printers answer out of order here and there; the walk looks after that itself.
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

export class SnmpSession implements SnmpRequests {
  private readonly access: SnmpAccess;
  private session: snmp.Session | undefined;

  constructor(access: SnmpAccess) {
    this.access = access;
  }

  /** The session, opened anew after it broke (a socket error, an SNMPv3 engine that started again). */
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
      const varbinds = await this.request<Varbind[]>((session, done) => session.get(oids, done as never));
      return varbinds.map(valueOfVarbind).filter((item) => item !== undefined);
    } catch (error) {
      // Version 1 fails as a whole when one object is missing: each is asked for by itself.
      if (error instanceof NoAnswer || this.access.version !== '1' || oids.length === 1) {
        if (this.access.version === '1' && oids.length === 1 && !(error instanceof NoAnswer)) return [];
        throw error;
      }
      const found: [string, SnmpValue][] = [];
      for (const oid of oids) found.push(...(await this.get([oid])));
      return found;
    }
  }

  async bulk(
    oids: string[],
    nonRepeaters: number,
    repetitions: number,
  ): Promise<([string, SnmpValue] | undefined)[][]> {
    if (this.access.version === '1') {
      const lists: ([string, SnmpValue] | undefined)[][] = [];
      for (const oid of oids) lists.push(await this.next(oid));
      return lists;
    }
    const varbinds = await this.request<(Varbind | Varbind[])[]>((session, done) =>
      session.getBulk(oids, nonRepeaters, repetitions, done as never),
    );
    return oids.map((_, i) => {
      const column = varbinds[i];
      if (column === undefined) return [];
      return (Array.isArray(column) ? column : [column]).map(valueOfVarbind);
    });
  }

  private async next(oid: string): Promise<([string, SnmpValue] | undefined)[]> {
    try {
      const varbinds = await this.request<Varbind[]>((session, done) =>
        session.getNext([oid], done as never),
      );
      return varbinds.map(valueOfVarbind);
    } catch (error) {
      if (error instanceof NoAnswer) throw error;
      return [undefined]; // noSuchName: the end of what version 1 has.
    }
  }

  private request<T>(
    send: (session: snmp.Session, done: (error: Error | null, result?: T) => void) => unknown,
  ): Promise<T> {
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
