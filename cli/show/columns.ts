/** Columns of lists: which there are, which are shown, and what stands in a cell. Pure. */
import { didYouMean } from '../../schemas/nearest-name.ts';
import type { Row } from '../remote/door.ts';
import { CommandFailure, EXIT } from '../remote/exits.ts';
import type { TableColumn } from './table.ts';
import { shownTime } from './times.ts';

export interface Column {
  /** As `--columns` names it. */
  name: string;
  /** Shown without `--columns`. */
  usual?: boolean;
  kind?: 'text' | 'number' | 'time' | 'state';
  /** Reads the cell; default: the member of that name. */
  read?: (row: Row) => unknown;
  narrowest?: number;
}

/** A member of a row by its path, such as `cause.kind`. */
export function memberAt(row: Row, path: string): unknown {
  let value: unknown = row;
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Object.hasOwn(value, name) ? (value as Row)[name] : undefined;
  }
  return value;
}

export function cellOf(column: Column, row: Row): unknown {
  return column.read ? column.read(row) : memberAt(row, column.name);
}

/** What a value is in a table. */
export function shownValue(value: unknown, kind: Column['kind'], utc: boolean): string {
  if (value === undefined || value === null) return '';
  if (kind === 'time' && typeof value === 'string') return shownTime(value, utc);
  if (Array.isArray(value) && value.every((each) => typeof each !== 'object')) return value.join(', ');
  if (typeof value === 'object') {
    const members = Object.entries(value as Row);
    if (members.every(([, each]) => typeof each !== 'object')) {
      return members.map(([name, each]) => `${name}=${each}`).join(' ');
    }
    return JSON.stringify(value);
  }
  return String(value);
}

/**
 * The columns to show.
 * @param asked names divided by commas; undefined: the usual ones
 * @throws CommandFailure for an unknown name, with the nearest one
 */
export function chosenColumns(columns: readonly Column[], asked: string | undefined): Column[] {
  if (asked === undefined) return columns.filter(({ usual }) => usual);
  return asked.split(',').map((each) => {
    const name = each.trim();
    const found = columns.find((column) => column.name === name);
    if (found) return found;
    // Members of members, such as labels.ring.
    const [head = ''] = name.split('.');
    const parent = columns.find((column) => column.name === head);
    if (parent && name !== head && !parent.read) return { name };
    const known = columns.map((column) => column.name);
    throw new CommandFailure(
      EXIT.usage,
      `There is no column "${name}"${didYouMean(name, known)}`,
      `There are: ${known.join(', ')}`,
    );
  });
}

export function tableColumn({ name, kind, narrowest = 8 }: Column): TableColumn {
  const title = name.toUpperCase();
  return kind === 'number'
    ? { title, right: true }
    : { title, ...(kind === 'time' || kind === 'state' ? {} : { narrowest }) };
}
