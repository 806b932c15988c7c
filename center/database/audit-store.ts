/** The audit log: who asked for what, with which outcome. */

import { storableJson } from '../ingest/storable.ts';
import type { AuditQueries, Page, PageRequest } from '../queries.ts';
import type { Database } from './database.ts';
import { cursorOf, keyOf } from './page-cursor.ts';

export interface AuditRecord {
  id: number;
  /** RFC 3339. */
  at: string;
  actor: string;
  role: string;
  method: string;
  params: object;
  /** `ok`, `accepted`, or the code of the error. */
  outcome: string;
}

export class Audit implements AuditQueries {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async add(record: Omit<AuditRecord, 'id' | 'at'>): Promise<void> {
    await this.#database.query(
      'INSERT INTO audit (actor, role, method, params, outcome) VALUES ($1, $2, $3, $4, $5)',
      [record.actor, record.role, record.method, storableJson(record.params), record.outcome],
    );
  }

  /** Newest first. */
  async list(
    filter: { actor?: string; method?: string },
    page: PageRequest,
  ): Promise<Page<AuditRecord & Record<string, unknown>>> {
    const [before = null] = page.cursor === undefined ? [] : keyOf('audit', page.cursor, ['number']);
    const rows = await this.#database.query<Omit<AuditRecord, 'at'> & { at: Date }>(
      `SELECT id, at, actor, role, method, params, outcome FROM audit
       WHERE ($2::int8 IS NULL OR id < $2) AND ($3::text IS NULL OR actor = $3) AND ($4::text IS NULL OR method = $4)
       ORDER BY id DESC LIMIT $1`,
      [page.limit + 1, before, filter.actor ?? null, filter.method ?? null],
    );
    const items = rows.slice(0, page.limit).map((row) => ({ ...row, at: row.at.toISOString() }));
    const last = items.at(-1);
    return { items, ...(rows.length > page.limit && last ? { next: cursorOf('audit', [last.id]) } : {}) };
  }
}
