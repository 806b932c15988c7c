/**
 * Writes readings of many printers in one transaction: raw, and aggregated by day and by supply.
 * `center/readings/fold.ts` computes the aggregates from the state that the transaction itself has read, so writing a
 * batch twice gives the same result.
 */
import type { PlatenError } from '../../schemas/errors.ts';
import type { Readings } from '../../schemas/types.ts';
import type { Client, Database } from '../database/database.ts';
import { isUnplaced, type Partitions } from '../database/partitions.ts';
import { jsonbArray, numberArray, textArray } from '../database/sql-arrays.ts';
import { CENTER_LIMITS } from '../limits.ts';
import { type DayCount, type Folded, foldReading, type ReadingState } from '../readings/fold.ts';
import { dateOfDay } from '../readings/local-day.ts';
import { type Derived, type ReadingSigns, signsOf } from '../readings/signs.ts';
import type { EndedSupply, SupplyState } from '../readings/supply.ts';
import { type Committed, GroupCommit } from './group-commit.ts';
import { storableJson, storableTime } from './storable.ts';
import { refusalOf } from './store-refusal.ts';

export interface ReadingItem {
  printer: string;
  reading: Readings;
  bytes: number;
  /** Time zone of a printer that has not reported one yet. */
  timezone?: string;
}

export interface ReadingResult {
  /** `again`: stored before. `late`: of an earlier session; stored, without further effect. */
  outcome: Folded['outcome'];
  /** Limits that it exceeded, to be reported to its printer. */
  notes: readonly PlatenError[];
  /** Its values for trouble rules; missing unless it is new. */
  signs?: ReadingSigns;
}

/** Key of the advisory lock (arbitrary, unique): centers on one database write readings one after the other. */
const LOCK = 7_041_229;
const TRIES_MAX = 5;
/** SQLSTATEs of deadlocks and serialization failures. */
const AGAIN = new Set(['40P01', '40001']);

const READ_KNOWN = {
  name: 'platen-known-readings',
  text: `SELECT g.id AS printer, p.timezone, s.document AS state
    FROM unnest($1::text[]) AS g (id)
    LEFT JOIN printers p ON p.id = g.id LEFT JOIN reading_states s ON s.printer = g.id`,
};

const WRITE_RAW = {
  name: 'platen-write-readings',
  text: `INSERT INTO readings (printer, received, at, session, number, document, derived)
    SELECT r.printer, $7, r.at, r.session, r.number, r.document, r.derived
    FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::int8[], $5::jsonb[], $6::jsonb[])
      AS r (printer, at, session, number, document, derived)`,
};

const WRITE_STATES = {
  name: 'platen-write-reading-states',
  text: `INSERT INTO reading_states (printer, at, received, document)
    SELECT s.printer, s.at, $4, s.document
    FROM unnest($1::text[], $2::timestamptz[], $3::jsonb[]) AS s (printer, at, document)
    ON CONFLICT (printer) DO UPDATE
    SET at = excluded.at, received = excluded.received, document = excluded.document`,
};

/** Host and address, by which a text search finds a printer. */
const WRITE_FACTS = {
  name: 'platen-write-reading-facts',
  text: `UPDATE printer_search s SET facts = f.facts FROM unnest($1::text[], $2::text[]) AS f (printer, facts)
    WHERE s.printer = f.printer AND s.facts <> f.facts`,
};

const WRITE_DAYS = {
  name: 'platen-write-printer-days',
  text: `INSERT INTO printer_days (
      printer, day, readings, first_at, last_at, resets, gap_days, impressions, counters)
    SELECT * FROM unnest($1::text[], $2::date[], $3::int4[], $4::timestamptz[], $5::timestamptz[], $6::int4[],
      $7::int4[], $8::int8[], $9::jsonb[])
    ON CONFLICT (printer, day) DO UPDATE
    SET readings = excluded.readings, last_at = excluded.last_at, resets = excluded.resets,
        impressions = excluded.impressions, counters = excluded.counters`,
};

const WRITE_SUPPLIES = {
  name: 'platen-write-supplies',
  text: `INSERT INTO supply_intervals (printer, symbol, since_at, until_at, kind, color, model, serial, since_left,
      last_left, state, exchange, ends_at, ends_low, ends_high, document)
    SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::text[], $6::text[],
      $7::text[], $8::text[], $9::real[], $10::real[], $11::text[], $12::text[], $13::timestamptz[],
      $14::timestamptz[], $15::timestamptz[], $16::jsonb[])
    ON CONFLICT (printer, symbol, since_at) DO UPDATE
    SET until_at = excluded.until_at, kind = excluded.kind, color = excluded.color, model = excluded.model,
        serial = excluded.serial, last_left = excluded.last_left, state = excluded.state,
        ends_at = excluded.ends_at, ends_low = excluded.ends_low, ends_high = excluded.ends_high,
        document = excluded.document`,
};

