/**
 * A database that is initialised and migrated once per test run and copied wherever a test begins with an empty one:
 * copying takes a tenth of the second that Postgres needs to create it. Tests of a first start don't use it.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { openDatabase } from '../../center/database/database.ts';

/** Folder of the prepared database; undefined outside a test run. */
async function preparedPostgres(): Promise<string | undefined> {
  const run = process.env['PLATEN_TEST_RUN'];
  if (run === undefined) return undefined;
  const prepared = join(run, 'database');
  if (!existsSync(prepared)) {
    const half = mkdtempSync(join(run, 'database-being-made-'));
    execFileSync('chmod', ['755', half]);
    // Only the tables: what a store adds when it is opened depends on its clock.
    const database = await openDatabase({ dataFolder: half }, pino({ level: 'silent' }));
    await database.close();
    try {
      renameSync(half, prepared);
    } catch (error) {
      // Another worker was first; its database is just as good.
      rmSync(half, { recursive: true, force: true });
      if (!existsSync(prepared)) throw error;
    }
  }
  return join(prepared, 'postgres');
}

/** Puts an empty database into a data folder that has none. All copies have the same identity. */
export async function prepareDatabase(dataFolder: string): Promise<void> {
  const target = join(dataFolder, 'postgres');
  if (existsSync(target)) return;
  const postgres = await preparedPostgres();
  if (postgres === undefined) return;
  mkdirSync(dataFolder, { recursive: true });
  // Not `cpSync`: when root runs the tests, the files belong to another user and must keep their owner.
  execFileSync('cp', ['-a', postgres, target]);
}
