/** The documents that operators write: revisions of the catalog and of the trouble rules. */
import { PlatenError } from '../../schemas/errors.ts';
import type { Catalog, TroubleRules } from '../../schemas/types.ts';
import { storableJson } from '../ingest/storable.ts';
import type { DocumentRevision } from '../queries.ts';
import type { Database } from './database.ts';

export interface DocumentTypes {
  catalog: Catalog;
  rules: TroubleRules;
}
export type DocumentKind = keyof DocumentTypes;

interface Row {
  number: number;
  document: unknown;
  put_at: Date;
  put_by: string;
}

function fromRow<K extends DocumentKind>(row: Row): DocumentRevision<DocumentTypes[K]> {
  return {
    revision: row.number,
    at: row.put_at.toISOString(),
    by: row.put_by,
    document: row.document as DocumentTypes[K],
  };
}

export class Documents {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Puts a revision in force: a new one, or an earlier one with this name and content. That one gets the next number,
   * so that it is also the latest after a restart. Putting the one in force changes nothing.
   * @throws PlatenError request/conflict when the name is taken by another document
   */
  async put<K extends DocumentKind>(
    kind: K,
    name: string,
    document: DocumentTypes[K],
    putBy: string,
  ): Promise<DocumentRevision<DocumentTypes[K]>> {
    const json = storableJson(document);
    const [row] = await this.#database.query<Row>(
      `INSERT INTO documents (kind, name, document, put_by) VALUES ($1, $2, $3, $4)
       ON CONFLICT DO NOTHING RETURNING *`,
      [kind, name, json, putBy],
    );
    if (row) return fromRow(row);
    const [same] = await this.#database.query<Row>(
      `WITH again AS (
         UPDATE documents SET number = DEFAULT, put_at = now(), put_by = $4
         WHERE kind = $1 AND name = $2 AND document = $3::jsonb
           AND number < (SELECT max(number) FROM documents WHERE kind = $1)
         RETURNING *)
       SELECT * FROM again
       UNION ALL
       SELECT * FROM documents WHERE kind = $1 AND name = $2 AND document = $3::jsonb AND NOT EXISTS (SELECT FROM again)`,
      [kind, name, json, putBy],
    );
    if (same) return fromRow(same);
    throw new PlatenError('request/conflict', {
      reason: `There is another ${kind} of the name "${name}": a revision is never changed in place`,
    });
  }

  /** The latest revision, or the one with this number or name. */
  async get<K extends DocumentKind>(
    kind: K,
    which?: number | string,
  ): Promise<DocumentRevision<DocumentTypes[K]> | undefined> {
    const [row] = await this.#database.query<Row>(
      `SELECT * FROM documents
       WHERE kind = $1 AND ($2::text IS NULL OR name = $2) AND ($3::int8 IS NULL OR number = $3)
       ORDER BY number DESC LIMIT 1`,
      [kind, typeof which === 'string' ? which : null, typeof which === 'number' ? which : null],
    );
    return row && fromRow(row);
  }
}
