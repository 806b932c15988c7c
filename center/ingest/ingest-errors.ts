/**
 * Stores error batches: many messages in one statement, each entry once. The state of a log memory is one row, cached
 * in memory and guarded by a version: when another center has changed the row, the statement fails as a whole and is
 * built again from the current row.
 *
 * A statement is sent while the one before is still under way, assuming that it succeeds. It writes the unique number
 * of its batch as the version. A statement built on one that failed therefore finds another version and fails too.
 */
import type { ErrorBatch, LogEntry } from '../../schemas/types.ts';
import type { Client, Database } from '../database/database.ts';
import { isLostConnection } from '../database/database.ts';
import { isUnplaced, type Partitions } from '../database/partitions.ts';
import {
  arrayOf,
  int4Array,
  int8Array,
  isElement,
  NULL_ELEMENT,
  textArray,
  textElement,
} from '../database/sql-arrays.ts';
import { CENTER_LIMITS } from '../limits.ts';
import { type Committed, GroupCommit, type PendingItem } from './group-commit.ts';
import {
  append,
  emptyCursor,
  type LogCursor,
  openGap,
  rangesFromSql,
  rangesToSql,
  takeBatch,
} from './log-cursor.ts';
import { isPlainTime, storableJson, storableText, storableTime } from './storable.ts';
import { refusalOf } from './store-refusal.ts';

export interface ErrorsResult {
  /** Every entry up to here is stored or known lost. */
  upTo: number;
  /** Entries that were not stored before, in order. */
  fresh: readonly LogEntry[];
  /** How many entries of this log memory became known lost through this batch. */
  lost: number;
  /** Entries that are missing before later ones, and that the printer may still have. */
  missing?: { from: number; to: number };
}

/** The sender of a batch: called once with the outcome, after the commit. */
export interface ErrorsTaker {
  stored(result: ErrorsResult): void;
  failed(error: unknown): void;
}

/** A batch under way and its sender: one object, because every message has one. */
class Submission implements PendingItem<Submission, ErrorsResult> {
  readonly printer: string;
  readonly batch: ErrorBatch;
  /** Numbers of batches that contained it and may or may not have been committed. */
  doubtful: number[] | undefined;
  readonly #taker: ErrorsTaker;
  /** Size as received. */
  readonly bytes: number;

  constructor(printer: string, batch: ErrorBatch, taker: ErrorsTaker, bytes: number) {
    this.printer = printer;
    this.batch = batch;
    this.bytes = bytes;
    this.#taker = taker;
  }

  get item(): this {
    return this;
  }

  resolve(result: ErrorsResult): void {
    this.#taker.stored(result);
  }

  reject(error: unknown): void {
    this.#taker.failed(error);
  }
}

/** State of a log memory, assuming that every statement sent so far succeeds. */
interface Stream {
  id: number;
  version: number;
  cursor: LogCursor;
  /** Statements on this row that have not succeeded yet. */
  underWay: number;
}

/** The change of a log memory by one statement. */
interface Move {
  stream: Stream;
  /** The version that it builds on. */
  version: number;
}

const SEVERITY: Record<LogEntry['severity'], number> = { info: 0, warning: 1, error: 2, fatal: 3 };
/** Raised by `platen_expect` in the database: another writer changed a row first. */
const STALE_VERSION = 'PL001';
const RETRIES_MAX = 20;
const BATCH_NUMBERS_RESERVED = 1_000;

const WRITE = `
  WITH moved AS (
    UPDATE log_streams s
    SET first_seq = u.first_seq, up_to = u.up_to, lost = u.lost, received = u.received::int8multirange,
        version = $8
    FROM unnest($1::int[], $2::int8[], $3::int8[], $4::int8[], $5::int8[], $6::text[])
      AS u (id, version, first_seq, up_to, lost, received)
    WHERE s.id = u.id AND s.version = u.version
    RETURNING 1),
  stored AS (
    INSERT INTO entries (stream, seq, at, received, batch, pages, severity, code, unit, detail)
    SELECT u.stream, u.seq, u.at, $7, $8, u.pages, u.severity, u.code, u.unit, u.detail
    FROM unnest($9::int[], $10::int8[], $11::timestamptz[], $12::int8[], $13::int4[], $14::text[], $15::text[], $16::jsonb[])
      AS u (stream, seq, at, pages, severity, code, unit, detail))
  SELECT platen_expect((SELECT count(*) FROM moved), $17::int8)`;

function keyOf(printer: string, log: string): string {
  return `${printer}\n${log}`;
}

