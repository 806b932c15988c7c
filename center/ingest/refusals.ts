/**
 * Refused payloads: counted, reported to their printer on `refused`, and logged once per printer and kind, so that one
 * broken printer can't fill the log.
 */
import type { Logger } from 'pino';
import { type PlatenError, reasonOf } from '../../schemas/errors.ts';
import { PRINTER_ID, printerTopic } from '../../schemas/topics.ts';
import type { Refused } from '../../schemas/types.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { Link } from '../link/link.ts';

export class Refusals {
  readonly #link: Link;
  readonly #log: Logger;
  /** Number of refusals by code. */
  readonly counts = new Map<string, number>();
  /** `printer kind` pairs logged already, oldest first. */
  readonly #logged = new Set<string>();

  constructor(link: Link, log: Logger) {
    this.#link = link;
    this.#log = log;
  }

  /** Refuses one payload of `printer`. */
  refuse(printer: string, kind: string, topic: string, error: PlatenError): void {
    this.counts.set(error.code, (this.counts.get(error.code) ?? 0) + 1);
    const key = `${printer} ${kind}`;
    if (!this.#logged.has(key)) {
      if (this.#logged.size >= CENTER_LIMITS.refusals_remembered_max) {
        for (const oldest of this.#logged) {
          this.#logged.delete(oldest);
          break;
        }
      }
      this.#logged.add(key);
      this.#log.warn(
        { printer, kind, code: error.code },
        `a payload of ${printer} was refused: ${error.message}`,
      );
    }
    // A foreign broker may let invalid names of printers through.
    if (!PRINTER_ID.test(printer)) return;
    const refused: Refused = { topic, code: error.code, message: error.message };
    this.#link
      .publish(printerTopic.refused(printer), JSON.stringify(refused), { qos: 1, retain: false })
      .catch((reason: unknown) =>
        this.#log.warn({ printer, reason: reasonOf(reason) }, 'cannot send a refusal'),
      );
  }
}
