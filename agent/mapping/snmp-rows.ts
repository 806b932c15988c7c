/**
 * Rows of a printer's tables, wherever its agent keeps them, and the private objects of the mapping tables.
 */
import {
  compareOids,
  intOf,
  OID,
  type SnmpAnswer,
  type SnmpRows,
  type SnmpValue,
  textOf,
} from './snmp-answer.ts';
import { expand, type Tables } from './tables.ts';
import { meaningful } from './text.ts';

/** The row index of the printer among the host's devices; 1 nearly everywhere, but not in print servers. */
export function printerIndex(answer: SnmpAnswer): string {
  for (const [index, row] of answer.rows(OID.hrDevice)) {
    if (textOf(row.get(2)) === OID.hrDevicePrinter) return index;
  }
  for (const entry of [OID.prtGeneral, OID.hrPrinter]) {
    const first = answer.rows(entry).keys().next();
    if (!first.done) return first.value;
  }
  for (const entry of [OID.prtInput, OID.prtOutput, OID.prtMarker, OID.prtAlert]) {
    const first = answer.rows(entry).keys().next();
    if (!first.done) return first.value.split('.')[0] ?? '1';
  }
  return '1';
}

/**
 * The device under which a table has the printer's rows. Some agents have their tables under 0 (or 1) whatever hrDevice
 * says; a table that has nothing under the printer's own index is taken from where it has something.
 */
export function tableDevice(rows: SnmpRows, device: string): string {
  let first: string | undefined;
  for (const index of rows.keys()) {
    const dot = index.indexOf('.');
    if (dot < 0) continue;
    const here = index.slice(0, dot);
    if (here === device) return device;
    first ??= here;
  }
  return first ?? device;
}

/** Rows of one device in a table that is indexed by device and number; the number stays as key. */
export function rowsOf(rows: SnmpRows, device: string): Map<number, Map<number, SnmpValue>> {
  const found = new Map<number, Map<number, SnmpValue>>();
  const at = tableDevice(rows, device);
  for (const [index, row] of rows) {
    const parts = index.split('.');
    // Some printers leave the device out of the index.
    if (parts.length === 1) found.set(Number(parts[0]), row);
    else if (parts[0] === at) found.set(Number(parts[parts.length - 1]), row);
  }
  return found;
}

/** The printer's own row of a table with one row a device. */
export function deviceRow(rows: SnmpRows, device: string): Map<number, SnmpValue> | undefined {
  const own = rows.get(device);
  if (own || rows.size !== 1) return own;
  return rows.values().next().value;
}

/** MIBenum of the character set that the printer's texts are in (prtGeneralCurrentLocalization → prtLocalization.4). */
export function charsetOf(answer: SnmpAnswer, device: string): number | undefined {
  const current = intOf(deviceRow(answer.rows(OID.prtGeneral), device)?.get(2)) ?? 1;
  const rows = rowsOf(answer.rows(OID.prtLocalization), device);
  return intOf((rows.get(current) ?? rows.values().next().value)?.get(4));
}

/** Value of the first private object of that kind which says something. */
export function privateText(answer: SnmpAnswer, tables: Tables, is: string): string | undefined {
  for (const rule of tables.objects) {
    if (rule.is !== is) continue;
    const value = privateValue(answer, rule.oid);
    const text = meaningful(textOf(value), 1024);
    if (text === undefined) continue;
    const found = rule.fits.pattern ? expand(rule.fits.pattern, text, '$1') : text;
    if (found) return found;
  }
  return undefined;
}

/** A private object by its OID, with or without the instance behind it. */
export function privateValue(answer: SnmpAnswer, oid: string): SnmpValue | undefined {
  return answer.values.get(oid) ?? answer.values.get(`${oid}.0`) ?? answer.values.get(`${oid}.1`);
}

/** The values below a column with the rest of their OID, in order. */
export function columnOf(answer: SnmpAnswer, column: string): [string, SnmpValue][] {
  const prefix = `${column}.`;
  const found: [string, SnmpValue][] = [];
  for (const [oid, value] of answer.values)
    if (oid.startsWith(prefix)) found.push([oid.slice(prefix.length), value]);
  return found.sort((a, b) => compareOids(a[0], b[0]));
}
