/**
 * API tokens for programs. A person creates them, with at most that person's role; they end with that person's account.
 */
import { randomUUID } from 'node:crypto';
import { PlatenError } from '../../schemas/errors.ts';
import { ROLES, type Role } from '../../schemas/roles.ts';
import type { Client, Database } from '../database/database.ts';
import { cursorOf, keyOf } from '../database/page-cursor.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { Page, PageRequest } from '../queries.ts';
import { hashSecret, makeSecret } from './sessions.ts';

/** Prefix of every token, so that secret scanners find leaked ones. */
export const TOKEN_PREFIX = 'pt_';

export type OperatorRole = Exclude<Role, 'printer'>;

/** A token as listed, without its secret. */
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

/** A valid token. */
export interface KnownToken {
  id: string;
  owner: string;
  /** The lower of the token's and its owner's role. */
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

/** Ends all sessions and tokens of an account, in the transaction that removes the account. */
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

  /** Called with the id of every token that is revoked here. */
  onRevoked(listener: (id: string) => void): void {
    this.#ended.add(listener);
  }

  /**
   * Creates a token. Only this reply contains its secret.
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

  /** The token with this secret, if it and its owner's account are valid. */
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

  /** Whether the token with this id is still valid. */
  async holds(id: string): Promise<boolean> {
    const rows = await this.#database.query<{ one: number }>(
      `SELECT 1 AS one FROM tokens t JOIN credentials c ON c.name = t.owner AND c.revoked_at IS NULL
       WHERE t.id = $1 AND t.revoked_at IS NULL AND t.ends_at > $2`,
      [id, new Date(this.#now())],
    );
    return rows.length > 0;
  }

  /** A page of tokens, newest first; of one owner or of all. */
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
   * Revokes a token at once.
   * @param owner who must own it; undefined: anybody
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
