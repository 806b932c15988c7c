/**
 * Records the days on which printers were online, so that a campaign can tell a quiet printer from one that was off. A row
 * is written at most once a day; otherwise the statement only reads.
 */
import type { Logger } from 'pino';
import { reasonOf } from '../../../schemas/errors.ts';
import { dayOf } from '../../statistics/code-watch.ts';
import { PRESENCE_DAYS_EVERY_MS } from '../limits.ts';
import type { UpdateDatabase } from '../orders/execution-store.ts';

/** Days kept: two weeks, plus one at each end. */
const DAYS = 16;

/** Records which printers are online now. */
export async function notePresence(database: UpdateDatabase, now: number): Promise<void> {
  await database.query(
    `INSERT INTO presence_days AS d (printer, day, days)
     SELECT p.id, $1, 1 FROM printers p LEFT JOIN presence_days k ON k.printer = p.id
     WHERE p.online AND (k.day IS NULL OR k.day < $1)
     ON CONFLICT (printer) DO UPDATE
       SET day = excluded.day,
           days = CASE WHEN excluded.day - d.day >= ${DAYS} THEN 1
                       ELSE ((d.days << (excluded.day - d.day)) & ${2 ** DAYS - 1}) | 1 END
       WHERE d.day < excluded.day`,
    [dayOf(now)],
  );
}

/** The days in a row of `presence_days`. */
export function daysOf(row: { day: number | null; days: number | null }): number[] {
  const { day, days } = row;
  if (day === null || days === null) return [];
  return Array.from({ length: DAYS }, (_, back) => back)
    .filter((back) => (days >> back) & 1)
    .map((back) => day - back);
}

/** Records every hour which printers are online. */
export class PresenceDays {
  readonly #settings: { database: UpdateDatabase; log: Logger; now(): number };
  #timer: NodeJS.Timeout | undefined;

  constructor(settings: { database: UpdateDatabase; log: Logger; now(): number }) {
    this.#settings = settings;
  }

  async start(noted: () => void): Promise<void> {
    const { database, log, now } = this.#settings;
    const note = async () => {
      await notePresence(database, now()).catch((error: unknown) =>
        log.warn({ reason: reasonOf(error) }, 'online printers were not recorded'),
      );
      noted();
    };
    await note();
    this.#timer = setInterval(() => void note(), PRESENCE_DAYS_EVERY_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
