/**
 * Credentials of printers and people, each with a password hash. Callers create and verify hashes; the store only keeps
 * them.
 */
import { PlatenError } from '../../schemas/errors.ts';
import type { Role } from '../../schemas/roles.ts';
import type { Client, Database } from '../database/database.ts';
import { GroupCommit } from '../ingest/group-commit.ts';
import { CENTER_LIMITS } from '../limits.ts';
import { endAccess } from './tokens.ts';

/** How long a lookup waits to be batched with others. Clients don't notice. */
const LOOKUP_PATIENCE_MS = 3;

export interface Credential {
  name: string;
  role: Role;
  hash: string;
  /** RFC 3339; undefined while the credential is valid. */
  revokedAt?: string;
}

interface Row {
  name: string;
  role: Role;
  hash: string;
  revoked_at: Date | null;
}

const COLUMNS = 'name, role, hash, revoked_at';

function fromRow(row: Row): Credential {
  return {
    name: row.name,
    role: row.role,
    hash: row.hash,
    ...(row.revoked_at ? { revokedAt: row.revoked_at.toISOString() } : {}),
  };
}

/** A printer that is enrolled again is part of the fleet again. */
const TAKEN_BACK = `ON CONFLICT (id) DO UPDATE
  SET standing = 'active', standing_at = NULL, standing_reason = NULL WHERE printers.standing = 'revoked'`;

/** Serializes changes of administrators, so that two of them can't demote each other at the same time. */
export async function keepAnAdministrator(client: Client, leaving: string): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT name FROM credentials WHERE role = 'admin' AND revoked_at IS NULL ORDER BY name FOR UPDATE`,
  );
  if (rows.length === 1 && rows[0]?.name === leaving) {
    throw new PlatenError('request/conflict', {
      reason: `"${leaving}" is the last administrator: make another one first (users.put)`,
    });
  }
}

export class Credentials {
  readonly #database: Database;

  readonly #lookups: GroupCommit<string, Credential | undefined>;

  constructor(database: Database) {
    this.#database = database;
    this.#lookups = new GroupCommit({
      write: async (names: string[]) => {
        const found = await this.findMany(names);
        return names.map((name) => found.get(name));
      },
      batchWeight_max: CENTER_LIMITS.ingest_batch_documents_max,
      waiting_max: CENTER_LIMITS.ingest_waiting_max,
      whenReady: () => database.whenReady(),
    });
  }

  /**
   * Enrols many printers at once. Known printers get the new hash.
   * @throws PlatenError request/conflict when one of them is being removed
   */
  async putPrinters(list: { name: string; hash: string }[]): Promise<void> {
    const names = list.map((one) => one.name);
    await this.#database.transaction(async (client) => {
      const { rows } = await client.query<{ printer: string }>(
        'SELECT printer FROM removals WHERE printer = ANY($1) ORDER BY printer LIMIT 1',
        [names],
      );
      const [leaving] = rows;
      if (leaving) {
        throw new PlatenError('request/conflict', {
          reason: `${leaving.printer} is being removed; printers.remove finishes it`,
        });
      }
      await client.query(
        `INSERT INTO credentials (name, role, hash)
         SELECT u.name, 'printer', u.hash FROM unnest($1::text[], $2::text[]) AS u (name, hash)
         ON CONFLICT (name) DO UPDATE SET role = excluded.role, hash = excluded.hash, revoked_at = NULL`,
        [names, list.map((one) => one.hash)],
      );
      await client.query(`INSERT INTO printers (id) SELECT unnest($1::text[]) ${TAKEN_BACK}`, [names]);
    });
  }

  /** The credential with this name, revoked or not. Lookups are batched: a reconnect storm takes few statements. */
  find(name: string): Promise<Credential | undefined> {
    return this.#lookups.submit(name, LOOKUP_PATIENCE_MS);
  }

  /** Valid credentials, first by name. */
  async first(limit: number): Promise<Credential[]> {
    const rows = await this.#database.query<Row>(
      `SELECT ${COLUMNS} FROM credentials WHERE revoked_at IS NULL ORDER BY name LIMIT $1`,
      [limit],
    );
    return rows.map(fromRow);
  }

  /** The existing credentials with these names, revoked or not. */
  async findMany(names: string[]): Promise<Map<string, Credential>> {
    const rows = await this.#database.query<Row>(`SELECT ${COLUMNS} FROM credentials WHERE name = ANY($1)`, [
      names,
    ]);
    return new Map(rows.map((row) => [row.name, fromRow(row)]));
  }

  /** Sets an operator's credential. @throws PlatenError request/conflict when no administrator would remain */
  async putUser(name: string, role: Role, hash: string): Promise<void> {
    await this.#database.transaction(async (client) => {
      if (role !== 'admin') await keepAnAdministrator(client, name);
      await client.query(
        `INSERT INTO credentials (name, role, hash) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET role = excluded.role, hash = excluded.hash, revoked_at = NULL`,
        [name, role, hash],
      );
      // Sessions begun with the old password or role end.
      await client.query('DELETE FROM sessions WHERE name = $1', [name]);
    });
  }

  /**
   * Revokes a credential. Returns false when there was no valid one. The same statement marks a printer as revoked, so
   * that it no longer counts.
   * @throws PlatenError request/conflict when no administrator would remain
   */
  async revoke(name: string): Promise<boolean> {
    return this.#database.transaction(async (client) => {
      await keepAnAdministrator(client, name);
      const { rowCount } = await client.query(
        `WITH revoked AS (
           UPDATE credentials SET revoked_at = now() WHERE name = $1 AND revoked_at IS NULL RETURNING name, role),
         marked AS (
           UPDATE printers p SET standing = 'revoked', standing_at = now(), standing_reason = NULL
           FROM revoked r WHERE r.role = 'printer' AND p.id = r.name)
         SELECT name FROM revoked`,
        [name],
      );
      await endAccess(client, name);
      return rowCount !== 0;
    });
  }

  /** People with valid credentials, by name. */
  async listUsers(): Promise<Credential[]> {
    const rows = await this.#database.query<Row>(
      `SELECT ${COLUMNS} FROM credentials WHERE role <> 'printer' AND revoked_at IS NULL ORDER BY name`,
    );
    return rows.map(fromRow);
  }

  /** The role of a valid credential. */
  async roleOf(name: string): Promise<Role | undefined> {
    const [row] = await this.#database.query<{ role: Role }>(
      'SELECT role FROM credentials WHERE name = $1 AND revoked_at IS NULL',
      [name],
    );
    return row?.role;
  }
}
