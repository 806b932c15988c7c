/**
 * Stores error batches: many messages in one statement, each entry once. The state of every log memory is one row,
 * kept in memory between batches and guarded by a version: when another center moved it on, the statement fails as a
 * whole and is built again from what the table holds now.
 */
import type { ErrorBatch, LogEntry } from '../../schemas/types.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { Client, Database } from './database.ts';
import { isLostConnection } from './database.ts';
import { type Committed, GroupCommit } from './group-commit.ts';
import { emptyCursor, type LogCursor, openGap, rangesFromSql, rangesToSql, takeBatch } from './log-cursor.ts';
import {
  type ArrayElement,
  arrayOf,
  NULL_ELEMENT,
  numberArray,
  textArray,
  textElement,
} from './sql-arrays.ts';
import { storableJson, storableText, storableTime } from './storable.ts';

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

interface Submission {
  printer: string;
  batch: ErrorBatch;
}

interface Stream {
  id: number;
  version: number;
  cursor: LogCursor;
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
        version = s.version + 1
    FROM unnest($1::int[], $2::int8[], $3::int8[], $4::int8[], $5::int8[], $6::text[])
      AS u (id, version, first_seq, up_to, lost, received)
    WHERE s.id = u.id AND s.version = u.version
    RETURNING 1),
  stored AS (
    INSERT INTO entries (stream, seq, at, received, batch, pages, severity, code, unit, detail)
    SELECT u.stream, u.seq, u.at, $7, $8, u.pages, u.severity, u.code, u.unit, u.detail
    FROM unnest($9::int[], $10::int8[], $11::timestamptz[], $12::int8[], $13::int2[], $14::text[], $15::text[], $16::jsonb[])
      AS u (stream, seq, at, pages, severity, code, unit, detail))
  SELECT platen_expect((SELECT count(*) FROM moved), $17::int8)`;

function keyOf(printer: string, log: string): string {
  return `${printer}\n${log}`;
}

export class ErrorWriter {
  readonly #database: Database;
  readonly #now: () => number;
  readonly #commit: GroupCommit<Submission, ErrorsResult>;
  /** Streams by printer and log, those read from the table first in front: they are forgotten first. */
  readonly #streams = new Map<string, Stream>();
  /** Numbers of batches of which it isn't known whether they were committed. */
  #doubtful: number[] = [];
  #nextBatch = 0;
  #lastBatch = -1;

  constructor(database: Database, now: () => number, committed: Committed) {
    this.#database = database;
    this.#now = now;
    this.#commit = new GroupCommit({
      write: (items) => this.#write(items),
      committed,
      weigh: (item) => item.batch.entries.length + 1,
      batchWeight_max: CENTER_LIMITS.ingest_batch_entries_max,
      waiting_max: CENTER_LIMITS.ingest_waiting_max,
      whenReady: () => database.whenReady(),
      unable: (reason) => database.unable(reason),
    });
  }

  /** Stores a batch; resolves after the commit. */
  submit(printer: string, batch: ErrorBatch): Promise<ErrorsResult> {
    return this.#commit.submit({ printer, batch });
  }

  close(): Promise<void> {
    return this.#commit.close();
  }

  async #write(items: Submission[]): Promise<ErrorsResult[]> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#database.borrow((client) => this.#writeOnce(client, items));
      } catch (error) {
        for (const { printer, batch } of items) this.#streams.delete(keyOf(printer, batch.log));
        const code = (error as { code?: string }).code;
        // Another center was faster, or both waited for each other.
        const again = code === STALE_VERSION || code === '40P01' || code === '40001';
        if (!again || attempt >= RETRIES_MAX) throw error;
      }
    }
  }

  async #writeOnce(client: Client, items: Submission[]): Promise<ErrorsResult[]> {
    const streams = await this.#streamsOf(client, items);
    const before = await this.#alreadyOurs(client);
    const moves = new Map<Stream, LogCursor>();
    const columns = new EntryColumns();
    const results: ErrorsResult[] = [];
    for (let index = 0; index < items.length; index += 1) {
      const { batch } = items[index] as Submission;
      const stream = streams[index] as Stream;
      const cursor = moves.get(stream) ?? stream.cursor;
      const taken = takeBatch(cursor, batch.first, batch.entries);
      if (taken.fresh.length > 0 || taken.cursor.first !== cursor.first) moves.set(stream, taken.cursor);
      for (const entry of taken.fresh) columns.add(stream.id, entry);
      const missing = openGap(taken.cursor);
      const lost = Math.max(0, taken.cursor.lost - cursor.lost);
      results.push({
        upTo: taken.cursor.upTo,
        fresh: before ? withOurs(before, stream, batch, taken.fresh) : taken.fresh,
        lost: Math.min(lost, CENTER_LIMITS.entries_lost_at_once_max),
        ...(missing && { missing }),
      });
    }
    if (moves.size > 0) await this.#store(client, moves, columns);
    this.#doubtful = [];
    for (const [stream, cursor] of moves) {
      stream.cursor = cursor;
      stream.version += 1;
    }
    this.#forgetSome();
    return results;
  }

  async #store(client: Client, moves: Map<Stream, LogCursor>, columns: EntryColumns): Promise<void> {
    const batch = await this.#batchNumber(client);
    const streams = [...moves.keys()];
    const cursors = [...moves.values()];
    try {
      await client.query({
        name: 'store-entries',
        text: WRITE,
        values: [
          numberArray(streams.map(({ id }) => id)),
          numberArray(streams.map(({ version }) => version)),
          numberArray(cursors.map(({ first }) => first)),
          numberArray(cursors.map(({ upTo }) => upTo)),
          numberArray(cursors.map(({ lost }) => lost)),
          textArray(cursors.map(({ received }) => rangesToSql(received))),
          new Date(this.#now()),
          batch,
          ...columns.arrays(),
          streams.length,
        ],
      });
    } catch (error) {
      if (isLostConnection(error)) this.#doubtful.push(batch);
      throw error;
    }
  }

  /** The stream of each item, read from the table where it isn't in memory, made where it is new. */
  async #streamsOf(client: Client, items: Submission[]): Promise<Stream[]> {
    const streams: Stream[] = [];
    const missing = new Map<string, Submission>();
    for (const item of items) {
      const key = keyOf(item.printer, item.batch.log);
      const stream = this.#streams.get(key);
      if (stream) streams.push(stream);
      else missing.set(key, item);
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
      });
    }
  }

  /**
   * After a connection broke in the middle of a commit: what of the doubtful batches did get stored. Those entries
   * are ours and new, although the cursors know them already.
   */
  async #alreadyOurs(client: Client): Promise<Set<string> | undefined> {
    if (this.#doubtful.length === 0) return undefined;
    const { rows } = await client.query<{ stream: number; seq: number }>(
      'SELECT stream, seq FROM entries WHERE batch = ANY($1::int8[])',
      [this.#doubtful],
    );
    return new Set(rows.map((row) => `${row.stream} ${row.seq}`));
  }

  async #batchNumber(client: Client): Promise<number> {
    if (this.#nextBatch > this.#lastBatch) {
      const { rows } = await client.query<{ last: number }>(
        `SELECT max(nextval('entry_batches')) AS last FROM generate_series(1, $1)`,
        [BATCH_NUMBERS_RESERVED],
      );
      this.#lastBatch = rows[0]?.last ?? 0;
      this.#nextBatch = this.#lastBatch - BATCH_NUMBERS_RESERVED + 1;
    }
    this.#nextBatch += 1;
    return this.#nextBatch - 1;
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

/** The columns of the entries of one statement, as elements of Postgres's arrays. */
class EntryColumns {
  readonly #stream: ArrayElement[] = [];
  readonly #seq: ArrayElement[] = [];
  readonly #at: ArrayElement[] = [];
  readonly #pages: ArrayElement[] = [];
  readonly #severity: ArrayElement[] = [];
  readonly #code: ArrayElement[] = [];
  readonly #unit: ArrayElement[] = [];
  readonly #detail: ArrayElement[] = [];

  add(stream: number, { seq, at, pages, severity, code, unit, detail }: LogEntry): void {
    this.#stream.push(stream);
    this.#seq.push(seq);
    this.#at.push(textElement(storableTime(at)));
    this.#pages.push(pages ?? NULL_ELEMENT);
    this.#severity.push(SEVERITY[severity]);
    this.#code.push(textElement(storableText(code)));
    this.#unit.push(unit === undefined ? NULL_ELEMENT : textElement(storableText(unit)));
    this.#detail.push(detail === undefined ? NULL_ELEMENT : textElement(storableJson(detail)));
  }

  /** In the order of the statement's parameters. */
  arrays(): string[] {
    return [
      arrayOf(this.#stream),
      arrayOf(this.#seq),
      arrayOf(this.#at),
      arrayOf(this.#pages),
      arrayOf(this.#severity),
      arrayOf(this.#code),
      arrayOf(this.#unit),
      arrayOf(this.#detail),
    ];
  }
}
