/**
 * The way in: everything that printers send, made durable. Every promise resolves after the commit, everything may be
 * sent again, and many messages share a transaction. One whose content the database refuses fails with
 * payload/not-storable.
 */
import type {
  ErrorBatch,
  Presence,
  Readings,
  Structure,
  UpdateReport,
  Verdict,
} from '../../schemas/types.ts';
import type { Client, Database } from '../database/database.ts';
import type { Partitions } from '../database/partitions.ts';
import { CENTER_LIMITS } from '../limits.ts';
import { GroupCommit } from './group-commit.ts';
import { type ErrorsResult, type ErrorsTaker, ErrorWriter } from './ingest-errors.ts';
import type { PresenceResult, StructureResult } from './printer-states.ts';
import type { PrinterWriter } from './printer-writer.ts';
import { type ReadingResult, ReadingWriter } from './reading-writer.ts';
import { storableJson, storableText } from './storable.ts';
import { refusalOf } from './store-refusal.ts';

interface UpdateItem {
  printer: string;
  report: UpdateReport;
}

/** What is collected into batches by itself: log entries, structures and presences, readings, reports of updates. */
export type CommitKind = 'entries' | 'printers' | 'readings' | 'updates';

export class IngestWriter {
  /** Told of each batch that is durable: of what, how long it took in seconds, how many items it had. */
  onCommitted: (kind: CommitKind, duration_s: number, items: number) => void = () => {};
  readonly #errors: ErrorWriter;
  readonly #printers: PrinterWriter;
  readonly #readings: ReadingWriter;
  readonly #updates: GroupCommit<UpdateItem, { fresh: boolean }>;
  readonly #database: Database;
  readonly #now: () => number;

  /** @param now the center's clock, in milliseconds since the epoch */
  constructor(
    database: Database,
    printers: PrinterWriter,
    partitions: { entries: Partitions; readings: Partitions },
    now: () => number = Date.now,
  ) {
    this.#database = database;
    this.#now = now;
    this.#errors = new ErrorWriter(database, now, partitions.entries, (duration_s, items) =>
      this.onCommitted('entries', duration_s, items),
    );
    this.#readings = new ReadingWriter(database, now, partitions.readings, (duration_s, items) =>
      this.onCommitted('readings', duration_s, items),
    );
    this.#printers = printers;
    printers.onCommitted = (duration_s, items) => this.onCommitted('printers', duration_s, items);
    this.#updates = new GroupCommit({
      batchWeight_max: CENTER_LIMITS.ingest_batch_documents_max,
      waiting_max: CENTER_LIMITS.ingest_waiting_max,
      whenReady: () => database.whenReady(),
      unable: (reason) => database.unable(reason),
      refusal: refusalOf,
      committed: (duration_s, items) => this.onCommitted('updates', duration_s, items),
      write: (items: UpdateItem[]) => database.borrow((client) => this.#writeUpdates(client, items)),
    });
  }

  /** A batch of a printer's log memory. */
  errors(printer: string, batch: ErrorBatch): Promise<ErrorsResult> {
    return this.#errors.submit(printer, batch);
  }

  /** Whether a log memory was met since the start (and was not forgotten because of many others). */
  knowsLog(printer: string, log: string): boolean {
    return this.#errors.knows(printer, log);
  }

  /** The same, telling `taker` what became of it. @param bytes how large it was as it came */
  takeErrors(printer: string, batch: ErrorBatch, taker: ErrorsTaker, bytes = 0): void {
    this.#errors.take(printer, batch, taker, bytes);
  }

  /**
   * A printer's structure, and the verdict on it where it is known already: both are durable together.
   * @param payload the document as it came
   */
  structure(
    printer: string,
    document: Structure,
    payload?: Buffer,
    verdict?: Verdict,
  ): Promise<StructureResult> {
    return this.#printers.structure(printer, document, payload, verdict);
  }

  /**
   * What a printer (or its will) said of its presence. `changed` is false for the will of an older session and for a
   * repetition; `flipped` tells whether it came or went.
   */
  presence(printer: string, presence: Presence): Promise<PresenceResult> {
    return this.#printers.presence(printer, presence);
  }

  /** What the broker saw: the printer's connection began or ended, whatever it said itself. Written within a moment. */
  connection(printer: string, connected: boolean): Promise<PresenceResult> {
    return this.#printers.connection(printer, connected);
  }

  /** After a start no printer is connected yet, whatever was stored when the process before ended. */
  async allOffline(): Promise<void> {
    await this.#database.query(
      `WITH gone AS (UPDATE printers SET online = false WHERE online RETURNING id)
       INSERT INTO presence_history (printer, at, online) SELECT id, $1, false FROM gone`,
      [new Date(this.#now())],
    );
  }

  /** What a printer counts and what is left in it. @param bytes how large it was as it came */
  readings(printer: string, readings: Readings, bytes = 0): Promise<ReadingResult> {
    return this.#readings.submit(printer, readings, bytes);
  }

  /** Readings from before the printers spoke to this center, written as if they had come at `received_ms`. */
  pastReadings(
    received_ms: number,
    readings: { printer: string; reading: Readings; timezone?: string }[],
  ): Promise<void> {
    return this.#readings.past(received_ms, readings);
  }

  /** `fresh` is false for a report that was stored before. */
  update(printer: string, report: UpdateReport): Promise<{ fresh: boolean }> {
    return this.#updates.submit({ printer, report });
  }

  /** Resolves when everything that was given until now is settled, whatever is given meanwhile. */
  async settled(): Promise<void> {
    await Promise.all([
      this.#errors.settled(),
      this.#printers.settled(),
      this.#readings.settled(),
      this.#updates.settled(),
    ]);
  }

  /** Lets go what is in memory of printers that were removed. Nothing of them may be on its way. */
  forget(printers: ReadonlySet<string>): void {
    this.#errors.forget(printers);
  }

  /** Takes no more, and resolves when everything that was given is settled. */
  async close(): Promise<void> {
    await Promise.all([this.#errors.close(), this.#readings.close(), this.#updates.close()]);
  }

  async #writeUpdates(client: Client, items: UpdateItem[]): Promise<{ fresh: boolean }[]> {
    const keyed = new Map<string, UpdateItem>();
    const keys = items.map((item) => {
      const { execution, attempt, seq } = item.report;
      const key = JSON.stringify([item.printer, storableText(execution), attempt, seq]);
      if (!keyed.has(key)) keyed.set(key, item);
      return key;
    });
    const list = [...keyed.values()];
    const { rows } = await client.query<{ printer: string; execution: string; attempt: number; seq: number }>(
      `INSERT INTO update_reports (printer, execution, attempt, seq, state, document, received)
       SELECT u.printer, u.execution, u.attempt, u.seq, u.state, u.document, $7
       FROM unnest($1::text[], $2::text[], $3::int[], $4::int8[], $5::text[], $6::jsonb[])
         AS u (printer, execution, attempt, seq, state, document)
       ORDER BY 1, 2, 3, 4 ON CONFLICT DO NOTHING RETURNING printer, execution, attempt, seq`,
      [
        list.map((item) => item.printer),
        list.map((item) => storableText(item.report.execution)),
        list.map((item) => item.report.attempt),
        list.map((item) => item.report.seq),
        list.map((item) => item.report.state),
        list.map((item) => storableJson(item.report)),
        new Date(this.#now()),
      ],
    );
    const stored = new Set(
      rows.map((row) => JSON.stringify([row.printer, row.execution, row.attempt, row.seq])),
    );
    // Of equal reports in one batch the first is the fresh one.
    return keys.map((key) => ({ fresh: stored.delete(key) }));
  }
}
