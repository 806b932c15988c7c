/**
 * An SNMP answer as values by OID, and the objects that are read. Types are not trusted: printers send numbers as text and
 * text as numbers.
 */
import { clip, decodeText, hexOf, TEXT_OCTETS_MAX } from './text.ts';

export type SnmpType =
  | 'integer'
  | 'octets'
  | 'oid'
  | 'ip'
  | 'counter32'
  | 'gauge32'
  | 'ticks'
  | 'counter64'
  | 'opaque'
  | 'null';

export interface SnmpValue {
  type: SnmpType;
  value: number | bigint | string | Uint8Array;
}

/** Subtrees and scalars that a full read asks for (RFC 3805, RFC 3806, RFC 2790, RFC 3418, PWG 5107.1, RFC 4133). */
export const OID = {
  sysDescr: '1.3.6.1.2.1.1.1.0',
  sysObjectId: '1.3.6.1.2.1.1.2.0',
  sysUpTime: '1.3.6.1.2.1.1.3.0',
  sysContact: '1.3.6.1.2.1.1.4.0',
  sysName: '1.3.6.1.2.1.1.5.0',
  sysLocation: '1.3.6.1.2.1.1.6.0',
  ifEntry: '1.3.6.1.2.1.2.2.1',
  ipAddress: '1.3.6.1.2.1.4.20.1',
  hrDevice: '1.3.6.1.2.1.25.3.2.1',
  hrPrinter: '1.3.6.1.2.1.25.3.5.1',
  hrSWInstalled: '1.3.6.1.2.1.25.6.3.1',
  prtGeneral: '1.3.6.1.2.1.43.5.1.1',
  prtCover: '1.3.6.1.2.1.43.6.1.1',
  prtLocalization: '1.3.6.1.2.1.43.7.1.1',
  prtInput: '1.3.6.1.2.1.43.8.2.1',
  prtOutput: '1.3.6.1.2.1.43.9.2.1',
  prtMarker: '1.3.6.1.2.1.43.10.2.1',
  prtMarkerSupplies: '1.3.6.1.2.1.43.11.1.1',
  prtMarkerColorant: '1.3.6.1.2.1.43.12.1.1',
  prtAlert: '1.3.6.1.2.1.43.18.1.1',
  finDevice: '1.3.6.1.2.1.43.30.1.1',
  entPhysical: '1.3.6.1.2.1.47.1.1.1.1',
  ppmDeviceId: '1.3.6.1.4.1.2699.1.2.1.2.1.1.3.1',
  enterprises: '1.3.6.1.4.1',
  /** hrDeviceType of a printer. */
  hrDevicePrinter: '1.3.6.1.2.1.25.3.1.5',
  /** Notification of RFC 3805 that an alert was added. */
  printerV2Alert: '1.3.6.1.2.1.43.18.2.0.1',
} as const;

/** Compares OIDs number by number. */
export function compareOids(a: string, b: string): number {
  const left = a.split('.');
  const right = b.split('.');
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = Number(left[i]) - Number(right[i]);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

/** Rows of a table: index (`1.2`) to column number to value. */
export type SnmpRows = Map<string, Map<number, SnmpValue>>;

export class SnmpAnswer {
  readonly values = new Map<string, SnmpValue>();
  /** Subtrees that were asked for and broke off: their rows may be incomplete. */
  readonly brokenOff = new Set<string>();
  /** Tables by entry OID, as `rows` has built them; emptied when a value changes. */
  readonly #tables = new Map<string, SnmpRows>();
  /** Bytes of the values, as far as they are octets or text. */
  bytes = 0;

  set(oid: string, value: SnmpValue): void {
    if (typeof value.value === 'string' || value.value instanceof Uint8Array)
      this.bytes += value.value.length;
    this.values.set(oid.startsWith('.') ? oid.slice(1) : oid, value);
    this.#tables.clear();
  }

  get size(): number {
    return this.values.size;
  }

  /** A whole number, from whatever type it came in. */
  int(oid: string): number | undefined {
    return intOf(this.values.get(oid));
  }

  text(oid: string, charset?: number): string | undefined {
    return textOf(this.values.get(oid), charset);
  }

  /** The rows of a table by its entry OID, in the order of their index. Shared by all callers: don't change them. */
  rows(entry: string): SnmpRows {
    const known = this.#tables.get(entry);
    if (known) return known;
    const prefix = `${entry}.`;
    const found: [string, number, SnmpValue][] = [];
    for (const [oid, value] of this.values) {
      if (!oid.startsWith(prefix)) continue;
      const rest = oid.slice(prefix.length);
      const dot = rest.indexOf('.');
      if (dot > 0) found.push([rest.slice(dot + 1), Number(rest.slice(0, dot)), value]);
    }
    found.sort((a, b) => compareOids(a[0], b[0]));
    const rows: SnmpRows = new Map();
    for (const [index, column, value] of found) {
      let row = rows.get(index);
      if (!row) {
        row = new Map();
        rows.set(index, row);
      }
      row.set(column, value);
    }
    this.#tables.set(entry, rows);
    return rows;
  }
}

export function intOf(value: SnmpValue | undefined): number | undefined {
  if (!value) return undefined;
  if (typeof value.value === 'number')
    return Number.isFinite(value.value) ? Math.trunc(value.value) : undefined;
  if (typeof value.value === 'bigint') return Number(value.value);
  const text = typeof value.value === 'string' ? value.value : decodeText(value.value);
  return /^-?\d{1,15}$/.test(text) ? Number(text) : undefined;
}

export function textOf(value: SnmpValue | undefined, charset?: number): string | undefined {
  if (!value || value.type === 'null') return undefined;
  if (value.value instanceof Uint8Array) return decodeText(value.value, charset);
  return clip(String(value.value), TEXT_OCTETS_MAX);
}

/** Octets of a value, for bit strings. */
export function octetsOf(value: SnmpValue | undefined): Uint8Array | undefined {
  if (!value) return undefined;
  if (value.value instanceof Uint8Array) return value.value;
  if (typeof value.value === 'string') return Buffer.from(value.value, 'latin1');
  return undefined;
}

/** A value for display: text if it is text, else hex. */
export function showValue(value: SnmpValue): string {
  if (!(value.value instanceof Uint8Array)) return String(value.value);
  const text = decodeText(value.value);
  return text === '' && value.value.length > 0 ? `0x${hexOf(value.value)}` : text;
}
