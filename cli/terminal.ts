/**
 * Output of commands. Names, versions and reasons come from printers, repositories and other people's files, so escape
 * sequences and bidirectional overrides are escaped.
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

/** Prints text on stderr, for a person who watches. */
export function warn(text: string): void {
  process.stderr.write(`${lines(text)}\n`);
}
