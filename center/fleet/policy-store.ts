/** Stores reporting policies: the fleet's default and overrides of single printers. */
import type { Policy } from '../../schemas/types.ts';
import type { Database } from '../database/database.ts';
import { storableJson } from '../ingest/storable.ts';
import type { PolicyStore } from './policies.ts';

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
