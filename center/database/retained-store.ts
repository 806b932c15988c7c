/**
 * The broker's retained messages in Postgres. Structures and verdicts are not written a second time: they are stored in
 * tables of their own before the broker retains them, and a start reads them from there. In a reconnect storm that
 * halves the writes.
 */
import type {
  RetainedBackend,
  RetainedChange,
  RetainedDocument,
} from '../../broker/retained/retained-backend.ts';
import type { QoS } from '../../mqtt/packet.ts';
import { PRINTERS_PREFIX as PREFIX, printerTopic } from '../../schemas/topics.ts';
import type { Database } from './database.ts';
import { isLostConnection } from './database.ts';

const PAGE_ROWS = 2_000;

/** Source of the documents that are kept in a table of their own. */
const DERIVED = [
  { table: 'structures', topic: printerTopic.structure },
  { table: 'verdicts', topic: printerTopic.verdict },
] as const;

function isDerived(topic: string): boolean {
  return topic.startsWith(PREFIX) && (topic.endsWith('/structure') || topic.endsWith('/verdict'));
}

export class PostgresRetained implements RetainedBackend {
  readonly #database: Database;
  /** Cleared derived documents: they are still in their tables, and stay cleared after a restart. */
  readonly #emptied = new Set<string>();

  constructor(database: Database) {
    this.#database = database;
  }

  async *load(): AsyncIterable<RetainedDocument> {
    for await (const document of this.#stored()) {
      if (document.payload.length === 0) this.#emptied.add(document.topic);
      else yield document;
    }
    for (const { table, topic } of DERIVED) yield* this.#derived(table, topic);
  }

  async *#derived(
    table: (typeof DERIVED)[number]['table'],
    topicOf: (printer: string) => string,
  ): AsyncIterable<RetainedDocument> {
    let after = '';
    for (;;) {
      const rows = await this.#database.query<{ printer: string; document: string }>(
        `SELECT printer, document::text FROM ${table} WHERE printer > $1 ORDER BY printer LIMIT $2`,
        [after, PAGE_ROWS],
      );
      for (const { printer, document } of rows) {
        const topic = topicOf(printer);
        if (!this.#emptied.has(topic)) yield { topic, payload: Buffer.from(document), qos: 1 };
      }
      const last = rows.at(-1);
      if (!last || rows.length < PAGE_ROWS) return;
      after = last.printer;
    }
  }

  async *#stored(): AsyncIterable<RetainedDocument> {
    let after = '';
    for (;;) {
      const rows = await this.#database.query<{ topic: string; payload: Buffer; qos: number }>(
        'SELECT topic, payload, qos FROM retained WHERE topic > $1 ORDER BY topic LIMIT $2',
        [after, PAGE_ROWS],
      );
      for (const row of rows) yield { topic: row.topic, payload: row.payload, qos: row.qos as QoS };
      const last = rows[rows.length - 1];
      if (!last || rows.length < PAGE_ROWS) return;
      after = last.topic;
    }
  }

  /** Resolves when durable. It waits for a lost database: writing the same changes twice does no harm. */
  async write(changes: RetainedChange[]): Promise<void> {
    const last = new Map<string, RetainedChange>();
    for (const change of changes) {
      const kept = this.#toBeWritten(change);
      if (kept) last.set(change.topic, kept);
    }
    if (last.size === 0) return;
    for (;;) {
      try {
        await this.#writeOnce([...last.values()]);
        return;
      } catch (error) {
        if (!isLostConnection(error)) throw error;
      }
    }
  }

  /** Whether a topic is durable already: structures and verdicts are in their tables before the broker gets them. */
  lasts(topic: string): boolean {
    return isDerived(topic) && !this.#emptied.has(topic);
  }

  /** What to write for a change: for a derived document, only that it was cleared, or no longer is. */
  #toBeWritten(change: RetainedChange): RetainedChange | undefined {
    const { topic, payload } = change;
    if (!isDerived(topic)) return change;
    if (payload === undefined) {
      this.#emptied.add(topic);
      return { ...change, payload: Buffer.alloc(0) };
    }
    return this.#emptied.delete(topic) ? { ...change, payload: undefined } : undefined;
  }

  async #writeOnce(changes: RetainedChange[]): Promise<void> {
    const kept = changes.filter((change) => change.payload !== undefined);
    const emptied = changes.filter((change) => change.payload === undefined).map((change) => change.topic);
    await this.#database.query(
      `WITH emptied AS (DELETE FROM retained WHERE topic = ANY($4::text[]))
       INSERT INTO retained (topic, qos, payload)
       SELECT u.topic, u.qos, u.payload FROM unnest($1::text[], $2::int2[], $3::bytea[]) AS u (topic, qos, payload)
       ORDER BY u.topic
       ON CONFLICT (topic) DO UPDATE SET qos = excluded.qos, payload = excluded.payload, at = now()`,
      [
        kept.map((change) => change.topic),
        kept.map((change) => change.qos),
        kept.map((change) => change.payload),
        emptied,
      ],
    );
  }
}
