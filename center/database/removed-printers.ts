/**
 * The name under which records of a removed printer are kept until the retention drops them. It is no valid printer id,
 * so the next printer with the id inherits nothing.
 */

/** Not allowed in printer ids. */
const MARK = '~';

/** The name of a removed printer in its records. */
export function removedName(printer: string, at: Date): string {
  return `${printer}${MARK}${at.toISOString()}`;
}

/** An SQL condition: the printer in this column was not removed. */
export function isNotRemoved(column: string): string {
  return `strpos(${column}, '${MARK}') = 0`;
}
