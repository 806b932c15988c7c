/**
 * From addresses to what reads the printer.
 */
import { PlatenError } from '../../schemas/errors.ts';
import type { AgentPrinter } from '../../schemas/types.ts';
import { type IppAccess, IppReader } from '../drivers/ipp/ipp-reader.ts';
import { MergedReader } from '../drivers/merged-reader.ts';
import { quickOf, type Reader } from '../drivers/reader.ts';
import { type SnmpAccess, userOf } from '../drivers/snmp/session.ts';
import { SnmpReader } from '../drivers/snmp/snmp-reader.ts';
import type { Reading } from '../mapping/reading.ts';
import type { MappingTables } from '../mapping/tables.ts';
import type { TrapSource } from './traps.ts';

/** How an address and its settings are asked over SNMP: `snmp://[community@]host[:161]`. */
export function snmpAccess(address: string, settings: AgentPrinter['snmp'] = {}): SnmpAccess {
  const url = new URL(address);
  const community =
    settings.community ?? (url.username === '' ? undefined : decodeURIComponent(url.username));
  return {
    ...settings,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? 161 : Number(url.port),
    version: settings.version ?? (settings.user === undefined ? '2c' : '3'),
    ...(community === undefined ? {} : { community }),
  };
}

/** How an address and its settings are asked over IPP: `ipp[s]://[user:password@]host[:631][/path]`. */
export function ippAccess(address: string, settings: AgentPrinter['ipp'] = {}): IppAccess {
  const url = new URL(address);
  const own =
    url.username === ''
      ? {}
      : { user: decodeURIComponent(url.username), password: decodeURIComponent(url.password) };
  return { ...settings, ...own, url: withoutSecrets(address) };
}

/** An address as it may be shown and logged: without a user, a community or a password. */
export function withoutSecrets(address: string): string {
  if (!URL.canParse(address)) return address;
  const url = new URL(address);
  url.username = '';
  url.password = '';
  return url.toString();
}

/** Lets only the expected printer through: behind a changed address may be another one. */
export class PinnedReader implements Reader {
  readonly kind: string;
  readonly url: string;
  private readonly reader: Reader;
  private readonly serial: string;
  /** Another printer answered last: until the expected one shows its serial number, every read is a whole one. */
  private doubted = false;
  readQuick?: NonNullable<Reader['readQuick']>;
  knock?: NonNullable<Reader['knock']>;

  constructor(reader: Reader, serial: string) {
    this.kind = reader.kind;
    this.url = reader.url;
    this.reader = reader;
    this.serial = serial;
    const quick = reader.readQuick?.bind(reader);
    if (quick) {
      this.readQuick = async () => {
        // A quick read compares with the last whole one, and that may have been of the other printer.
        const found = this.doubted ? undefined : await quick();
        if (found && !this.doubted) return found;
        return { ...quickOf(await this.read()), structureMayDiffer: true };
      };
    }
    if (reader.knock) this.knock = reader.knock.bind(reader);
  }

  async read(): Promise<Reading> {
    const reading = await this.reader.read();
    const { serial } = reading.structure.apparatus;
    // A half-answer without a serial number is no proof of another printer, nor of the return of the expected one.
    if (serial !== undefined) this.doubted = serial !== this.serial;
    if (this.doubted) {
      throw new PlatenError('agent/other-printer', {
        url: this.url,
        found: serial ?? 'none',
        expected: this.serial,
      });
    }
    return reading;
  }

  onNudge(nudge: () => void): void {
    this.reader.onNudge?.(nudge);
  }

  close(): Promise<void> {
    return this.reader.close();
  }
}

export interface OpenedReader {
  reader: Reader;
  /** The SNMP part, to which traps from that host go. */
  snmp?: TrapSource & { reader: SnmpReader };
}

/** A reader for the ipp and snmp addresses of a printer. */
export function openReader(
  printer: Pick<AgentPrinter, 'urls' | 'serial' | 'snmp' | 'ipp'>,
  mapping: MappingTables,
): OpenedReader {
  const readers: Reader[] = [];
  let snmp: OpenedReader['snmp'];
  for (const address of printer.urls) {
    const url = new URL(address);
    if (url.protocol === 'snmp:') {
      const access = snmpAccess(address, printer.snmp);
      const reader = new SnmpReader(access, mapping);
      snmp = { host: access.host, reader, ...(access.version === '3' ? { user: userOf(access) } : {}) };
      readers.unshift(reader); // SNMP's words go first: vendor codes and times.
    } else if (url.protocol === 'ipp:' || url.protocol === 'ipps:') {
      readers.push(new IppReader(ippAccess(address, printer.ipp), mapping));
    } else
      throw new PlatenError('agent/driver', {
        url: withoutSecrets(address),
        reason: 'unknown protocol',
        hint: 'ipp, ipps, snmp, bambu or command',
      });
  }
  const [first] = readers;
  const merged = readers.length === 1 && first ? first : new MergedReader(readers);
  return {
    reader: printer.serial === undefined ? merged : new PinnedReader(merged, printer.serial),
    ...(snmp === undefined ? {} : { snmp }),
  };
}