interface KnownRow {
  printer: string;
  timezone: string | null;
  state: ReadingState | null;
}

/** The rows that a batch writes, each once. */
interface Changes {
  raw: {
    printer: string;
    at: string;
    session: string;
    number: number;
    document: string;
    derived: Derived | undefined;
  }[];
  states: Map<string, ReadingState>;
  days: Map<string, { printer: string; day: DayCount }>;
  supplies: Map<string, SupplyRow>;
}

interface SupplyRow {
  printer: string;
  symbol: string;
  until_ms?: number;
  supply: SupplyState;
}

const DAY_MS = 86_400_000;

function timeText(time_ms: number): string {
  return new Date(time_ms).toISOString();
}

function rowsOfSupplies(changes: Changes, printer: string, folded: Folded): void {
  const put = (symbol: string, supply: SupplyState, until_ms?: number) =>
    changes.supplies.set(JSON.stringify([printer, symbol, supply.since_ms]), {
      printer,
      symbol,
      supply,
      ...(until_ms === undefined ? {} : { until_ms }),
    });
  for (const { symbol, supply, until_ms } of folded.ended as EndedSupply[]) put(symbol, supply, until_ms);
  for (const symbol of folded.changed) {
    const supply = folded.state.supplies[symbol];
    if (supply) put(symbol, supply);
  }
}

/** The shown values of a supply; those for comparison stay in the printer's state. */
function shownSupply({ days: _days, forecast: _forecast, seen_ms: _seen, ...shown }: SupplyState): object {
  return shown;
}

function endOf({ forecast }: SupplyState, which: 'days' | 'low' | 'high'): string | null {
  const ahead = forecast?.[which];
  return forecast && ahead !== undefined ? timeText(forecast.from_ms + ahead * DAY_MS) : null;
}

export class ReadingWriter {
  readonly #database: Database;
  readonly #partitions: Partitions;
  readonly #now: () => number;
  readonly #commit: GroupCommit<ReadingItem, ReadingResult>;

  /** @param now the center's clock, in milliseconds since the epoch */
  constructor(database: Database, now: () => number, partitions: Partitions, committed: Committed) {
    this.#database = database;
    this.#partitions = partitions;
    this.#now = now;
    this.#commit = new GroupCommit({
      write: (items) => this.#write(items),
      batchWeight_max: CENTER_LIMITS.ingest_batch_readings_max,
      waiting_max: CENTER_LIMITS.ingest_waiting_max,
      bytesOf: ({ bytes }) => bytes,
      waitingBytes_max: CENTER_LIMITS.ingest_waiting_bytes_max,
      whenReady: () => database.whenReady(),
      unable: (reason) => database.unable(reason),
      refusal: refusalOf,
      committed,
    });
  }

  /** Resolves when the reading is durable. @param bytes the size of the payload */
  submit(printer: string, reading: Readings, bytes = 0): Promise<ReadingResult> {
    return this.#commit.submit({ printer, reading, bytes });
  }

  /**
   * Imports readings from before the printers reported to this center, as if received at `received_ms`. A printer that
   * has already sent later readings counts these at its last time.
   */
  async past(received_ms: number, items: Omit<ReadingItem, 'bytes'>[]): Promise<void> {
    await this.#write(
      items.map((item) => ({ ...item, bytes: 0 })),
      () => received_ms,
    );
  }

  /** Resolves when everything accepted until now is settled. */
  settled(): Promise<void> {
    return this.#commit.settled();
  }

  /** Accepts no more, and resolves when everything accepted is settled. */
  close(): Promise<void> {
    return this.#commit.close();
  }

  async #write(items: ReadingItem[], now = this.#now): Promise<ReadingResult[]> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const received_ms = now();
        if (!this.#partitions.has(received_ms)) await this.#partitions.ensure(received_ms);
        return await this.#database.transaction((client) => this.#writeOnce(client, items, received_ms));
      } catch (error) {
        const { code = '' } = error as { code?: string };
        const unplaced = isUnplaced(error);
        if (unplaced) this.#partitions.forget();
        if (!(unplaced || AGAIN.has(code)) || attempt >= TRIES_MAX) throw error;
      }
    }
  }

  async #writeOnce(client: Client, items: ReadingItem[], received_ms: number): Promise<ReadingResult[]> {
    await client.query(`SELECT pg_advisory_xact_lock(${LOCK})`);
    const { rows } = await client.query<KnownRow>({
      ...READ_KNOWN,
      values: [textArray([...new Set(items.map(({ printer }) => printer))])],
    });
    const known = new Map(rows.map((row) => [row.printer, row]));
    const changes: Changes = { raw: [], states: new Map(), days: new Map(), supplies: new Map() };
    const results = items.map(({ printer, reading, timezone }): ReadingResult => {
      const json = storableJson(reading);
      // The stored text is compared next time, so both must be identical.
      const stored = JSON.parse(json) as Readings;
      const before = changes.states.get(printer) ?? known.get(printer)?.state ?? undefined;
      const folded = foldReading(before, stored, received_ms, known.get(printer)?.timezone ?? timezone);
      const { outcome, state, notes, derived } = folded;
      if (outcome === 'again') return { outcome, notes };
      const { session, number, at } = stored;
      changes.raw.push({ printer, at: storableTime(at), session, number, document: json, derived });
      changes.states.set(printer, state);
      if (outcome === 'new') {
        changes.days.set(`${printer} ${state.today.day}`, { printer, day: state.today });
        rowsOfSupplies(changes, printer, folded);
      }
      return { outcome, notes, ...(derived ? { signs: signsOf(stored, derived) } : {}) };
    });
    await this.#store(client, changes, new Date(received_ms));
    return results;
  }

  async #store(client: Client, { raw, states, days, supplies }: Changes, received: Date): Promise<void> {
    if (raw.length === 0) return;
    await client.query({
      ...WRITE_RAW,
      values: [
        textArray(raw.map(({ printer }) => printer)),
        textArray(raw.map(({ at }) => at)),
        textArray(raw.map(({ session }) => session)),
        numberArray(raw.map(({ number }) => number)),
        jsonbArray(raw.map(({ document }) => Buffer.from(document))),
        jsonbArray(raw.map(({ derived }) => (derived ? Buffer.from(JSON.stringify(derived)) : null))),
        received,
      ],
    });
    const known = [...states];
    await client.query({
      ...WRITE_STATES,
      values: [
        textArray(known.map(([printer]) => printer)),
        textArray(known.map(([, { time_ms }]) => timeText(time_ms))),
        jsonbArray(known.map(([, state]) => Buffer.from(JSON.stringify(state)))),
        received,
      ],
    });
    const facts = known.flatMap(([printer, { facts: { hostname = '', address = '' } = {} }]) =>
      hostname === '' && address === '' ? [] : [[printer, `${hostname}\n${address}`] as const],
    );
    if (facts.length > 0) {
      await client.query({
        ...WRITE_FACTS,
        values: [textArray(facts.map(([printer]) => printer)), textArray(facts.map(([, text]) => text))],
      });
    }
    if (days.size > 0) await client.query({ ...WRITE_DAYS, values: dayValues([...days.values()]) });
    if (supplies.size > 0) {
      await client.query({ ...WRITE_SUPPLIES, values: supplyValues([...supplies.values()]) });
    }
  }
}

