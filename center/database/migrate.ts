/**
 * Brings the tables up to date: applies the numbered files of `migrations/` once each, in order, in one transaction,
 * under a lock. An applied file must never change: its checksum is stored.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { ClientBase } from 'pg';
import { PlatenError } from '../../schemas/errors.ts';
import type { StoreLog } from './store-log.ts';

const FOLDER = new URL('./migrations/', import.meta.url);
/** Key of a Postgres advisory lock; the number is arbitrary. */
const LOCK = 7_041_226;

export interface Migration {
  /** File name, such as `001-printers.sql`. */
  name: string;
  sql: string;
}

/** The migrations of this version, in order. */
export function readMigrations(folder: URL = FOLDER): Migration[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .sort()
    .map((name) => ({ name, sql: readFileSync(new URL(name, folder), 'utf8') }));
}

function checksum(sql: string): string {
  return createHash('sha256').update(sql).digest('hex');
}

/**
 * Applies the missing migrations.
 * @throws PlatenError start/database when an applied file has changed or the database is newer than this program
 */
export async function migrate(
  client: ClientBase,
  log: StoreLog,
  migrations: Migration[] = readMigrations(),
): Promise<void> {
  await client.query('SELECT pg_advisory_lock($1)', [LOCK]);
  try {
    await client.query(
      `CREATE TABLE IF NOT EXISTS migrations (
         name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`,
    );
    const { rows } = await client.query<{ name: string; checksum: string }>(
      'SELECT name, checksum FROM migrations',
    );
    const applied = new Map(rows.map((row) => [row.name, row.checksum]));
    for (const { name, sql } of migrations) {
      const known = applied.get(name);
      applied.delete(name);
      if (known === checksum(sql)) continue;
      if (known !== undefined) {
        throw new PlatenError('start/database', {
          reason: `the migration ${name} was applied in another form`,
          hint: 'Start the version of Platen that made this database, or an unchanged one.',
        });
      }
      await client.query('BEGIN');
      try {
        await client.query(sql);
        await client.query('INSERT INTO migrations (name, checksum) VALUES ($1, $2)', [name, checksum(sql)]);
        await client.query('COMMIT');
      } catch (error) {
        await client.query('ROLLBACK');
        throw error;
      }
      log.info({ migration: name }, 'migration applied');
    }
    const [unknown] = applied.keys();
    if (unknown !== undefined) {
      throw new PlatenError('start/database', {
        reason: `the database holds the migration ${unknown}, which this version does not know`,
        hint: 'Start the newer version of Platen that made it.',
      });
    }
  } finally {
    await client.query('SELECT pg_advisory_unlock($1)', [LOCK]);
  }
}
