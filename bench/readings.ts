/**
 * `npm run bench -- readings`: what the hourly readings of 100,000 printers cost the store, and how long a report over
 * their month takes.
 *
 * The insert rate is that of the center's own writer (fold, days, supplies, one transaction per batch) over whole hours
 * of the fleet. It is compared with COPY of the same rows into empty tables of the same form: every row of `readings`,
 * and each row of the other tables once per write. A month is 72 million readings, so the run stores only `--hours`
 * (default 2) of all printers and extrapolates a month from the bytes per row. The report reads a whole month: 3
 * million rows of `printer_days`, loaded with COPY. Entries are ingested alone and beside readings at the rate of
 * 100,000 printers, in turns.
 */
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { loadavg } from 'node:os';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { randomFor } from '../base/random.ts';
import { openStore, type Store } from '../center/database/store.ts';
import type { Readings } from '../schemas/types.ts';
import { temporaryFolder } from '../tests/harness/folder.ts';
import type { BenchResult } from './result.ts';

const PRINTERS = 100_000;
const SITES = 500;
const SEED = 20261201;
const HOUR_MS = 3_600_000;
const DAY_HOURS = 24;
const MONTH_DAYS = 30;
const START_MS = Date.UTC(2026, 10, 2, 6);
/** Readings queued for the store at once, as when many printers are read at the same moment. */
const WAITING = 4_000;
const ROUNDS = 3;
const ENTRY_PRINTERS = 200;
const ENTRIES_PER_MESSAGE = 10;
const ENTRY_MESSAGES = 150;
const ENTRY_WINDOW = 20;
const COLORS = ['black', 'cyan', 'magenta', 'yellow'];
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

function idOf(index: number): string {
  return `bench-${String(index).padStart(6, '0')}`;
}

/** A colour office printer: the readings of `docs/reference/contract.md`, with four toners and four trays. */
class Fleet {
  readonly #random = randomFor(SEED, 'fleet');
  readonly #pages = new Float64Array(PRINTERS).map(() => Math.floor(this.#random() * 500_000));
  readonly #left = COLORS.map(() => new Float64Array(PRINTERS).map(() => 20 + 80 * this.#random()));

