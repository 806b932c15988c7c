/** Sessions of people over HTTP. Only a hash of the cookie's secret is stored. */
import { createHash, randomBytes } from 'node:crypto';
import type { Role } from '../../schemas/roles.ts';
import type { Database } from '../database/database.ts';
import { CENTER_LIMITS } from '../limits.ts';

const SECRET_BYTES = 32;

export type SignedInWith = 'password' | 'oidc';

/** A valid session. */
export interface Session {
  /** Identifies the session inside this process; it gives no access. */
  id: string;
  name: string;
  role: Role;
  how: SignedInWith;
  endsAt: Date;
}

/** An unguessable secret that fits in a cookie and a header. */
export function makeSecret(): string {
  return randomBytes(SECRET_BYTES).toString('base64url');
}

/** The stored hash of a secret. The secret has 256 random bits, so a costly hash would add nothing. */
export function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

export class Sessions {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Begins a session. Deletes expired ones, and a person's oldest beyond the limit. */
  async begin(name: string, how: SignedInWith, now_ms: number): Promise<{ secret: string; endsAt: Date }> {
    const secret = makeSecret();
    const now = new Date(now_ms);
    const endsAt = new Date(now_ms + CENTER_LIMITS.session_ms_max);
    await this.#database.transaction(async (client) => {
      await client.query(
        `DELETE FROM sessions WHERE ends_at <= $2 OR hash IN (
           SELECT hash FROM sessions WHERE name = $1 ORDER BY created_at DESC OFFSET $3)`,
        [name, now, CENTER_LIMITS.sessions_person_max - 1],
      );
      await client.query(
        `INSERT INTO sessions (hash, name, how, created_at, used_at, ends_at) VALUES ($1, $2, $3, $4, $4, $5)`,
        [hashSecret(secret), name, how, now, endsAt],
      );
    });
    return { secret, endsAt };
  }

  /** The session with this secret, if it and its account are valid. Resets the idle timeout. */
  async find(secret: string, now_ms: number): Promise<Session | undefined> {
    const hash = hashSecret(secret);
    const idle = new Date(now_ms - CENTER_LIMITS.session_idle_ms_max);
    const [row] = await this.#database.query<{
      name: string;
      role: Role;
      how: SignedInWith;
      used_at: Date;
      ends_at: Date;
    }>(
      `SELECT s.name, c.role, s.how, s.used_at, s.ends_at FROM sessions s
       JOIN credentials c ON c.name = s.name AND c.revoked_at IS NULL AND c.role <> 'printer'
       WHERE s.hash = $1 AND s.ends_at > $2 AND s.used_at > $3`,
      [hash, new Date(now_ms), idle],
    );
    if (!row) return undefined;
    if (now_ms - row.used_at.getTime() > CENTER_LIMITS.session_used_ms) {
      await this.#database.query('UPDATE sessions SET used_at = greatest(used_at, $2) WHERE hash = $1', [
        hash,
        new Date(now_ms),
      ]);
    }
    return { id: hash.toString('hex'), name: row.name, role: row.role, how: row.how, endsAt: row.ends_at };
  }

  /** Whether the session with this id is still valid. */
  async holds(id: string, now_ms: number): Promise<boolean> {
    const rows = await this.#database.query<{ one: number }>(
      `SELECT 1 AS one FROM sessions s
       JOIN credentials c ON c.name = s.name AND c.revoked_at IS NULL
       WHERE s.hash = $1 AND s.ends_at > $2 AND s.used_at > $3`,
      [Buffer.from(id, 'hex'), new Date(now_ms), new Date(now_ms - CENTER_LIMITS.session_idle_ms_max)],
    );
    return rows.length > 0;
  }

  async end(secret: string): Promise<void> {
    await this.#database.query('DELETE FROM sessions WHERE hash = $1', [hashSecret(secret)]);
  }
}
