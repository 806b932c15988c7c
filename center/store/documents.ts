/** The documents that operators write: revisions of the catalog and of the trouble rules, and policies. */
import { PlatenError } from '../../schemas/errors.ts';
import type { Catalog, Policy, TroubleRules } from '../../schemas/types.ts';
import type { PolicyStore } from '../fleet/policies.ts';
import type { AuditQueries, Page, PageRequest } from '../services.ts';
import type { Database } from './database.ts';
import { storableJson } from './storable.ts';

export interface DocumentTypes {
  catalog: Catalog;
  rules: TroubleRules;
}
export type DocumentKind = keyof DocumentTypes;

export interface Revision<K extends DocumentKind> {
  /** Grows with every put. */
  number: number;
  /** The name that the document gives itself. */
  name: string;
  document: DocumentTypes[K];
  /** RFC 3339. */
  putAt: string;
  putBy: string;
}

interface Row {
  number: number;
  name: string;
  document: unknown;
  put_at: Date;
  put_by: string;
}

function fromRow<K extends DocumentKind>(row: Row): Revision<K> {
  return {
    number: row.number,
    name: row.name,
    document: row.document as DocumentTypes[K],
    putAt: row.put_at.toISOString(),
    putBy: row.put_by,
  };
}

export class Documents {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Puts a new revision. The same document under the same name changes nothing and gives what is there.
   * @throws PlatenError request/conflict when the name is taken by another document
   */
  async put<K extends DocumentKind>(
    kind: K,
    name: string,
    document: DocumentTypes[K],
    putBy: string,
  ): Promise<Revision<K>> {
    const json = storableJson(document);
    const [row] = await this.#database.query<Row>(
      `INSERT INTO documents (kind, name, document, put_by) VALUES ($1, $2, $3, $4)
       ON CONFLICT DO NOTHING RETURNING *`,
      [kind, name, json, putBy],
    );
    if (row) return fromRow(row);
    const [same] = await this.#database.query<Row>(
      'SELECT * FROM documents WHERE kind = $1 AND name = $2 AND document = $3::jsonb',
      [kind, name, json],
    );
    if (same) return fromRow(same);
    throw new PlatenError('request/conflict', {
      reason: `There is another ${kind} of the name "${name}": a revision is never changed in place`,
    });
  }

  /** The latest revision, or the one of this number or name. */
  async get<K extends DocumentKind>(kind: K, which?: number | string): Promise<Revision<K> | undefined> {
    const [row] = await this.#database.query<Row>(
      `SELECT * FROM documents
       WHERE kind = $1 AND ($2::text IS NULL OR name = $2) AND ($3::int8 IS NULL OR number = $3)
       ORDER BY number DESC LIMIT 1`,
      [kind, typeof which === 'string' ? which : null, typeof which === 'number' ? which : null],
    );
    return row && fromRow(row);
  }

  /** Revisions without their documents, the latest first; `before` is the number that the page starts below. */
  async list(
    kind: DocumentKind,
    limit: number,
    before?: number,
  ): Promise<{ number: number; name: string; putAt: string; putBy: string }[]> {
    const rows = await this.#database.query<Row>(
      `SELECT number, name, put_at, put_by FROM documents
       WHERE kind = $1 AND ($3::int8 IS NULL OR number < $3) ORDER BY number DESC LIMIT $2`,
      [kind, limit, before ?? null],
    );
    return rows.map((row) => ({
      number: row.number,
      name: row.name,
      putAt: row.put_at.toISOString(),
      putBy: row.put_by,
    }));
  }
}

/** How printers report: the fleet's default, and what single printers have instead. */
export class PolicyRows implements PolicyStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  defaultPolicy(): Promise<Policy | undefined> {
    return this.#get('default', '');
  }

  putDefaultPolicy(policy: Policy): Promise<void> {
    return this.#put('default', '', policy);
  }

  policyOf(printer: string): Promise<Policy | undefined> {
    return this.#get('printer', printer);
  }

  putPolicy(printer: string, policy: Policy): Promise<void> {
    return this.#put('printer', printer, policy);
  }

  async #get(scope: string, key: string): Promise<Policy | undefined> {
    const [row] = await this.#database.query<{ document: Policy }>(
      'SELECT document FROM policies WHERE scope = $1 AND key = $2',
      [scope, key],
    );
    return row?.document;
  }

  async #put(scope: string, key: string, policy: Policy): Promise<void> {
    await this.#database.query(
      `INSERT INTO policies (scope, key, document) VALUES ($1, $2, $3)
       ON CONFLICT (scope, key) DO UPDATE SET document = excluded.document, set_at = now()`,
      [scope, key, storableJson(policy)],
    );
  }
}

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

/** Who asked for what, and what came of it. */
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

  /** The latest first. */
  async list(
    filter: { actor?: string; method?: string },
    page: PageRequest,
  ): Promise<Page<AuditRecord & Record<string, unknown>>> {
    const before = page.cursor === undefined ? null : Number(page.cursor);
    if (before !== null && !Number.isSafeInteger(before)) {
      throw new PlatenError('request/invalid', { reason: '/cursor is not one that a reply gave' });
    }
    const rows = await this.#database.query<Omit<AuditRecord, 'at'> & { at: Date }>(
      `SELECT id, at, actor, role, method, params, outcome FROM audit
       WHERE ($2::int8 IS NULL OR id < $2) AND ($3::text IS NULL OR actor = $3) AND ($4::text IS NULL OR method = $4)
       ORDER BY id DESC LIMIT $1`,
      [page.limit + 1, before, filter.actor ?? null, filter.method ?? null],
    );
    const items = rows.slice(0, page.limit).map((row) => ({ ...row, at: row.at.toISOString() }));
    const last = items.at(-1);
    return { items, ...(rows.length > page.limit && last ? { next: String(last.id) } : {}) };
  }
}
