/**
 * Stores structures: the current one of every printer, a history of those that differed, what is installed where, and
 * what printers are looked for by. Many in one transaction.
 */
import type { Structure } from '../../schemas/types.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { Client, Database } from './database.ts';
import { GroupCommit } from './group-commit.ts';
import { storableJson, storableText, storableTime } from './storable.ts';
import { type StructureChange, structureChanges, structureSignature } from './structure-changes.ts';

export interface StructureResult {
  /** `new`: something differs from the last one; `same`: nothing does; `stale`: older than what is known. */
  outcome: 'new' | 'same' | 'stale';
  /** The structure before this one, if there was one. */
  previous?: Structure;
  /** What differs; empty for the first structure of a printer. */
  changes: StructureChange[];
}

interface Submission {
  printer: string;
  document: Structure;
}

interface Known {
  printer: string;
  session: string;
  previous_session: string | null;
  revision: number;
  signature: string;
  document: Structure;
}

interface Stored {
  printer: string;
  document: Structure;
  json: string;
  signature: string;
  previousSession: string | null;
  /** Undefined: the parts are the same, nothing goes into the history. */
  changes: StructureChange[] | undefined;
}

/** Whether `document` is older than what is known: another try of an old message, or one overtaken on its way. */
function isStale(known: Known, document: Structure): boolean {
  if (document.session === known.session) return document.revision < known.revision;
  return document.session === known.previous_session;
}

export class StructureWriter {
  readonly #database: Database;
  readonly #now: () => number;
  readonly #commit: GroupCommit<Submission, StructureResult>;

