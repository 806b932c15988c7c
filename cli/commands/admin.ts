import { join } from 'node:path';
import { Command } from 'commander';
import { StoredAccounts } from '../../center/accounts/accounts.ts';
import { resetAdmin } from '../../center/accounts/admin-file.ts';
import { Credentials } from '../../center/accounts/credential-store.ts';
import { type Database, openDatabase } from '../../center/database/database.ts';
import { reachEmbedded } from '../../center/database/embedded-postgres.ts';
import { acceptClock } from '../../center/database/maintenance.ts';
import { readIdentity } from '../../center/database/store.ts';
import { openDataFolder } from '../data-folder.ts';
import { createLog } from '../log.ts';
import { addSettings, readSettings, type Settings } from '../settings.ts';

const SETTINGS = ['data', 'databaseUrl', 'log', 'logLevel'] as const satisfies (keyof Settings)[];

/** Works on the data folder's database, whether or not Platen is running. */
async function onDatabase(
  command: Command,
  work: (database: Database, settings: Settings) => Promise<void>,
): Promise<void> {
  const settings = readSettings(command.opts(), process.env);
  const log = createLog(settings.log, settings.logLevel);
  openDataFolder(settings.data, (sentence) => log.warn(sentence));
  const embedded = settings.databaseUrl === undefined ? await reachEmbedded(settings.data, log) : undefined;
  try {
    const database = await openDatabase({ url: embedded?.url ?? settings.databaseUrl ?? '' }, log);
    try {
      await work(database, settings);
    } finally {
      await database.close();
    }
  } finally {
    await embedded?.release();
  }
}

/** `platen admin`: recovery at the server, with or without a running center. */
export function command(): Command {
  const admin = new Command('admin').description('recovery commands, run at the server');
  const reset = new Command('reset').description(
    'give the administrator "admin" a new password, written to admin.json; connections with the old one end',
  );
  addSettings(reset, SETTINGS);
  reset.action(() =>
    onDatabase(reset, async (database, settings) => {
      const file = join(settings.data, 'admin.json');
      const accounts = new StoredAccounts(new Credentials(database));
      const log = createLog(settings.log, settings.logLevel);
      await resetAdmin({ accounts, file, database: await readIdentity(database), log });
      process.stdout.write(`admin has a new password, in ${file}\n`);
    }),
  );
  const clock = new Command('clock').description(
    "confirm that the machine's clock is right after it jumped; stored data is kept for a full retention period from now",
  );
  addSettings(clock, SETTINGS);
  clock.action(() =>
    onDatabase(clock, async (database) => {
      const now_ms = Date.now();
      await acceptClock(database, now_ms);
      process.stdout.write(`${new Date(now_ms).toISOString()} is accepted as the current time\n`);
    }),
  );
  return admin.addCommand(reset).addCommand(clock);
}
