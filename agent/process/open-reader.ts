/**
 * Creates readers from addresses.
 */
import { PlatenError } from '../../schemas/errors.ts';
import type { AgentPrinter } from '../../schemas/types.ts';
import { type IppAccess, IppReader } from '../drivers/ipp/ipp-reader.ts';
import { MergedReader } from '../drivers/merged-reader.ts';
import type { Reader } from '../drivers/reader.ts';
import { type SnmpAccess, userOf } from '../drivers/snmp/session.ts';
import { SnmpReader } from '../drivers/snmp/snmp-reader.ts';
import type { MappingTables } from '../mapping/tables.ts';
import type { TrapSource } from './traps.ts';

/** SNMP access from an address and its settings: `snmp://[community@]host[:161]`. */
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

/** IPP access from an address and its settings: `ipp[s]://[user:password@]host[:631][/path]`. */
export function ippAccess(address: string, settings: AgentPrinter['ipp'] = {}): IppAccess {
  const url = new URL(address);
  const own =
    url.username === ''
      ? {}
      : { user: decodeURIComponent(url.username), password: decodeURIComponent(url.password) };
  return { ...settings, ...own, url: withoutSecrets(address) };
}

/** The address without user, community or password, for display and logs. */
export function withoutSecrets(address: string): string {
  if (!URL.canParse(address)) return address;
  const url = new URL(address);
  url.username = '';
  url.password = '';
  return url.toString();
}

export interface OpenedReader {
  reader: Reader;
  /** The SNMP reader, which receives traps from that host. */
  snmp?: TrapSource & { reader: SnmpReader };
}

/** A reader for the ipp and snmp addresses of a printer. */
export function openReader(
  printer: Pick<AgentPrinter, 'urls' | 'snmp' | 'ipp'>,
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
      readers.unshift(reader); // SNMP goes first: it has vendor codes and times.
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
  return {
    reader: readers.length === 1 && first ? first : new MergedReader(readers),
    ...(snmp === undefined ? {} : { snmp }),
  };
}
