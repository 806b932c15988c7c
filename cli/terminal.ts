/**
 * What commands print. Names, versions and reasons come from printers, repositories and files of others: escape sequences
 * and characters that turn the direction of writing are written out.
 */
import { lines, shownJson } from '../schemas/harmless.ts';

/** Prints text of one or several lines. */
export function print(text: string): void {
  process.stdout.write(`${lines(text)}\n`);
}

/** Prints a value as one line of JSON. */
export function printJson(value: unknown): void {
  process.stdout.write(`${shownJson(value)}\n`);
}

/** Prints text beside the output, for whoever watches. */
export function warn(text: string): void {
  process.stderr.write(`${lines(text)}\n`);
}