export class ErrorWriter {
  readonly #database: Database;
  readonly #now: () => number;
  readonly #partitions: Partitions;
  readonly #commit: GroupCommit<Submission, ErrorsResult>;
  /** Streams by printer and log, least recently read from the table first: those are dropped first. */
  readonly #streams = new Map<string, Stream>();
  /** Settles when the statement before was sent: statements are built one after the other. */
  #sent: Promise<void> = Promise.resolve();
  /** Statements sent and not answered; none of them rejects. */
  readonly #unanswered = new Set<Promise<void>>();
  #nextBatch = 0;
  #lastBatch = -1;

  constructor(database: Database, now: () => number, partitions: Partitions, committed: Committed) {
    this.#database = database;
    this.#now = now;
    this.#partitions = partitions;
    this.#commit = new GroupCommit({
      write: (items) => this.#write(items),
      committed,
      weigh: (item) => item.batch.entries.length + 1,
      batchWeight_max: CENTER_LIMITS.ingest_batch_entries_max,
      aheadWeight_min: CENTER_LIMITS.ingest_ahead_entries_min,
      waiting_max: CENTER_LIMITS.ingest_waiting_max,
      bytesOf: ({ bytes }) => bytes,
      waitingBytes_max: CENTER_LIMITS.ingest_waiting_bytes_max,
      whenReady: () => database.whenReady(),
      unable: (reason) => database.unable(reason),
      refusal: refusalOf,
    });
  }

  /** Stores a batch; resolves after the commit. */
  submit(printer: string, batch: ErrorBatch): Promise<ErrorsResult> {
    return new Promise((resolve, reject) => this.take(printer, batch, { stored: resolve, failed: reject }));
  }

  /** Like `submit`, for the hot path: a promise per batch would cost as much as everything else. */
  take(printer: string, batch: ErrorBatch, taker: ErrorsTaker, bytes = 0): void {
    this.#commit.give(new Submission(printer, batch, taker, bytes));
  }

  /** Resolves when everything given so far is settled. */
  settled(): Promise<void> {
    return this.#commit.settled();
  }

  /** Drops cached streams of these printers. Nothing of them may be under way. */
  forget(printers: ReadonlySet<string>): void {
    for (const key of this.#streams.keys()) {
      if (printers.has(key.slice(0, key.indexOf('\n')))) this.#streams.delete(key);
    }
  }

  close(): Promise<void> {
    return this.#commit.close();
  }

  async #write(items: Submission[]): Promise<ErrorsResult[]> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#database.pipelined((client) => this.#writeInTurn(client, items, attempt > 1));
      } catch (error) {
        const code = (error as { code?: string }).code;
        // Another center was faster, the statement before failed, or both deadlocked.
        const unplaced = isUnplaced(error);
        if (unplaced) this.#partitions.forget();
        const again = unplaced || code === STALE_VERSION || code === '40P01' || code === '40001';
        if (!again || attempt >= RETRIES_MAX) throw error;
      }
    }
  }

  /** @param alone nothing else is under way, so what it builds on is certain */
  async #writeInTurn(client: Client, items: Submission[], alone: boolean): Promise<ErrorsResult[]> {
    const before = this.#sent;
    let sent: () => void = () => undefined;
    this.#sent = new Promise((resolve) => {
      sent = resolve;
    });
    try {
      await before;
      if (alone) await Promise.all(this.#unanswered);
      const { answer, results } = await this.#send(client, items);
      if (alone) await answer;
      sent();
      await answer;
      return results;
    } finally {
      sent();
    }
  }

  /** Builds the statement and sends it. The results hold once `answer` has settled. */
  async #send(
    client: Client,
    items: Submission[],
  ): Promise<{ answer: Promise<void> | undefined; results: ErrorsResult[] }> {
    const streams = await this.#streamsOf(client, items);
    const ours = await this.#alreadyOurs(client, items);
    const batch = await this.#batchNumber(client);
    const received_ms = this.#now();
    // The clock jumped, or the process slept for weeks.
    if (!this.#partitions.has(received_ms)) await this.#partitions.ensure(received_ms);
    const { moves, columns, results } = this.#build(items, streams, ours, batch);
    if (moves.size === 0) return { answer: undefined, results };
    const answer = this.#store(client, items, [...moves.values()], columns, batch, received_ms);
    const settled = answer.catch(() => undefined).then(() => void this.#unanswered.delete(settled));
    this.#unanswered.add(settled);
    this.#forgetSome();
    return { answer, results };
  }

  /** Assumes that the items succeed: nothing else may run between this and the sending. */
  #build(
    items: Submission[],
    streams: Stream[],
    ours: Set<string> | undefined,
    number: number,
  ): { moves: Map<Stream, Move>; columns: EntryColumns; results: ErrorsResult[] } {
    const moves = new Map<Stream, Move>();
    const columns = new EntryColumns();
    const results: ErrorsResult[] = [];
    try {
      for (let index = 0; index < items.length; index += 1) {
        const { batch } = items[index] as Submission;
        const stream = streams[index] as Stream;
        const before = stream.cursor.lost;
        const fresh = this.#taken(stream, batch, moves, number);
        for (const entry of fresh) columns.add(stream.id, entry);
        const { upTo, lost } = stream.cursor;
        const missing = openGap(stream.cursor);
        results.push({
          upTo,
          fresh: ours ? withOurs(ours, stream, batch, fresh) : fresh,
          lost: Math.min(Math.max(0, lost - before), CENTER_LIMITS.entries_lost_at_once_max),
          ...(missing && { missing }),
        });
      }
    } catch (error) {
      this.#forget(items);
      throw error;
    }
    return { moves, columns, results };
  }

  /** Advances a log memory by a batch. @returns which of its entries are new */
  #taken(
    stream: Stream,
    { first, entries }: ErrorBatch,
    moves: Map<Stream, Move>,
    number: number,
  ): readonly LogEntry[] {
    const { version, cursor } = stream;
    let fresh: readonly LogEntry[] = entries;
    let moved = append(cursor, first, entries);
    if (!moved) {
      const taken = takeBatch(cursor, first, entries);
      fresh = taken.fresh;
      // A batch without new entries is known to be stored only once everything under way has succeeded.
      moved = fresh.length > 0 || taken.cursor.first !== cursor.first || stream.underWay > 0;
      if (moved) stream.cursor = taken.cursor;
    }
    if (moved && version !== number) {
      stream.version = number;
      moves.set(stream, { stream, version });
    }
    return fresh;
  }

  async #store(
    client: Client,
    items: Submission[],
    moves: Move[],
    columns: EntryColumns,
    batch: number,
    received_ms: number,
  ): Promise<void> {
    for (const { stream } of moves) stream.underWay += 1;
    try {
      await client.query({
        name: 'store-entries',
        text: WRITE,
        values: [
          int4Array(moves.map(({ stream }) => stream.id)),
          int8Array(moves.map(({ version }) => version)),
          int8Array(moves.map(({ stream }) => stream.cursor.first)),
          int8Array(moves.map(({ stream }) => stream.cursor.upTo)),
          int8Array(moves.map(({ stream }) => stream.cursor.lost)),
          textArray(moves.map(({ stream }) => rangesToSql(stream.cursor.received))),
          new Date(received_ms),
          batch,
          ...columns.arrays(),
          moves.length,
        ],
      });
    } catch (error) {
      this.#forget(items);
      if (isLostConnection(error))
        for (const item of items) item.doubtful = [...(item.doubtful ?? []), batch];
      throw error;
    }
    for (const { stream } of moves) stream.underWay -= 1;
  }

  /** Whether the stream of a log memory is cached. */
  knows(printer: string, log: string): boolean {
    return this.#streams.has(keyOf(printer, log));
  }

  /** The stream of each item: cached, read from the table, or created. */
  async #streamsOf(client: Client, items: Submission[]): Promise<Stream[]> {
    const streams: Stream[] = [];
    const missing = new Map<string, Submission>();
    let before: Submission | undefined;
    let stream: Stream | undefined;
    for (const item of items) {
      // Several messages of a printer come together and share one lookup.
      if (before?.printer !== item.printer || before.batch.log !== item.batch.log) {
        const key = keyOf(item.printer, item.batch.log);
        stream = this.#streams.get(key);
        if (!stream) missing.set(key, item);
      }
      before = item;
      if (stream) streams.push(stream);
    }
    if (missing.size === 0) return streams;
    await this.#load(client, missing);
    return items.map(({ printer, batch }) => this.#streams.get(keyOf(printer, batch.log)) as Stream);
  }

  async #load(client: Client, missing: Map<string, Submission>): Promise<void> {
    const printers: string[] = [];
    const logs: string[] = [];
    for (const { printer, batch } of missing.values()) {
      printers.push(printer);
      logs.push(storableText(batch.log));
    }
    await client.query(
      `INSERT INTO log_streams (printer, log)
       SELECT u.printer, u.log FROM unnest($1::text[], $2::text[]) AS u (printer, log)
       WHERE NOT EXISTS (SELECT 1 FROM log_streams s WHERE s.printer = u.printer AND s.log = u.log)
       ORDER BY 1, 2 ON CONFLICT DO NOTHING`,
      [printers, logs],
    );
    const { rows } = await client.query<StreamRow>(
      `SELECT s.id, s.first_seq, s.up_to, s.lost, s.received::text AS received, s.version, u.number
       FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u (printer, log, number)
       JOIN log_streams s ON s.printer = u.printer AND s.log = u.log`,
      [printers, logs],
    );
    const keys = [...missing.keys()];
    for (const row of rows) {
      this.#streams.set(keys[row.number - 1] as string, {
        id: row.id,
        version: row.version,
        cursor: {
          ...emptyCursor(),
          first: row.first_seq,
          upTo: row.up_to,
          lost: row.lost,
          received: rangesFromSql(row.received),
        },
        underWay: 0,
      });
    }
  }

  /**
   * After a connection broke during a commit: the entries of the doubtful batches that did get stored. They are ours
   * and new, although the cursors know them already.
   */
  async #alreadyOurs(client: Client, items: Submission[]): Promise<Set<string> | undefined> {
    const doubtful = new Set<number>();
    for (const item of items) for (const batch of item.doubtful ?? []) doubtful.add(batch);
    if (doubtful.size === 0) return undefined;
    const { rows } = await client.query<{ stream: number; seq: number }>(
      'SELECT stream, seq FROM entries WHERE batch = ANY($1::int8[])',
      [[...doubtful]],
    );
    return new Set(rows.map((row) => `${row.stream} ${row.seq}`));
  }

  /** A batch number that was never used. */
  async #batchNumber(client: Client): Promise<number> {
    if (this.#nextBatch > this.#lastBatch) {
      const { rows } = await client.query<{ drawn: number }>(`SELECT nextval('entry_batches') AS drawn`);
      // Each number drawn stands for a range of them, so that centers drawing at once don't overlap.
      this.#nextBatch = (rows[0] as { drawn: number }).drawn * BATCH_NUMBERS_RESERVED;
      this.#lastBatch = this.#nextBatch + BATCH_NUMBERS_RESERVED - 1;
    }
    this.#nextBatch += 1;
    return this.#nextBatch - 1;
  }

  /** Drops cached state of the items' log memories after a failure: it is read again. */
  #forget(items: Submission[]): void {
    for (const { printer, batch } of items) this.#streams.delete(keyOf(printer, batch.log));
  }

  #forgetSome(): void {
    for (const key of this.#streams.keys()) {
      if (this.#streams.size <= CENTER_LIMITS.streams_remembered_max) return;
      this.#streams.delete(key);
    }
  }
}

