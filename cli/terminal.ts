/**
 * Output of commands. Names, versions and reasons come from printers, repositories and other people's files, so escape
 * sequences and bidirectional overrides are escaped.
 */
import { lines, shownJson } from '../schemas/harmless.ts';

/** Prints text of one or several lines. */
export function print(text: string): void {
  process.stdout.write(`${lines(text)}\n`);
}

/** Prints a value as JSON: one line, or laid out with an indent. */
export function printJson(value: unknown, indent?: number): void {
  process.stdout.write(`${shownJson(value, indent)}\n`);
}

/** Prints text on stderr, for a person who watches. */
export function warn(text: string): void {
  process.stderr.write(`${lines(text)}\n`);
}