  reading(index: number, hour: number): Readings {
    const printed = Math.floor(this.#random() * 40);
    this.#pages[index] = (this.#pages[index] ?? 0) + printed;
    const pages = this.#pages[index] ?? 0;
    return {
      session: `session-${index}`,
      number: hour + 1,
      at: new Date(START_MS + hour * HOUR_MS).toISOString(),
      reason: 'periodic',
      state: printed > 20 ? 'processing' : 'idle',
      counters: {
        impressions: pages,
        'impressions-color': Math.floor(pages / 4),
        'impressions-two-sided': Math.floor(pages / 3),
        sheets: Math.floor(pages / 1.5),
        scans: Math.floor(pages / 10),
      },
      supplies: COLORS.map((color, at) => {
        const levels = this.#left[at] as Float64Array;
        levels[index] = Math.max(0, (levels[index] ?? 0) - printed / 400);
        return {
          symbol: `supply.${color}`,
          kind: 'toner',
          color,
          level: Math.ceil(levels[index] ?? 0),
          capacity: 100,
          measure: 'percent',
          known: 'exact',
          state: 'ok',
        };
      }),
      inputs: [1, 2, 3, 4].map((tray) => ({ symbol: `tray.${tray}`, capacity: 500, known: 'some' as const })),
    };
  }
}

async function single<T extends object>(store: Store, text: string): Promise<T> {
  const [row] = await store.database.query<T>(text);
  if (!row) throw new Error(`no row: ${text}`);
  return row;
}

async function copy(store: Store, statement: string, rows: Iterable<string>): Promise<void> {
  await store.database.transaction(async (client) => {
    await pipeline(Readable.from(rows), client.query(copyFrom(statement)));
  });
}

/** Printers with sites and models; nothing here reads structures. */
async function putPrinters(store: Store): Promise<void> {
  await store.database.query(
    `INSERT INTO printers (id, model, site, timezone)
     SELECT 'bench-' || lpad(i::text, 6, '0'), 'C' || 100 * (1 + i % 9), 'site-' || i % ${SITES},
       CASE WHEN i % 3 = 0 THEN 'America/New_York' ELSE 'Europe/Berlin' END FROM generate_series(0, ${PRINTERS - 1}) i`,
  );
}

interface Written {
  readings: number;
  seconds: number;
  cpu_s: number;
  /** Row writes by table; a row counts once per write. */
  rows: Record<string, number>;
}

/** Inserts and updates per table so far. */
async function writes(store: Store): Promise<Record<string, number>> {
  // Statistics of other sessions arrive with a delay.
  await store.database.query('SELECT pg_stat_force_next_flush()');
  await sleep(1_500);
  const rows = await store.database.query<{ name: string; n: number }>(
    `SELECT CASE WHEN relname LIKE 'readings%' THEN 'readings' ELSE relname END AS name,
       sum(n_tup_ins + n_tup_upd)::int8 AS n FROM pg_stat_user_tables
     WHERE relname ~ '^(readings_|reading_states|printer_days|supply_intervals)' GROUP BY 1`,
  );
  return Object.fromEntries(rows.map(({ name, n }) => [name, n]));
}

/** Sends hours of readings of the whole fleet through the center's writer. */
async function write(
  store: Store,
  fleet: Fleet,
  from: number,
  hours: number,
  setTime: (ms: number) => void,
): Promise<Written> {
  const before = await writes(store);
  const cpu = process.cpuUsage();
  const started = performance.now();
  for (let hour = from; hour < from + hours; hour += 1) {
    setTime(START_MS + hour * HOUR_MS);
    let next = 0;
    const lane = async () => {
      for (let index = next++; index < PRINTERS; index = next++) {
        await store.ingest.readings(idOf(index), fleet.reading(index, hour), 900);
      }
    };
    await Promise.all(Array.from({ length: WAITING }, lane));
    process.stderr.write(
      `hour ${hour}: ${Math.round(((hour - from + 1) * PRINTERS * 1_000) / (performance.now() - started))} readings/s\n`,
    );
  }
  const seconds = (performance.now() - started) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  const after = await writes(store);
  const rows = Object.fromEntries(
    Object.keys(after).map((name) => [name, (after[name] ?? 0) - (before[name] ?? 0)]),
  );
  return { readings: hours * PRINTERS, seconds, cpu_s: (user + system) / 1e6, rows };
}

/** Copies every row into empty tables as often as it was written. @returns seconds */
async function copyAgain(store: Store, { rows }: Written, hours: number): Promise<number> {
  const { database } = store;
  let seconds = 0;
  for (const [table, written] of Object.entries(rows)) {
    if (written === 0) continue;
    const of = table === 'readings' ? 'WHERE number > 1' : '';
    const text: string[] = [];
    await database.transaction(async (client) => {
      const stream = client.query(copyTo(`COPY (SELECT * FROM ${table} ${of} LIMIT ${written}) TO STDOUT`));
      stream.setEncoding('utf8');
      for await (const chunk of stream) text.push(chunk as string);
    });
    const { n } = await single<{ n: number }>(
      store,
      `SELECT count(*)::int8 AS n FROM (SELECT 1 FROM ${table} ${of} LIMIT ${written}) t`,
    );
    // Without unique keys, because a row may occur twice, but with an index of the same width.
    await database.query(`CREATE TABLE copied_${table} (LIKE ${table} INCLUDING DEFAULTS)`);
    const keys = await database.query<{ definition: string }>(
      `SELECT pg_get_indexdef(indexrelid) AS definition FROM pg_index WHERE indrelid = '${table}'::regclass`,
    );
    for (const [at, { definition }] of keys.entries()) {
      const made = definition
        .replace('UNIQUE ', '')
        .replace(/INDEX \S+ ON (ONLY )?\S+/, `INDEX copied_${table}_${at} ON copied_${table}`);
      await database.query(made);
    }
    const started = performance.now();
    for (let done = 0; done < written; done += n) await copy(store, `COPY copied_${table} FROM STDIN`, text);
    const took = (performance.now() - started) / 1_000;
    seconds += took;
    process.stderr.write(`copy of ${written} rows of ${table}: ${Math.round(took * 100) / 100} s\n`);
    await database.query(`DROP TABLE copied_${table}`);
  }
  process.stderr.write(`copied what ${hours} hours wrote\n`);
  return seconds;
}

/** Bytes per printer and month: raw rows and aggregates, with their indexes. */
async function sizes(store: Store, hours: number): Promise<Record<string, number>> {
  const bytes = async (table: string) =>
    (
      await single<{ n: number }>(
        store,
        `SELECT sum(pg_total_relation_size(inhrelid))::int8 AS n FROM
           (SELECT inhrelid FROM pg_inherits WHERE inhparent = '${table}'::regclass
            UNION ALL SELECT '${table}'::regclass WHERE '${table}' <> 'readings') t`,
      )
    ).n;
  const raw = (await bytes('readings')) / (PRINTERS * (hours + 1));
  return {
    raw_bytes_per_reading: Math.round(raw),
    raw_bytes_per_printer_and_month: Math.round(raw * DAY_HOURS * MONTH_DAYS),
    states_bytes_per_printer: Math.round((await bytes('reading_states')) / PRINTERS),
    supplies_bytes_per_printer: Math.round((await bytes('supply_intervals')) / PRINTERS),
  };
}

/** For statements that may take longer than the center's own timeout. */
async function patiently(store: Store, ...statements: string[]): Promise<void> {
  const client = new pg.Client({ connectionString: store.database.url });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

/** A whole month of days of every printer, and the report over it. */
async function reportMonth(store: Store): Promise<Record<string, number>> {
  await patiently(store, 'TRUNCATE printer_days');
  const random = randomFor(SEED, 'days');
  function* rows(): Generator<string> {
    for (let day = 0; day < MONTH_DAYS; day += 1) {
      const date = new Date(START_MS + day * DAY_HOURS * HOUR_MS).toISOString().slice(0, 10);
      for (let from = 0; from < PRINTERS; from += 1_000) {
        let text = '';
        for (let index = from; index < from + 1_000; index += 1) {
          const grown = Math.floor(random() * 400);
          const count = (name: string, share: number) =>
            `"${name}": {"end": ${100_000 + grown * share}, "grown": ${grown * share}}`;
          const counters = `{${count('impressions', 1)}, ${count('impressions-color', 2)}, ${count('impressions-two-sided', 3)}, ${count('sheets', 4)}, ${count('scans', 5)}}`;
          text += `${idOf(index)}\t${date}\t24\t${date}T00:10:00Z\t${date}T23:10:00Z\t0\t0\t${grown}\t${counters}\n`;
        }
        yield text;
      }
    }
  }
  await copy(
    store,
    'COPY printer_days (printer, day, readings, first_at, last_at, resets, gap_days, impressions, counters) FROM STDIN',
    rows(),
  );
  await patiently(store, 'VACUUM ANALYZE printer_days');
  const { n } = await single<{ n: number }>(
    store,
    `SELECT pg_total_relation_size('printer_days')::int8 AS n`,
  );
  const from = new Date(START_MS).toISOString().slice(0, 10);
  const to = new Date(START_MS + (MONTH_DAYS - 1) * DAY_HOURS * HOUR_MS).toISOString().slice(0, 10);
  const now_ms = START_MS + MONTH_DAYS * DAY_HOURS * HOUR_MS;
  const figures: Record<string, number> = { days_bytes_per_printer_and_month: Math.round(n / PRINTERS) };
  for (const by of ['site', 'printer'] as const) {
    for (const counter of ['impressions', 'scans']) {
      const times: number[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        const started = performance.now();
        await store.reports.pages(
          { from, to, now_ms, by, counter, sort: '-pages' },
          { limit: 1_000, cursor: undefined },
        );
        times.push((performance.now() - started) / 1_000);
      }
      figures[`report_by_${by}_of_${counter}_s`] = Math.round(median(times) * 100) / 100;
    }
  }
  return figures;
}

/** Ingests entries of 200 printers as fast as the store takes them. @returns entries per second */
async function takeEntries(store: Store, run: string): Promise<number> {
  const started = performance.now();
  const printers = Array.from({ length: ENTRY_PRINTERS }, (_, index) => idOf(index));
  await Promise.all(
    printers.flatMap((printer) => {
      let next = 0;
      const lane = async () => {
        for (let message = next++; message < ENTRY_MESSAGES; message = next++) {
          const first = message * ENTRIES_PER_MESSAGE + 1;
          await store.ingest.errors(printer, {
            log: run,
            first: 1,
            reason: 'event',
            entries: Array.from({ length: ENTRIES_PER_MESSAGE }, (_, offset) => ({
              seq: first + offset,
              at: new Date(START_MS).toISOString(),
              code: 'J-7201',
              severity: 'info',
              unit: 'finisher.1',
              pages: 100_000 + first,
            })),
          });
        }
      };
      return Array.from({ length: ENTRY_WINDOW }, lane);
    }),
  );
  const entries = ENTRY_PRINTERS * ENTRY_MESSAGES * ENTRIES_PER_MESSAGE;
  return entries / ((performance.now() - started) / 1_000);
}

/**
 * Entries alone and beside readings at the rate of the whole fleet. @returns the share of the rate that is left, by
 * round
 */
async function besideEntries(
  store: Store,
  fleet: Fleet,
  hour: number,
): Promise<{ alone: number[]; beside: number[] }> {
  const result = { alone: [] as number[], beside: [] as number[] };
  const pace_ms = HOUR_MS / PRINTERS;
  let index = 0;
  await takeEntries(store, randomUUID());
  for (let round = 0; round < ROUNDS * 2; round += 1) {
    // Whichever runs first sees a different machine, so they take turns.
    for (const which of round % 2 === 0 ? (['alone', 'beside'] as const) : (['beside', 'alone'] as const)) {
      let going = which === 'beside';
      const reads = (async () => {
        const started = performance.now();
        const under: Promise<unknown>[] = [];
        for (let sent = 0; going; sent += 1) {
          const wait_ms = started + sent * pace_ms - performance.now();
          if (wait_ms > 0) await sleep(wait_ms);
          under.push(store.ingest.readings(idOf(index), fleet.reading(index, hour), 900));
          index += 1;
        }
        await Promise.all(under);
      })();
      const rate = await takeEntries(store, randomUUID());
      going = false;
      await reads;
      result[which].push(rate);
      process.stderr.write(`entries ${which}: ${Math.round(rate)}/s\n`);
    }
  }
  return result;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] as number;
}

const two = (value: number) => Math.round(value * 100) / 100;

export async function run(args: string[]): Promise<BenchResult> {
  const hours = Number(args.find((arg) => arg.startsWith('--hours='))?.slice('--hours='.length) ?? 2);
  const folder = temporaryFolder('platen-bench-');
  let time_ms = START_MS;
  const store = await openStore({ source: { dataFolder: folder }, log, now: () => time_ms });
  const setTime = (ms: number) => {
    time_ms = ms;
  };
  const before = loadavg()[0] ?? 0;
  try {
    await putPrinters(store);
    const fleet = new Fleet();
    // The first reading of each printer inserts its rows; a month consists mostly of updates.
    const first = await write(store, fleet, 0, 1, setTime);
    await patiently(store, 'VACUUM ANALYZE');
    const written = await write(store, fleet, 1, hours, setTime);
    const copy_s = await copyAgain(store, written, hours);
    const size = await sizes(store, hours);
    const { alone, beside } = await besideEntries(store, fleet, hours + 1);
    const report = await reportMonth(store);
    const rate = written.readings / written.seconds;
    const shares = beside.map((value, round) => value / (alone[round] as number));
    const ratios = {
      readings_to_copy: two(copy_s / written.seconds),
      entries_beside_readings_to_alone: two(median(shares)),
    };
    const month = PRINTERS * DAY_HOURS * MONTH_DAYS;
    return {
      figures: {
        printers: PRINTERS,
        hours_written: hours,
        readings_written: written.readings,
        load_average_1_min_before: two(before),
        readings_per_s: Math.round(rate),
        first_readings_per_s: Math.round(first.readings / first.seconds),
        cpu_us_per_reading_without_database: Math.round((written.cpu_s / written.readings) * 1e6),
        copy_s_of_the_same_rows: two(copy_s),
        ...Object.fromEntries(
          Object.entries(written.rows).map(([name, n]) => [
            `rows_of_${name}_per_reading`,
            two(n / written.readings),
          ]),
        ),
        month_readings: month,
        hours_of_writing_a_month_extrapolated: two(month / rate / 3_600),
        ...size,
        ...report,
        entries_alone_per_s: Math.round(median(alone)),
        entries_beside_readings_per_s: Math.round(median(beside)),
      },
      ratios,
      bars: [
        {
          name: 'readings to COPY',
          value: ratios.readings_to_copy,
          bar: 'at least 0.5',
          met: ratios.readings_to_copy >= 0.5,
        },
        {
          name: 'report of a month by site, s',
          value: report['report_by_site_of_impressions_s'] ?? Number.NaN,
          bar: 'under 2',
          met: (report['report_by_site_of_impressions_s'] ?? Number.NaN) < 2,
        },
        {
          name: 'entries beside readings to alone',
          value: ratios.entries_beside_readings_to_alone,
          bar: 'at least 0.95',
          met: ratios.entries_beside_readings_to_alone >= 0.95,
        },
      ],
    };
  } finally {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