  constructor(database: Database, now: () => number) {
    this.#database = database;
    this.#now = now;
    this.#commit = new GroupCommit({
      write: (items) => database.transaction((client) => this.#write(client, items)),
      batchWeight_max: CENTER_LIMITS.ingest_batch_documents_max,
      waiting_max: CENTER_LIMITS.ingest_waiting_max,
      whenReady: () => this.#database.whenReady(),
    });
  }

  /** Stores a structure; resolves after the commit. */
  submit(printer: string, document: Structure): Promise<StructureResult> {
    return this.#commit.submit({ printer, document });
  }

  close(): Promise<void> {
    return this.#commit.close();
  }

  async #write(client: Client, items: Submission[]): Promise<StructureResult[]> {
    const printers = [...new Set(items.map((item) => item.printer))].sort();
    const { rows } = await client.query<Known>(
      `SELECT printer, session, previous_session, revision, signature, document
       FROM structures WHERE printer = ANY($1) ORDER BY printer FOR UPDATE`,
      [printers],
    );
    const known = new Map(rows.map((row) => [row.printer, row]));
    const current = new Map<string, Stored>();
    const history: Stored[] = [];
    const results = items.map((item): StructureResult => {
      const { stored, result } = this.#decide(known.get(item.printer), item);
      if (stored) {
        known.set(item.printer, {
          printer: item.printer,
          session: item.document.session,
          previous_session: stored.previousSession,
          revision: item.document.revision,
          signature: stored.signature,
          document: item.document,
        });
        current.set(item.printer, stored);
        if (stored.changes) history.push(stored);
      }
      return result;
    });
    if (current.size > 0) await this.#store(client, [...current.values()], history);
    return results;
  }

  #decide(known: Known | undefined, item: Submission): { stored?: Stored; result: StructureResult } {
    const { printer, document } = item;
    if (known && isStale(known, document)) {
      return { result: { outcome: 'stale', previous: known.document, changes: [] } };
    }
    const signature = structureSignature(document);
    const differs = signature !== known?.signature;
    const changes = known && differs ? structureChanges(known.document, document) : [];
    const stored: Stored = {
      printer,
      document,
      json: storableJson(document),
      signature,
      previousSession:
        known === undefined
          ? null
          : known.session === document.session
            ? known.previous_session
            : known.session,
      changes: differs ? changes : undefined,
    };
    return {
      stored,
      result: {
        outcome: differs ? 'new' : 'same',
        changes,
        ...(known ? { previous: known.document } : {}),
      },
    };
  }

  async #store(client: Client, current: Stored[], history: Stored[]): Promise<void> {
    const received = new Date(this.#now());
    current.sort((a, b) => (a.printer < b.printer ? -1 : 1));
    await client.query(
      `INSERT INTO structures (printer, session, previous_session, revision, at, received, signature, document)
       SELECT u.printer, u.session, u.previous, u.revision, u.at, $8, u.signature, u.document
       FROM unnest($1::text[], $2::text[], $3::text[], $4::int8[], $5::timestamptz[], $6::text[], $7::jsonb[])
         AS u (printer, session, previous, revision, at, signature, document)
       ON CONFLICT (printer) DO UPDATE SET session = excluded.session, previous_session = excluded.previous_session,
         revision = excluded.revision, at = excluded.at, received = excluded.received,
         signature = excluded.signature, document = excluded.document`,
      [
        current.map((one) => one.printer),
        current.map((one) => storableText(one.document.session)),
        current.map((one) => one.previousSession),
        current.map((one) => one.document.revision),
        current.map((one) => storableTime(one.document.at)),
        current.map((one) => one.signature),
        current.map((one) => one.json),
        received,
      ],
    );
    await this.#storePrinters(client, current, received);
    if (history.length === 0) return;
    await client.query(
      `INSERT INTO structure_history (printer, session, revision, at, received, signature, changes, document)
       SELECT u.printer, u.session, u.revision, u.at, $8, u.signature, u.changes, u.document
       FROM unnest($1::text[], $2::text[], $3::int8[], $4::timestamptz[], $5::text[], $6::jsonb[], $7::jsonb[])
         AS u (printer, session, revision, at, signature, changes, document)`,
      [
        history.map((one) => one.printer),
        history.map((one) => storableText(one.document.session)),
        history.map((one) => one.document.revision),
        history.map((one) => storableTime(one.document.at)),
        history.map((one) => one.signature),
        history.map((one) => storableJson(one.changes)),
        history.map((one) => one.json),
        received,
      ],
    );
    await this.#storeInstalled(client, history);
  }

  async #storePrinters(client: Client, current: Stored[], received: Date): Promise<void> {
    await client.query(
      `INSERT INTO printers (id, last_seen, model, serial, site, labels, timezone)
       SELECT u.id, $7, u.model, u.serial, u.site, u.labels, u.timezone
       FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::jsonb[], $6::text[])
         AS u (id, model, serial, site, labels, timezone)
       ON CONFLICT (id) DO UPDATE SET last_seen = excluded.last_seen, model = excluded.model,
         serial = excluded.serial, site = excluded.site, labels = excluded.labels, timezone = excluded.timezone`,
      [
        current.map((one) => one.printer),
        current.map((one) => storableText(one.document.apparatus.model)),
        current.map((one) => textOrNull(one.document.apparatus.serial)),
        current.map((one) => textOrNull(one.document.site)),
        current.map((one) => storableJson(one.document.labels ?? {})),
        current.map((one) => textOrNull(one.document.timezone)),
        received,
      ],
    );
  }

  /** Replaces what is known to be installed, of the printers whose parts changed. */
  async #storeInstalled(client: Client, history: Stored[]): Promise<void> {
    const last = new Map(history.map((one) => [one.printer, one.document]));
    const rows: [string, string, string, string | null][] = [];
    for (const [printer, document] of last) {
      const subjects = new Set<string>();
      for (const { symbol, software } of [
        { symbol: 'apparatus', ...document.apparatus },
        ...document.units,
      ]) {
        for (const one of software ?? []) {
          const subject = storableText(`${symbol}:${one.id}`);
          // The same software twice on one unit is a fault of the report; the first counts.
          if (subjects.has(subject)) continue;
          subjects.add(subject);
          rows.push([printer, subject, storableText(one.id), textOrNull(one.version)]);
        }
      }
    }
    await client.query('DELETE FROM installed_software WHERE printer = ANY($1)', [[...last.keys()]]);
    await client.query(
      `INSERT INTO installed_software (printer, subject, software, version)
       SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])`,
      [
        rows.map((row) => row[0]),
        rows.map((row) => row[1]),
        rows.map((row) => row[2]),
        rows.map((row) => row[3]),
      ],
    );
  }
}

function textOrNull(text: string | undefined): string | null {
  return text === undefined ? null : storableText(text);
}
