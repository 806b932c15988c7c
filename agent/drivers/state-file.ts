/**
 * Small JSON files that must survive a crash: written aside and renamed, so that there is the old one or the new one.
 */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Logger } from 'pino';
import { reasonOf } from '../../schemas/errors.ts';

/** Writes `value`; a disk that fails is logged, the printer is read all the same. */
export function keepFile(file: string, value: object, log: Logger): void {
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(`${file}.new`, JSON.stringify(value));
    renameSync(`${file}.new`, file);
  } catch (error) {
    log.error({ file, reason: reasonOf(error) }, 'what must be remembered of the printer cannot be written');
  }
}
