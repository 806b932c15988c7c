/**
 * Stores everything that printers send. Every promise resolves after the commit, storing is idempotent, and many
 * messages share a transaction. A message whose content the database refuses fails with payload/not-storable.
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

/** Kinds with a batch queue of their own: log entries, structures and presences, readings, update reports. */
export type CommitKind = 'entries' | 'printers' | 'readings' | 'updates';

export class IngestWriter {
  /** Called after each committed batch with its kind, its duration in seconds and its number of items. */
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

  /** Stores a batch of a printer's log entries. */
  errors(printer: string, batch: ErrorBatch): Promise<ErrorsResult> {
    return this.#errors.submit(printer, batch);
  }

  /** Whether a log memory is cached: it was seen since the start and not evicted. */
  knowsLog(printer: string, log: string): boolean {
    return this.#errors.knows(printer, log);
  }

  /** The same, with the result passed to `taker`. @param bytes the size of the payload */
  takeErrors(printer: string, batch: ErrorBatch, taker: ErrorsTaker, bytes = 0): void {
    this.#errors.take(printer, batch, taker, bytes);
  }

  /**
   * Stores a printer's structure together with its verdict, if that is already known.
   * @param payload the document as received
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
   * Stores a presence message from a printer or its will. `changed` is false for the will of an older session and for a
   * repetition; `flipped` tells whether the printer went online or offline.
   */
  presence(printer: string, presence: Presence): Promise<PresenceResult> {
    return this.#printers.presence(printer, presence);
  }

  /** Stores that the printer's connection began or ended, as the broker saw it. Written shortly after. */
  connection(printer: string, connected: boolean): Promise<PresenceResult> {
    return this.#printers.connection(printer, connected);
  }

  /** Marks all printers as disconnected: after a start the stored connections are out of date. */
  async allOffline(): Promise<void> {
    await this.#database.query(
      `WITH gone AS (UPDATE printers SET online = false WHERE online RETURNING id)
       INSERT INTO presence_history (printer, at, online) SELECT id, $1, false FROM gone`,
      [new Date(this.#now())],
    );
  }

  /** Stores a reading of counters and supplies. @param bytes the size of the payload */
  readings(printer: string, readings: Readings, bytes = 0): Promise<ReadingResult> {
    return this.#readings.submit(printer, readings, bytes);
  }

  /** Imports readings from before the printers reported to this center, as if received at `received_ms`. */
  pastReadings(
    received_ms: number,
    readings: { printer: string; reading: Readings; timezone?: string }[],
  ): Promise<void> {
    return this.#readings.past(received_ms, readings);
  }

  /** Stores an update report. `fresh` is false if it was stored before. */
  update(printer: string, report: UpdateReport): Promise<{ fresh: boolean }> {
    return this.#updates.submit({ printer, report });
  }

  /** Resolves when everything accepted until now is settled; does not wait for later messages. */
  async settled(): Promise<void> {
    await Promise.all([
      this.#errors.settled(),
      this.#printers.settled(),
      this.#readings.settled(),
      this.#updates.settled(),
    ]);
  }

  /** Drops the cached state of removed printers. None of their messages may be under way. */
  forget(printers: ReadonlySet<string>): void {
    this.#errors.forget(printers);
  }

  /** Accepts no more, and resolves when everything accepted is settled. */
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
    // The first of equal reports in one batch is the fresh one.
    return keys.map((key) => ({ fresh: stored.delete(key) }));
  }
}
