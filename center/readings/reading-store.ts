/** Queries on readings, over the tables that `center/ingest/reading-writer.ts` writes. */
import type { Database } from '../database/database.ts';
import type { LatestReadings } from '../queries.ts';
import type { ReadingState } from './fold.ts';
import type { SupplyState } from './supply.ts';

const DAY_MS = 86_400_000;

function iso(time_ms: number): string {
  return new Date(time_ms).toISOString();
}

function supplyOf(symbol: string, supply: SupplyState): LatestReadings['supplies'][number] {
  const {
    days: _days,
    seen_ms: _seen,
    since_ms,
    sinceLeft: _left,
    exchange: _exchange,
    forecast,
    ...shown
  } = supply;
  const ends = (ahead: number | undefined, name: 'ends' | 'endsEarliest' | 'endsLatest') =>
    forecast && ahead !== undefined ? { [name]: iso(forecast.from_ms + ahead * DAY_MS) } : {};
  return {
    symbol,
    ...shown,
    since: iso(since_ms),
    ...ends(forecast?.days, 'ends'),
    ...ends(forecast?.low, 'endsEarliest'),
    ...ends(forecast?.high, 'endsLatest'),
  };
}

export class ReadingRows {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** The latest values of everything that a printer reported; undefined when it never sent readings. */
  async latest(printer: string): Promise<LatestReadings | undefined> {
    const [row] = await this.#database.query<{ received: Date; document: ReadingState }>(
      'SELECT received, document FROM reading_states WHERE printer = $1',
      [printer],
    );
    if (!row) return undefined;
    const { received, document } = row;
    const { at, sessions, state, reasons, inputs, facts, counters, supplies } = document;
    const [session = '', number = 0] = sessions.at(-1) ?? [];
    return {
      session,
      number,
      at,
      received: received.toISOString(),
      ...(state === undefined ? {} : { state }),
      ...(reasons === undefined ? {} : { reasons }),
      counters: Object.fromEntries(Object.entries(counters).map(([name, { value }]) => [name, value])),
      supplies: Object.entries(supplies).map(([symbol, supply]) => supplyOf(symbol, supply)),
      ...(inputs === undefined ? {} : { inputs }),
      ...(facts === undefined ? {} : { facts }),
    };
  }
}
