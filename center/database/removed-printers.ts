/**
 * The name under which records of a removed printer are kept until the retention drops them. No printer id has such a
 * name, so whoever gets the id next inherits nothing.
 */

/** Stands in no printer id. */
const MARK = '~';

/** What a printer that was removed at this time is called in its records. */
export function removedName(printer: string, at: Date): string {
  return `${printer}${MARK}${at.toISOString()}`;
}

/** A condition of SQL: the printer that this column names was not removed. */
export function isNotRemoved(column: string): string {
  return `strpos(${column}, '${MARK}') = 0`;
}