function dayValues(rows: { printer: string; day: DayCount }[]): (string | Buffer)[] {
  return [
    textArray(rows.map(({ printer }) => printer)),
    textArray(rows.map(({ day }) => dateOfDay(day.day))),
    numberArray(rows.map(({ day }) => day.readings)),
    textArray(rows.map(({ day }) => timeText(day.first_ms))),
    textArray(rows.map(({ day }) => timeText(day.last_ms))),
    numberArray(rows.map(({ day }) => day.resets)),
    numberArray(rows.map(({ day }) => day.gap_days)),
    numberArray(rows.map(({ day }) => day.counters['impressions']?.grown ?? null)),
    jsonbArray(rows.map(({ day }) => Buffer.from(JSON.stringify(day.counters)))),
  ];
}

function supplyValues(rows: SupplyRow[]): (string | Buffer)[] {
  const texts = (of: (row: SupplyRow) => string | null | undefined) =>
    textArray(rows.map((row) => of(row) ?? null));
  const until = (row: SupplyRow, text: string | null) => (row.until_ms === undefined ? text : null);
  return [
    texts(({ printer }) => printer),
    texts(({ symbol }) => symbol),
    texts(({ supply }) => timeText(supply.since_ms)),
    texts(({ until_ms }) => (until_ms === undefined ? null : timeText(until_ms))),
    texts(({ supply }) => supply.kind),
    texts(({ supply }) => supply.color),
    texts(({ supply }) => supply.model),
    texts(({ supply }) => supply.serial),
    numberArray(rows.map(({ supply }) => supply.sinceLeft ?? null)),
    numberArray(rows.map(({ supply }) => supply.left ?? null)),
    texts(({ supply }) => supply.state),
    texts(({ supply }) => supply.exchange),
    texts((row) => until(row, endOf(row.supply, 'days'))),
    texts((row) => until(row, endOf(row.supply, 'low'))),
    texts((row) => until(row, endOf(row.supply, 'high'))),
    jsonbArray(rows.map(({ supply }) => Buffer.from(JSON.stringify(shownSupply(supply))))),
  ];
}