interface StreamRow {
  id: number;
  first_seq: number;
  up_to: number;
  lost: number;
  received: string;
  version: number;
  number: number;
}

/** Adds the entries of a batch that a doubtful commit of ours did store. */
function withOurs(
  before: Set<string>,
  stream: Stream,
  batch: ErrorBatch,
  fresh: readonly LogEntry[],
): readonly LogEntry[] {
  const ours = batch.entries.filter((entry) => before.delete(`${stream.id} ${entry.seq}`));
  return ours.length > 0 ? [...ours, ...fresh].sort((a, b) => a.seq - b.seq) : fresh;
}

/** A text as an array element. Nearly all are plain and need no escaping. */
function elementOf(text: string): string {
  return isElement(text) ? text : textElement(storableText(text));
}

/** The columns of the entries of one statement, as Postgres arrays. */
class EntryColumns {
  readonly #stream: number[] = [];
  readonly #seq: number[] = [];
  readonly #at: string[] = [];
  readonly #pages: (number | null)[] = [];
  readonly #severity: number[] = [];
  readonly #code: string[] = [];
  readonly #unit: string[] = [];
  readonly #detail: string[] = [];
  #details = 0;

  add(stream: number, { seq, at, pages, severity, code, unit, detail }: LogEntry): void {
    this.#stream.push(stream);
    this.#seq.push(seq);
    this.#at.push(isPlainTime(at) ? at : textElement(storableTime(at)));
    this.#pages.push(pages ?? null);
    this.#severity.push(SEVERITY[severity]);
    this.#code.push(elementOf(code));
    this.#unit.push(unit === undefined ? NULL_ELEMENT : elementOf(unit));
    this.#detail.push(detail === undefined ? NULL_ELEMENT : textElement(storableJson(detail)));
    if (detail !== undefined) this.#details += 1;
  }

  /** In the order of the statement's parameters. */
  arrays(): (string | Buffer)[] {
    return [
      int4Array(this.#stream),
      int8Array(this.#seq),
      arrayOf(this.#at),
      int8Array(this.#pages),
      int4Array(this.#severity),
      arrayOf(this.#code),
      arrayOf(this.#unit),
      // `unnest` fills shorter arrays with NULL; most entries have no detail.
      this.#details === 0 ? arrayOf([]) : arrayOf(this.#detail),
    ];
  }
}
