/** The broker's retained messages in Postgres. */
import type {
  QoS,
  RetainedBackend,
  RetainedChange,
  RetainedDocument,
} from '../../broker/retained-backend.ts';
import type { Database } from './database.ts';
import { isLostConnection } from './database.ts';

const PAGE_ROWS = 2_000;

export class PostgresRetained implements RetainedBackend {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async *load(): AsyncIterable<RetainedDocument> {
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

  /** Durable when it resolves. A lost database is waited for: writing the same changes twice does no harm. */
  async write(changes: RetainedChange[]): Promise<void> {
    const last = new Map(changes.map((change) => [change.topic, change]));
    for (;;) {
      try {
        await this.#writeOnce([...last.values()]);
        return;
      } catch (error) {
        if (!isLostConnection(error)) throw error;
      }
    }
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
