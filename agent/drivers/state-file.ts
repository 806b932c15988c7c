/**
 * What is remembered of a printer, as a small JSON file.
 */
import type { Logger } from 'pino';
import { writeWholeSync } from '../../files/whole-file.ts';
import { reasonOf } from '../../schemas/errors.ts';

/** Writes `value`; a disk that fails is logged, the printer is read all the same. */
export function keepFile(file: string, value: object, log: Logger): void {
  try {
    // A thousand printers that change at once must not wait for the disk one after the other.
    writeWholeSync(file, JSON.stringify(value), { synced: false });
  } catch (error) {
    log.error({ file, reason: reasonOf(error) }, 'what must be remembered of the printer cannot be written');
  }
}
