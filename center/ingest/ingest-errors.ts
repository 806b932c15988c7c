/**
 * Stores error batches: many messages in one statement, each entry once. The state of every log memory is one row,
 * kept in memory between batches and guarded by a version: when another center moved it on, the statement fails as a
 * whole and is built again from what the table holds now.
 *
 * A statement is sent while the one before is still under way, and takes for granted that it succeeds. What it writes
 * as the version is the number of its batch, which no other statement has: whoever built on one that failed meets
 * another version and fails too.
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
  /** Entries that were not stored before, in their order. */
  fresh: readonly LogEntry[];
  /** How many entries of this log memory became known lost through this batch. */
  lost: number;
  /** Entries that are missing though later ones came and the printer may still have them. */
  missing?: { from: number; to: number };
}

/** Whoever gave a batch: told once what became of it, after the commit. */
export interface ErrorsTaker {
  stored(result: ErrorsResult): void;
  failed(error: unknown): void;
}

/** A batch on its way, with who waits for it: one object, because there is one for each message. */
class Submission implements PendingItem<Submission, ErrorsResult> {
  readonly printer: string;
  readonly batch: ErrorBatch;
  /** Numbers of batches that it travelled in and of which it isn't known whether they were committed. */
  doubtful: number[] | undefined;
  readonly #taker: ErrorsTaker;
  /** As it came. */
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

/** A log memory as it will be when everything that was sent to the database has succeeded. */
interface Stream {
  id: number;
  version: number;
  cursor: LogCursor;
  /** Statements that write it and have not succeeded (yet). */
  underWay: number;
}

/** What one statement makes of a log memory. */
interface Move {
  stream: Stream;
  /** What it builds upon. */
  version: number;
}

const SEVERITY: Record<LogEntry['severity'], number> = { info: 0, warning: 1, error: 2, fatal: 3 };
/** Raised by `platen_expect` in the database: somebody else changed a row first. */
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
  /** Streams by printer and log, those read from the table first in front: they are forgotten first. */
  readonly #streams = new Map<string, Stream>();
  /** Settles when the statement before was sent: they are built one after the other. */
  #sent: Promise<void> = Promise.resolve();
  /** Statements that were sent and are not answered; none of them rejects. */
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

  /** The same for very many: a promise for each would cost as much as all the rest. */
  take(printer: string, batch: ErrorBatch, taker: ErrorsTaker, bytes = 0): void {
    this.#commit.give(new Submission(printer, batch, taker, bytes));
  }

  /** Resolves when everything that was given until now is settled. */
  settled(): Promise<void> {
    return this.#commit.settled();
  }

  /** Lets go what is in memory of these printers' log memories. Nothing of them may be on its way. */
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
        // Another center was faster, or the statement before failed, or both waited for each other.
        const unplaced = isUnplaced(error);
        if (unplaced) this.#partitions.forget();
        const again = unplaced || code === STALE_VERSION || code === '40P01' || code === '40001';
        if (!again || attempt >= RETRIES_MAX) throw error;
      }
    }
  }

  /** @param alone nothing is under way with it: what it builds upon is certain */
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

  /** Builds the statement and sends it. `answer` settles with it: then the results hold. */
  async #send(
    client: Client,
    items: Submission[],
  ): Promise<{ answer: Promise<void> | undefined; results: ErrorsResult[] }> {
    const streams = await this.#streamsOf(client, items);
    const ours = await this.#alreadyOurs(client, items);
    const batch = await this.#batchNumber(client);
    const received_ms = this.#now();
    // A clock that leapt, or a process that slept for weeks.
    if (!this.#partitions.has(received_ms)) await this.#partitions.ensure(received_ms);
    const { moves, columns, results } = this.#build(items, streams, ours, batch);
    if (moves.size === 0) return { answer: undefined, results };
    const answer = this.#store(client, items, [...moves.values()], columns, batch, received_ms);
    const settled = answer.catch(() => undefined).then(() => void this.#unanswered.delete(settled));
    this.#unanswered.add(settled);
    this.#forgetSome();
    return { answer, results };
  }

  /** Takes the items for granted: from here to the sending nothing else runs. */
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

  /** Moves a log memory on by a batch; gives which of its entries are new. */
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
      // One that brings nothing new is known to be stored only when what is under way has succeeded.
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

  /** Whether the stream of a log memory is in memory. */
  knows(printer: string, log: string): boolean {
    return this.#streams.has(keyOf(printer, log));
  }

  /** The stream of each item, read from the table where it isn't in memory, made where it is new. */
  async #streamsOf(client: Client, items: Submission[]): Promise<Stream[]> {
    const streams: Stream[] = [];
    const missing = new Map<string, Submission>();
    let before: Submission | undefined;
    let stream: Stream | undefined;
    for (const item of items) {
      // Several messages of a printer come together: one look for all of them.
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
   * After a connection broke in the middle of a commit: what of the doubtful batches did get stored. Those entries
   * are ours and new, although the cursors know them already.
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

  /** A number that no other batch has or had. */
  async #batchNumber(client: Client): Promise<number> {
    if (this.#nextBatch > this.#lastBatch) {
      const { rows } = await client.query<{ drawn: number }>(`SELECT nextval('entry_batches') AS drawn`);
      // A stretch of them for each number that is drawn, so that two centers that draw at once don't overlap.
      this.#nextBatch = (rows[0] as { drawn: number }).drawn * BATCH_NUMBERS_RESERVED;
      this.#lastBatch = this.#nextBatch + BATCH_NUMBERS_RESERVED - 1;
    }
    this.#nextBatch += 1;
    return this.#nextBatch - 1;
  }

  /** What was made of their log memories isn't so: it is read again. */
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

/** With those entries of a batch that a doubtful commit of ours stored after all. */
function withOurs(
  before: Set<string>,
  stream: Stream,
  batch: ErrorBatch,
  fresh: readonly LogEntry[],
): readonly LogEntry[] {
  const ours = batch.entries.filter((entry) => before.delete(`${stream.id} ${entry.seq}`));
  return ours.length > 0 ? [...ours, ...fresh].sort((a, b) => a.seq - b.seq) : fresh;
}

/** A text as an element. Nearly all are plain, and then need no other look. */
function elementOf(text: string): string {
  return isElement(text) ? text : textElement(storableText(text));
}

/** The columns of the entries of one statement, as Postgres's arrays. */
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
      // `unnest` fills up what is shorter with NULL; most entries have no detail.
      this.#details === 0 ? arrayOf([]) : arrayOf(this.#detail),
    ];
  }
}
