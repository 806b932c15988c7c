/**
 * Records the last hour of fleet events and of retained fleet-wide documents. Ids grow in the order in which rows
 * become visible, on every node: a reader that has seen one id has seen all lower ones.
 */
import type { Logger } from 'pino';
import { reasonOf } from '../../schemas/errors.ts';
import type { Client, Database } from '../database/database.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { Link } from '../link/link.ts';
import type { FleetEvents } from './events.ts';

/** One row. The kind `document` is a retained document, `gap` says that events were lost before it. */
export interface RecordedEvent {
  id: number;
  kind: string;
  printer: string | null;
  /** JSON. */
  data: string;
}

/** The range of ids: `last` is the newest assigned, `first` the oldest still stored. */
export interface RecordBounds {
  first: number | undefined;
  last: number;
}

interface PendingEvent {
  at: Date;
  kind: string;
  printer: string | null;
  data: string;
}

/** The prefix of all retained fleet-wide topics. */
const FLEET_TOPICS = 'platen/v1/fleet/';
/** Lock held from the assignment of ids until their commit, so that no id becomes visible below one already read. */
const LOCK = 73_001;
const PRUNE_MS = 60_000;

export class EventRecord {
  readonly #database: Database;
  readonly #log: Logger;
  readonly #now: () => number;
  readonly #written = new Set<() => void>();
  #waiting: PendingEvent[] = [];
  /** Events dropped since the last one that was written. */
  #lost = 0;
  #timer: NodeJS.Timeout | undefined;
  #prune: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #stopped = false;
  /** Events dropped since the start. */
  lost = 0;

  constructor(database: Database, log: Logger, now: () => number) {
    this.#database = database;
    this.#log = log;
    this.#now = now;
  }

  /** Records every event from now on. */
  start(events: FleetEvents): void {
    events.listen((event) => this.add(event.kind, event.printer, JSON.stringify(event)));
    this.#prune = setInterval(() => {
      this.prune().catch((error: unknown) =>
        this.#log.warn({ reason: reasonOf(error) }, 'old events were not deleted'),
      );
    }, PRUNE_MS);
    this.#prune.unref();
  }

  /** A link that also records the fleet-wide documents it publishes. */
  over(link: Link): Link {
    return {
      start: (handler) => link.start(handler),
      stop: () => link.stop(),
      ...(link.heard ? { heard: (topic: string) => link.heard?.(topic) ?? true } : {}),
      ...(link.forget ? { forget: (printer: string) => link.forget?.(printer) ?? Promise.resolve() } : {}),
      publish: async (topic, payload, options) => {
        await link.publish(topic, payload, options);
        if (options.retain && topic.startsWith(FLEET_TOPICS)) this.#addDocument(topic, payload.toString());
      },
    };
  }

  #addDocument(topic: string, text: string): void {
    const document = text === '' ? null : (JSON.parse(text) as { printer?: unknown });
    const printer = typeof document?.printer === 'string' ? document.printer : undefined;
    this.add('document', printer, JSON.stringify({ topic, document }));
  }

  /** Queues one row. Never fails and never waits: when the queue is full, a gap is recorded instead. */
  add(kind: string, printer: string | undefined, data: string): void {
    if (this.#stopped) return;
    if (
      this.#waiting.length >= CENTER_LIMITS.events_waiting_max ||
      data.length > CENTER_LIMITS.event_bytes_max
    ) {
      this.#lost += 1;
      this.lost += 1;
      return;
    }
    this.#waiting.push({ at: new Date(this.#now()), kind, printer: printer ?? null, data });
    this.#soon(CENTER_LIMITS.events_gather_ms);
  }

  /** Calls the listener when there is more to read, until the returned function is called. */
  onWritten(listener: () => void): () => void {
    this.#written.add(listener);
    return () => this.#written.delete(listener);
  }

  #soon(wait_ms: number): void {
    if (this.#timer || this.#writing || this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#writing = this.#write();
    }, wait_ms);
    this.#timer.unref();
  }

  async #write(): Promise<void> {
    const batch = this.#waiting.slice(0, CENTER_LIMITS.events_page);
    const lost = this.#lost;
    let wait_ms: number = CENTER_LIMITS.events_gather_ms;
    try {
      const rows =
        lost === 0
          ? batch
          : [
              ...batch,
              { at: new Date(this.#now()), kind: 'gap', printer: null, data: JSON.stringify({ lost }) },
            ];
      await this.#database.transaction(async (client) => {
        await client.query('SELECT pg_advisory_xact_lock($1)', [LOCK]);
        await client.query(
          `INSERT INTO fleet_events (at, kind, printer, data)
           SELECT at, kind, printer, data
           FROM unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY
             AS e (at, kind, printer, data, place) ORDER BY place`,
          [
            rows.map((row) => row.at),
            rows.map((row) => row.kind),
            rows.map((row) => row.printer),
            rows.map((row) => row.data),
          ],
        );
      });
      this.#waiting.splice(0, batch.length);
      this.#lost -= lost;
      for (const listener of this.#written) listener();
    } catch (error) {
      this.#log.warn({ reason: reasonOf(error) }, 'events were not recorded; it is tried again');
      wait_ms = CENTER_LIMITS.events_retry_ms;
    }
    this.#writing = undefined;
    if (this.#waiting.length > 0 || this.#lost > 0) this.#soon(wait_ms);
  }

  /** Deletes rows older than an hour. */
  async prune(): Promise<void> {
    if (!this.#database.ready()) return;
    const oldest = new Date(this.#now() - CENTER_LIMITS.events_kept_ms);
    await this.#database.query('DELETE FROM fleet_events WHERE at < $1', [oldest]);
  }

  /** The current range of ids. */
  bounds(): Promise<RecordBounds> {
    return this.#database.transaction(async (client: Client) => {
      await client.query('SELECT pg_advisory_xact_lock($1)', [LOCK]);
      const { rows } = await client.query<{ first: string | null; given: string; called: boolean }>(
        `SELECT (SELECT min(id) FROM fleet_events) AS first, last_value AS given, is_called AS called
         FROM fleet_event_ids`,
      );
      const [row] = rows;
      const first = row?.first === null || row?.first === undefined ? undefined : Number(row.first);
      return { first, last: row?.called ? Number(row.given) : 0 };
    });
  }

  /** The rows after an id, oldest first. */
  async read(after: number, limit: number): Promise<RecordedEvent[]> {
    const rows = await this.#database.query<Omit<RecordedEvent, 'id'> & { id: string | number }>(
      'SELECT id, kind, printer, data FROM fleet_events WHERE id > $1 ORDER BY id LIMIT $2',
      [after, limit],
    );
    return rows.map((row) => ({ ...row, id: Number(row.id) }));
  }

  async stop(): Promise<void> {
    clearInterval(this.#prune);
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#writing;
    this.#stopped = true;
  }
}
