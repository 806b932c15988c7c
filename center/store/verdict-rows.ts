/** Verdicts in Postgres: many in a transaction, each only while the structure it judges is the current one. */
import type { Structure, Verdict } from '../../schemas/types.ts';
import type { VerdictStore } from '../fleet/verdicts.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { Client, Database } from './database.ts';
import { GroupCommit } from './group-commit.ts';
import { storableJson, storableText } from './storable.ts';

interface Item {
  printer: string;
  verdict: Verdict;
}

interface Result {
  stored: boolean;
  previous?: Verdict;
}

interface Known {
  printer: string;
  session: string;
  revision: number;
  previous: Verdict | null;
}

export class VerdictRows implements VerdictStore {
  readonly #database: Database;
  readonly #commit: GroupCommit<Item, Result>;

  constructor(database: Database) {
    this.#database = database;
    this.#commit = new GroupCommit({
      write: (items) => database.transaction((client) => this.#write(client, items)),
      batchWeight_max: CENTER_LIMITS.ingest_batch_documents_max,
      waiting_max: CENTER_LIMITS.ingest_waiting_max,
      whenReady: () => database.whenReady(),
    });
  }

  putVerdict(printer: string, verdict: Verdict): Promise<Result> {
    return this.#commit.submit({ printer, verdict });
  }

  async currentStructure(printer: string): Promise<Structure | undefined> {
    const [row] = await this.#database.query<{ document: Structure }>(
      'SELECT document FROM structures WHERE printer = $1',
      [printer],
    );
    return row?.document;
  }

  async printerPage(after: string, limit: number): Promise<string[]> {
    const rows = await this.#database.query<{ id: string }>(
      'SELECT id FROM printers WHERE id > $1 ORDER BY id LIMIT $2',
      [after, limit],
    );
    return rows.map((row) => row.id);
  }

  async unjudgedPage(catalog: string, after: string, limit: number): Promise<string[]> {
    const rows = await this.#database.query<{ printer: string }>(
      `SELECT s.printer FROM structures s LEFT JOIN verdicts v ON v.printer = s.printer
       WHERE s.printer > $2 AND (v.catalog IS DISTINCT FROM $1 OR v.session <> s.session OR v.revision <> s.revision)
       ORDER BY s.printer LIMIT $3`,
      [storableText(catalog), after, limit],
    );
    return rows.map((row) => row.printer);
  }

  /** Current structures in the order of their printers' ids, after `after`. */
  async structurePage(after: string, limit: number): Promise<{ printer: string; structure: Structure }[]> {
    return this.#database.query<{ printer: string; structure: Structure }>(
      'SELECT printer, document AS structure FROM structures WHERE printer > $1 ORDER BY printer LIMIT $2',
      [after, limit],
    );
  }

  close(): Promise<void> {
    return this.#commit.close();
  }

  async #write(client: Client, items: Item[]): Promise<Result[]> {
    const printers = [...new Set(items.map((item) => item.printer))].sort();
    const { rows } = await client.query<Known>(
      `SELECT s.printer, s.session, s.revision, v.document AS previous
       FROM structures s LEFT JOIN verdicts v ON v.printer = s.printer
       WHERE s.printer = ANY($1) ORDER BY s.printer FOR UPDATE OF s`,
      [printers],
    );
    const known = new Map(rows.map((row) => [row.printer, row]));
    const kept = new Map<string, Verdict>();
    const results = items.map(({ printer, verdict }): Result => {
      const state = known.get(printer);
      const previous = state?.previous ? { previous: state.previous } : {};
      const current =
        state !== undefined &&
        state.session === storableText(verdict.structure.session) &&
        state.revision === verdict.structure.revision;
      if (!current) return { stored: false, ...previous };
      kept.set(printer, verdict);
      known.set(printer, { ...state, previous: verdict });
      return { stored: true, ...previous };
    });
    if (kept.size > 0) await this.#store(client, [...kept]);
    return results;
  }

  async #store(client: Client, kept: [string, Verdict][]): Promise<void> {
    await client.query(
      `WITH given AS (
         SELECT * FROM unnest($1::text[], $2::text[], $3::int8[], $4::text[], $5::text[], $6::jsonb[])
           AS u (printer, session, revision, catalog, status, document)),
       kept AS (
         INSERT INTO verdicts (printer, session, revision, catalog, status, document, at)
         SELECT *, now() FROM given
         ON CONFLICT (printer) DO UPDATE SET session = excluded.session, revision = excluded.revision,
           catalog = excluded.catalog, status = excluded.status, document = excluded.document, at = excluded.at)
       UPDATE printers p SET verdict = g.status FROM given g
       WHERE p.id = g.printer AND p.verdict IS DISTINCT FROM g.status`,
      [
        kept.map(([printer]) => printer),
        kept.map(([, verdict]) => storableText(verdict.structure.session)),
        kept.map(([, verdict]) => verdict.structure.revision),
        kept.map(([, verdict]) => storableText(verdict.catalog)),
        kept.map(([, verdict]) => verdict.status),
        kept.map(([, verdict]) => storableJson(verdict)),
      ],
    );
  }
}
