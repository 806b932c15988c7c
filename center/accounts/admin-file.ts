/**
 * `admin.json`: the initial administrator's password, readable by whoever may read the data folder. It names the
 * database it belongs to. When another database is in use it is moved aside, and moved back later.
 */
import { readdirSync, renameSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makePassword } from '../../broker/access/passwords.ts';
import { readWholeJson, writeWholeSync } from '../../files/whole-file.ts';
import { PlatenError } from '../../schemas/errors.ts';
import type { AdminCredentials } from '../../schemas/types.ts';
import { checkSchema } from '../../schemas/validate.ts';
import type { StoreLog } from '../database/store-log.ts';
import type { StoredAccounts } from './accounts.ts';

const NAME = 'admin';
const WATCH_MS = 2_000;
/** Appended to every message that asks the reader to act. */
const RESET = 'If nobody knows the password any more: platen admin reset';

export interface AdminFileOptions {
  accounts: StoredAccounts;
  file: string;
  /** The id of the database in use. */
  database: string;
  log: StoreLog;
}

function read(file: string): AdminCredentials | undefined {
  const document = readWholeJson(file, RESET);
  if (document === undefined) return undefined;
  try {
    return checkSchema('admin', document);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new PlatenError('file/damaged', { file, reason, hint: RESET });
  }
}

function write({ file, database }: AdminFileOptions, password: string): void {
  const credentials: AdminCredentials = { username: NAME, password, database };
  writeWholeSync(file, `${JSON.stringify(credentials)}\n`);
}

/** The file of another database, moved aside as `admin-<database id>.json`. */
function asideOf(file: string, database: string | undefined): string {
  return join(dirname(file), `admin-${database ?? 'unknown'}.json`);
}

/** Whether this is the administrator's password in this database. */
async function isRight({ accounts }: AdminFileOptions, password: string): Promise<boolean> {
  const principal = await accounts.authenticate({
    username: NAME,
    password: Buffer.from(password),
    clientId: NAME,
    address: '',
  });
  return principal?.role === 'admin';
}

/** Restores the file that was moved aside for another database; returns whether there was one. */
async function takeBack(options: AdminFileOptions): Promise<boolean> {
  const { file, database } = options;
  for (const name of readdirSync(dirname(file))) {
    if (!/^admin-[\w-]+\.json$/.test(name)) continue;
    const aside = join(dirname(file), name);
    const found = read(aside);
    if (
      found?.database === database ||
      (found && !found.database && (await isRight(options, found.password)))
    ) {
      renameSync(aside, file);
      return true;
    }
  }
  return false;
}

/** Creates the administrator's account or gives it a new password, and writes the file. */
export async function resetAdmin(options: AdminFileOptions): Promise<void> {
  const password = makePassword();
  await options.accounts.putUser(NAME, 'admin', { password });
  write(options, password);
}

/**
 * Called at start: ensures that there is an administrator and that the file holds the password for this database.
 * @throws PlatenError file/denied
 */
export async function ensureAdmin(options: AdminFileOptions): Promise<void> {
  const { accounts, file, database, log } = options;
  const admins = (await accounts.listUsers()).filter(({ role }) => role === 'admin');
  let known: AdminCredentials | undefined;
  try {
    known = read(file);
  } catch (error) {
    if (!(error instanceof PlatenError) || error.code !== 'file/damaged') throw error;
    if (admins.length > 0) {
      log.error(`${error.message}. ${error.hint}`);
      return;
    }
  }
  const isOurs = known !== undefined && (known.database === database || known.database === undefined);
  if (known && isOurs && admins.length > 0) {
    if (await isRight(options, known.password)) {
      if (known.database === undefined) write(options, known.password);
      return;
    }
    if (known.database === undefined && (await takeBackInstead(options))) return;
    log.warn(
      `${file} does not hold the current password of ${NAME}: the password was changed, or the file belongs to another database. ${RESET}`,
    );
    return;
  }
  if (known) {
    renameSync(file, asideOf(file, known.database));
    log.warn(`${file} belongs to another database: moved aside until that database is used again`);
  }
  if (await takeBack(options)) return;
  if (admins.length > 0 && !admins.some(({ name }) => name === NAME)) return;
  if (admins.length > 0) log.warn(`${file} is missing: ${NAME} has a new password, see the new file`);
  await resetAdmin(options);
}

/** Files of older versions don't name their database. The right one may have been moved aside. */
async function takeBackInstead(options: AdminFileOptions): Promise<boolean> {
  const { file } = options;
  const aside = asideOf(file, undefined);
  renameSync(file, aside);
  if (await takeBack(options)) return true;
  renameSync(aside, file);
  return false;
}

/** Watches for resets by another process (`platen admin reset`). Call the returned function to stop. */
export function watchAdmin({ accounts, file, log }: AdminFileOptions): () => void {
  const stamp = () => {
    const status = statSync(file, { throwIfNoEntry: false });
    return status ? `${status.ino} ${status.mtimeMs}` : '';
  };
  let seen = stamp();
  const timer = setInterval(() => {
    const now = stamp();
    if (now === seen) return;
    seen = now;
    accounts.forget(NAME);
    log.warn(`${file} was rewritten: ${NAME} must sign in again`);
  }, WATCH_MS);
  timer.unref();
  return () => clearInterval(timer);
}
