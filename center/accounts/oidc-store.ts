/** The accounts that belong to the people of an OpenID provider, in Postgres. */
import type { Role } from '../../schemas/roles.ts';
import type { Client, Database } from '../database/database.ts';
import { keepAnAdministrator } from './credential-store.ts';
import { endAccess, type OperatorRole } from './tokens.ts';

/** A person as the provider identifies them: this pair never changes. */
export interface OidcPerson {
  issuer: string;
  subject: string;
}

/** The result of a sign-in. `changed`: an account was created, or its role changed. */
export type Entered =
  | { outcome: 'in'; name: string; changed: boolean }
  /** The name belongs to somebody else or to a printer, or an administrator removed the account. */
  | { outcome: 'taken' | 'removed'; name: string };

interface Account {
  role: Role;
  revoked: boolean;
}

async function accountOf(client: Client, name: string): Promise<Account | undefined> {
  const { rows } = await client.query<Account>(
    'SELECT role, revoked_at IS NOT NULL AS revoked FROM credentials WHERE name = $1 FOR UPDATE',
    [name],
  );
  return rows[0];
}

export class OidcPeople {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Returns the person's account with the role that the provider gives now. Creates one at the first sign-in.
   * @param wished name for a new account
   * @param hash of a password that nobody knows
   * @throws PlatenError request/conflict when no administrator would remain
   */
  enter(
    { issuer, subject }: OidcPerson,
    wished: string,
    role: OperatorRole,
    hash: string,
    now: Date,
  ): Promise<Entered> {
    return this.#database.transaction(async (client): Promise<Entered> => {
      const { rows } = await client.query<{ name: string; lost_role: boolean }>(
        `UPDATE oidc_people SET used_at = $3 WHERE issuer = $1 AND subject = $2
         RETURNING name, lost_role`,
        [issuer, subject, now],
      );
      const [known] = rows;
      const name = known?.name ?? wished;
      const account = await accountOf(client, name);
      if (account?.role === 'printer') return { outcome: 'taken', name };
      if (!known) {
        if (account) return { outcome: account.revoked ? 'removed' : 'taken', name };
        await client.query('INSERT INTO credentials (name, role, hash) VALUES ($1, $2, $3)', [
          name,
          role,
          hash,
        ]);
        await client.query(
          `INSERT INTO oidc_people (issuer, subject, name, created_at, used_at) VALUES ($1, $2, $3, $4, $4)`,
          [issuer, subject, name, now],
        );
        return { outcome: 'in', name, changed: true };
      }
      if (account?.revoked && !known.lost_role) return { outcome: 'removed', name };
      const changed = account?.revoked === true || account?.role !== role;
      if (changed) {
        if (role !== 'admin') await keepAnAdministrator(client, name);
        await client.query('UPDATE credentials SET role = $2, revoked_at = NULL WHERE name = $1', [
          name,
          role,
        ]);
        await client.query('DELETE FROM sessions WHERE name = $1', [name]);
      }
      await client.query('UPDATE oidc_people SET lost_role = false WHERE name = $1 AND lost_role', [name]);
      return { outcome: 'in', name, changed };
    });
  }

  /**
   * The provider no longer gives the person a role: their account, sessions and tokens end until it does again.
   * @returns the name; undefined when they have no account
   * @throws PlatenError request/conflict when no administrator would remain
   */
  lose({ issuer, subject }: OidcPerson): Promise<string | undefined> {
    return this.#database.transaction(async (client) => {
      const { rows } = await client.query<{ name: string }>(
        `SELECT p.name FROM oidc_people p JOIN credentials c ON c.name = p.name
         WHERE p.issuer = $1 AND p.subject = $2 AND c.revoked_at IS NULL AND c.role <> 'printer' FOR UPDATE`,
        [issuer, subject],
      );
      const name = rows[0]?.name;
      if (name === undefined) return undefined;
      await endAccess(client, name);
      await keepAnAdministrator(client, name);
      await client.query('UPDATE credentials SET revoked_at = now() WHERE name = $1', [name]);
      await client.query('UPDATE oidc_people SET lost_role = true WHERE name = $1', [name]);
      return name;
    });
  }
}
