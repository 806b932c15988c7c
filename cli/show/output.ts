/**
 * What commands print: lists as tables, JSON lines or CSV, single things as names and values. Data goes to stdout, everything
 * else to stderr.
 */
import type { Command } from 'commander';
import { csvCell, oneLine } from '../../schemas/harmless.ts';
import type { Row } from '../remote/door.ts';
import { CommandFailure, EXIT } from '../remote/exits.ts';
import { printJson, warn } from '../terminal.ts';
import { type Column, cellOf, chosenColumns, shownValue, tableColumn } from './columns.ts';
import { painter, wantsColor } from './paint.ts';
import { type Cell, layOut } from './table.ts';

export interface OutputFlags {
  json?: boolean;
  csv?: boolean;
  columns?: string;
  utc?: boolean;
}

export interface ListFlags extends OutputFlags {
  limit?: string;
  all?: boolean;
}

/** Rows that a list shows without `--limit` or `--all`. */
const ROWS_DEFAULT = 100;
/** Most rows of one table; JSON and CSV are written as they come. */
const TABLE_ROWS_MAX = 10_000;

export function addOutputOptions(command: Command): Command {
  return command.option('--json', 'as JSON').option('--utc', 'times in UTC instead of local time');
}

export function addListOptions(command: Command, columns: readonly Column[]): Command {
  return command
    .option('--json', 'as JSON lines')
    .option('--csv', 'as CSV')
    .option('--columns <names>', `divided by commas: ${columns.map(({ name }) => name).join(', ')}`)
    .option('--limit <rows>', `most rows (default: ${ROWS_DEFAULT})`)
    .option('--all', 'every row')
    .option('--utc', 'times in UTC instead of local time');
}

/** Most rows that a list asks for; undefined: all. @throws CommandFailure */
export function rowsMax({ limit, all, csv }: ListFlags): number | undefined {
  if (all) return undefined;
  if (limit === undefined) return csv ? undefined : ROWS_DEFAULT;
  const rows = Number(limit);
  if (!Number.isInteger(rows) || rows < 1) {
    throw new CommandFailure(EXIT.usage, `--limit "${limit}" is not a whole number above 0.`);
  }
  return rows;
}

/** The width of the terminal; undefined where the output goes elsewhere. */
function terminalWidth(): number | undefined {
  return process.stdout.isTTY ? process.stdout.columns || 80 : undefined;
}

function cells(columns: readonly Column[], row: Row, utc: boolean): Cell[] {
  const paint = painter(wantsColor(process.stdout, process.env));
  return columns.map((column) => ({
    text: shownValue(cellOf(column, row), column.kind, utc),
    ...(column.kind === 'state' ? { paint } : {}),
  }));
}

/** Prints a table of rows that are all there. */
export function printTable(columns: readonly Column[], rows: readonly Row[], utc = false): void {
  const table = layOut(
    columns.map(tableColumn),
    rows.map((row) => cells(columns, row, utc)),
    terminalWidth(),
  );
  for (const line of table.lines) process.stdout.write(`${line}\n`);
  if (table.hidden.length > 0) {
    warn(`The terminal is too narrow for ${table.hidden.join(', ')}; --columns chooses others.`);
  }
}

/**
 * Prints a list as it is wanted.
 * @param nothing what is said when it is empty
 * @returns how many rows it had
 */
export async function printList(
  columns: readonly Column[],
  pages: AsyncIterable<{ items: Row[]; page: Row }>,
  flags: ListFlags,
  nothing: string,
): Promise<number> {
  const shown = chosenColumns(columns, flags.columns);
  const utc = flags.utc ?? false;
  const most = rowsMax(flags);
  const table: Row[] = [];
  let count = 0;
  let last: Row = {};
  if (flags.csv) process.stdout.write(`${shown.map(({ name }) => csvCell(name)).join(',')}\r\n`);
  for await (const { items, page } of pages) {
    last = page;
    count += items.length;
    if (flags.json) {
      for (const item of items) printJson(flags.columns === undefined ? item : picked(shown, item));
    } else if (flags.csv) {
      for (const item of items) process.stdout.write(`${csvRow(shown, item)}\r\n`);
    } else table.push(...items);
    if (!flags.json && !flags.csv && table.length >= TABLE_ROWS_MAX) {
      warn(`A table ends after ${TABLE_ROWS_MAX} rows; --json and --csv give all of them.`);
      break;
    }
  }
  if (flags.json || flags.csv) return count;
  if (count === 0) warn(nothing);
  else printTable(shown, table, utc);
  if (last['next'] !== undefined && most !== undefined && count >= most) {
    const { total, exact } = last;
    const of = typeof total === 'number' ? ` of ${exact === false ? 'about ' : ''}${total}` : '';
    warn(`${count}${of} shown; --all shows the rest.`);
  }
  return count;
}

function picked(columns: readonly Column[], row: Row): Row {
  return Object.fromEntries(columns.map((column) => [column.name, cellOf(column, row) ?? null]));
}

function csvRow(columns: readonly Column[], row: Row): string {
  return columns
    .map((column) => {
      const value = cellOf(column, row);
      if (value === undefined || value === null) return '';
      return csvCell(
        typeof value === 'object' ? JSON.stringify(value) : (value as string | number | boolean),
      );
    })
    .join(',');
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

/** Prints names and values, those that are missing left out. */
export function printValues(
  values: readonly (readonly [string, unknown, Column['kind']?])[],
  utc = false,
  stream: NodeJS.WriteStream = process.stdout,
): void {
  const paint = painter(wantsColor(stream, process.env));
  const there = values.filter(([, value]) => !isEmpty(value));
  const width = Math.max(0, ...there.map(([name]) => name.length));
  for (const [name, value, kind] of there) {
    const text = oneLine(shownValue(value, kind, utc));
    stream.write(`${name.padEnd(width)}  ${kind === 'state' ? paint(text) : text}\n`);
  }
}
