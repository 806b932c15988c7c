/**
 * The state kept for one printer, as a small JSON file.
 */
import type { Logger } from 'pino';
import { writeWholeSync } from '../../files/whole-file.ts';
import { reasonOf } from '../../schemas/errors.ts';

/** Writes `value`. A disk failure is logged; the printer is still read. */
export function keepFile(file: string, value: object, log: Logger): void {
  try {
    // A thousand printers that change at once must not wait for the disk one by one.
    writeWholeSync(file, JSON.stringify(value), { synced: false });
  } catch (error) {
    log.error({ file, reason: reasonOf(error) }, 'what must be remembered of the printer cannot be written');
  }
}
