/**
 * The way in: everything that printers send, made durable. Every promise resolves after the commit, everything may be
 * sent again, and many messages share a transaction.
 */
import type { ErrorBatch, Presence, Structure, UpdateReport } from '../../schemas/types.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { Client, Database } from './database.ts';
import { GroupCommit } from './group-commit.ts';
import { type ErrorsResult, ErrorWriter } from './ingest-errors.ts';
import { type StructureResult, StructureWriter } from './ingest-structures.ts';
import { storableJson, storableText, storableTime } from './storable.ts';

type PresenceItem = { printer: string; presence: Presence } | { printer: string; connected: boolean };

/** `changed`: something new was stored. `flipped`: the printer came or went. */
export interface PresenceResult {
  changed: boolean;
  flipped: boolean;
}

/** What is known of a printer's presence. */
interface Known {
  online: boolean;
  session: string | null;
}

/** What a presence makes of what is known; undefined for the will of a session that isn't the current one. */
function told(before: Known, presence: Presence): Known | undefined {
  const online = presence.state === 'online';
  const session = storableText(presence.session);
  // A will may arrive after the printer's next session has begun.
  if (!online && before.session !== null && before.session !== session) return undefined;
  return { online, session };
}

interface UpdateItem {
  printer: string;
  report: UpdateReport;
}

export class IngestWriter {
  readonly #errors: ErrorWriter;
  readonly #structures: StructureWriter;
  readonly #presence: GroupCommit<PresenceItem, PresenceResult>;
  readonly #updates: GroupCommit<UpdateItem, { fresh: boolean }>;
  readonly #database: Database;
  readonly #now: () => number;

  /** @param now the center's clock, in milliseconds since the epoch */
  constructor(database: Database, now: () => number = Date.now) {
    this.#database = database;
    this.#now = now;
    this.#errors = new ErrorWriter(database, now);
    this.#structures = new StructureWriter(database, now);
    const common = {
      batchWeight_max: CENTER_LIMITS.ingest_batch_documents_max,
      waiting_max: CENTER_LIMITS.ingest_waiting_max,
      whenReady: () => database.whenReady(),
    };
    this.#presence = new GroupCommit({
      ...common,
      write: (items: PresenceItem[]) => database.transaction((client) => this.#writePresence(client, items)),
    });
    this.#updates = new GroupCommit({
      ...common,
      write: (items: UpdateItem[]) => database.borrow((client) => this.#writeUpdates(client, items)),
    });
  }

  /** A batch of a printer's log memory. */
  errors(printer: string, batch: ErrorBatch): Promise<ErrorsResult> {
    return this.#errors.submit(printer, batch);
  }

  structure(printer: string, document: Structure): Promise<StructureResult> {
    return this.#structures.submit(printer, document);
  }

  /**
   * What a printer (or its will) said of its presence. `changed` is false for the will of an older session and for a
   * repetition; `flipped` tells whether it came or went.
   */
  presence(printer: string, presence: Presence): Promise<PresenceResult> {
    return this.#presence.submit({ printer, presence });
  }

  /** What the broker saw: the printer's connection began or ended, whatever it said itself. */
  connection(printer: string, connected: boolean): Promise<PresenceResult> {
    return this.#presence.submit({ printer, connected });
  }

  /** After a start no printer is connected yet, whatever was stored when the process before ended. */
  async allOffline(): Promise<void> {
    await this.#database.query('UPDATE printers SET online = false WHERE online');
  }

  /** `fresh` is false for a report that was stored before. */
  update(printer: string, report: UpdateReport): Promise<{ fresh: boolean }> {
    return this.#updates.submit({ printer, report });
  }

  /** Takes no more, and resolves when everything that was given is settled. */
  async close(): Promise<void> {
    await Promise.all([
      this.#errors.close(),
      this.#structures.close(),
      this.#presence.close(),
      this.#updates.close(),
    ]);
  }

  async #writePresence(client: Client, items: PresenceItem[]): Promise<PresenceResult[]> {
    const printers = [...new Set(items.map((item) => item.printer))].sort();
    const { rows } = await client.query<{ id: string; online: boolean; session: string | null }>(
      'SELECT id, online, session FROM printers WHERE id = ANY($1) ORDER BY id FOR UPDATE',
      [printers],
    );
    const known = new Map<string, Known>(rows.map(({ id, online, session }) => [id, { online, session }]));
    const moved = new Map<string, Known & { at: string | undefined }>();
    const results = items.map((item) => {
      const before = known.get(item.printer) ?? { online: false, session: null };
      const after = 'presence' in item ? told(before, item.presence) : { ...before, online: item.connected };
      if (
        !after ||
        (after.online === before.online && after.session === before.session && known.has(item.printer))
      ) {
        return { changed: false, flipped: false };
      }
      known.set(item.printer, after);
      moved.set(item.printer, { ...after, at: 'presence' in item ? item.presence.at : undefined });
      return { changed: true, flipped: after.online !== before.online };
    });
    if (moved.size > 0) await this.#storePresence(client, moved);
    return results;
  }

  async #storePresence(
    client: Client,
    moved: Map<string, Known & { at: string | undefined }>,
  ): Promise<void> {
    const now = new Date(this.#now());
    const list = [...moved].sort(([a], [b]) => (a < b ? -1 : 1));
    await client.query(
      `INSERT INTO printers (id, online, session, presence_at, last_seen)
       SELECT u.id, u.online, u.session, u.at, $5
       FROM unnest($1::text[], $2::boolean[], $3::text[], $4::timestamptz[]) AS u (id, online, session, at)
       ON CONFLICT (id) DO UPDATE SET online = excluded.online, session = excluded.session,
         presence_at = excluded.presence_at,
         last_seen = CASE WHEN excluded.online THEN excluded.last_seen ELSE printers.last_seen END`,
      [
        list.map(([printer]) => printer),
        list.map(([, presence]) => presence.online),
        list.map(([, presence]) => presence.session),
        list.map(([, presence]) => (presence.at === undefined ? now : storableTime(presence.at))),
        now,
      ],
    );
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
