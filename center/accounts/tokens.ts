/** Tokens for programs: made by a person, with at most that person's role, and ended with that person's account. */
import { randomUUID } from 'node:crypto';
import { PlatenError } from '../../schemas/errors.ts';
import { ROLES, type Role } from '../../schemas/roles.ts';
import type { Client, Database } from '../database/database.ts';
import { cursorOf, keyOf } from '../database/page-cursor.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { Page, PageRequest } from '../queries.ts';
import { hashSecret, makeSecret } from './sessions.ts';

/** What every token begins with, so that scanners for secrets find one that leaked. */
export const TOKEN_PREFIX = 'pt_';

export type OperatorRole = Exclude<Role, 'printer'>;

/** A token as it is listed: without its secret. */
export interface TokenItem {
  id: string;
  name: string;
  owner: string;
  role: OperatorRole;
  created: string;
  expires: string;
  lastUsed?: string;
  revoked?: string;
}

/** A token that holds. */
export interface KnownToken {
  id: string;
  owner: string;
  /** The lower of the token's and its owner's. */
  role: Role;
  endsAt: Date;
}

interface Row {
  id: string;
  name: string;
  owner: string;
  role: OperatorRole;
  created_at: Date;
  ends_at: Date;
  used_at: Date | null;
  revoked_at: Date | null;
}

function itemOf(row: Row): TokenItem {
  return {
    id: row.id,
    name: row.name,
    owner: row.owner,
    role: row.role,
    created: row.created_at.toISOString(),
    expires: row.ends_at.toISOString(),
    ...(row.used_at ? { lastUsed: row.used_at.toISOString() } : {}),
    ...(row.revoked_at ? { revoked: row.revoked_at.toISOString() } : {}),
  };
}

function lower(a: Role, b: Role): Role {
  return ROLES.indexOf(a) < ROLES.indexOf(b) ? a : b;
}

/** Ends every session and token of an account, in the transaction that takes the account away. */
export async function endAccess(client: Client, name: string): Promise<void> {
  await client.query('DELETE FROM sessions WHERE name = $1', [name]);
  await client.query('UPDATE tokens SET revoked_at = now() WHERE owner = $1 AND revoked_at IS NULL', [name]);
}

export class Tokens {
  readonly #database: Database;
  readonly #now: () => number;
  readonly #ended = new Set<(id: string) => void>();

  constructor(database: Database, now: () => number) {
    this.#database = database;
    this.#now = now;
  }

  /** Is told the id of every token that is revoked here. */
  onRevoked(listener: (id: string) => void): void {
    this.#ended.add(listener);
  }

  /**
   * Makes a token; its secret is in the answer and nowhere else.
   * @throws PlatenError token/too-many
   */
  async create(
    owner: string,
    wish: { name: string; role: OperatorRole; lasts_ms: number },
  ): Promise<TokenItem & { token: string }> {
    const now_ms = this.#now();
    const now = new Date(now_ms);
    const limit = CENTER_LIMITS.tokens_person_max;
    const [count] = await this.#database.query<{ n: number }>(
      'SELECT count(*)::int AS n FROM tokens WHERE owner = $1 AND revoked_at IS NULL AND ends_at > $2',
      [owner, now],
    );
    if ((count?.n ?? 0) >= limit) throw new PlatenError('token/too-many', { limit });
    const token = TOKEN_PREFIX + makeSecret();
    const [row] = await this.#database.query<Row>(
      `INSERT INTO tokens (id, hash, name, owner, role, created_at, ends_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING *`,
      [randomUUID(), hashSecret(token), wish.name, owner, wish.role, now, new Date(now_ms + wish.lasts_ms)],
    );
    if (!row) throw new Error('the token was not stored');
    return { ...itemOf(row), token };
  }

  /** The token of a secret, when it holds and its owner's account does. */
  async find(secret: string): Promise<KnownToken | undefined> {
    const now = new Date(this.#now());
    const [row] = await this.#database.query<Row & { owner_role: Role }>(
      `SELECT t.*, c.role AS owner_role FROM tokens t
       JOIN credentials c ON c.name = t.owner AND c.revoked_at IS NULL AND c.role <> 'printer'
       WHERE t.hash = $1 AND t.revoked_at IS NULL AND t.ends_at > $2`,
      [hashSecret(secret), now],
    );
    if (!row) return undefined;
    if (!row.used_at || now.getTime() - row.used_at.getTime() > CENTER_LIMITS.session_used_ms) {
      await this.#database.query('UPDATE tokens SET used_at = $2 WHERE id = $1', [row.id, now]);
    }
    return { id: row.id, owner: row.owner, role: lower(row.role, row.owner_role), endsAt: row.ends_at };
  }

  /** Whether a token still holds, by its id. */
  async holds(id: string): Promise<boolean> {
    const rows = await this.#database.query<{ one: number }>(
      `SELECT 1 AS one FROM tokens t JOIN credentials c ON c.name = t.owner AND c.revoked_at IS NULL
       WHERE t.id = $1 AND t.revoked_at IS NULL AND t.ends_at > $2`,
      [id, new Date(this.#now())],
    );
    return rows.length > 0;
  }

  /** A page of tokens, the latest first; of one owner, or of all. */
  async list(owner: string | undefined, page: PageRequest): Promise<Page<TokenItem>> {
    const [at = null, id = null] =
      page.cursor === undefined ? [] : keyOf('tokens', page.cursor, ['time', 'text']);
    const rows = await this.#database.query<Row>(
      `SELECT * FROM tokens
       WHERE ($1::text IS NULL OR owner = $1)
         AND ($3::timestamptz IS NULL OR (created_at, id) < ($3::timestamptz, $4::text))
       ORDER BY created_at DESC, id DESC LIMIT $2`,
      [owner ?? null, page.limit + 1, at, id],
    );
    const items = rows.slice(0, page.limit).map(itemOf);
    const last = items.at(-1);
    return {
      items,
      ...(rows.length > page.limit && last ? { next: cursorOf('tokens', [last.created, last.id]) } : {}),
    };
  }

  /**
   * Ends a token at once.
   * @param owner whose it has to be; undefined: anybody's
   * @throws PlatenError request/not-found
   */
  async revoke(id: string, owner: string | undefined): Promise<void> {
    const rows = await this.#database.query<{ id: string }>(
      `UPDATE tokens SET revoked_at = coalesce(revoked_at, $3)
       WHERE id = $1 AND ($2::text IS NULL OR owner = $2) RETURNING id`,
      [id, owner ?? null, new Date(this.#now())],
    );
    if (rows.length === 0) throw new PlatenError('request/not-found', { kind: 'token', id });
    for (const listener of this.#ended) listener(id);
  }
}
