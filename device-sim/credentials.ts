/** The passwords of simulated printers: from a file, or from a running center that enrolls them. */
import { readFileSync } from 'node:fs';
import { PlatenError, reasonOf } from '../schemas/errors.ts';

/** Printers in one `printers.enroll` request. */
const ENROLL_CHUNK = 500;

function wrongFile(file: string, reason: string): PlatenError {
  return new PlatenError('setting/invalid', {
    name: file,
    reason,
    hint: 'It is one JSON object, {"<printer>": "<password>", …}.',
  });
}

/**
 * Reads `{"<printer>": "<password>"}`.
 * @throws PlatenError setting/invalid when the file has another shape or lacks a printer
 */
export function readPasswords(file: string, printers: string[]): Record<string, string> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw wrongFile(file, reasonOf(error));
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw wrongFile(file, 'an object is expected');
  }
  const passwords = value as Record<string, unknown>;
  for (const printer of printers) {
    if (typeof passwords[printer] !== 'string')
      throw wrongFile(file, `there is no password for "${printer}"`);
  }
  return passwords as Record<string, string>;
}

/**
 * Enrolls all printers, a few hundred per request. A printer that already had a password gets a new one.
 * @param enroll sends the request `printers.enroll`
 */
export async function enrollPrinters(
  enroll: (printers: string[]) => Promise<{ printer: string; password: string }[]>,
  printers: string[],
  progress: (done: number) => void,
): Promise<Record<string, string>> {
  const passwords: Record<string, string> = {};
  for (let at = 0; at < printers.length; at += ENROLL_CHUNK) {
    const chunk = printers.slice(at, at + ENROLL_CHUNK);
    for (const { printer, password } of await enroll(chunk)) passwords[printer] = password;
    progress(at + chunk.length);
  }
  return passwords;
}
