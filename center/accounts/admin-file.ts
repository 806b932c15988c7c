/**
 * `admin.json`: the password of the administrator that the first start made, for whoever may read the data folder. It
 * names the database that it belongs to; one that belongs to another is put aside, and comes back with it.
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
/** What is said with everything that somebody must mend. */
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

/** The file of another database, put aside when that one was in use: `admin-<its id>.json`. */
function asideOf(file: string, database: string | undefined): string {
  return join(dirname(file), `admin-${database ?? 'unknown'}.json`);
}

/** Whether a password is the administrator's in this database. */
async function isRight({ accounts }: AdminFileOptions, password: string): Promise<boolean> {
  const principal = await accounts.authenticate({
    username: NAME,
    password: Buffer.from(password),
    clientId: NAME,
    address: '',
  });
  return principal?.role === 'admin';
}

/** Takes the file back that was put aside while another database was in use; gives whether there was one. */
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

/** Makes the account of the administrator, or gives it a new password, and writes it down. */
export async function resetAdmin(options: AdminFileOptions): Promise<void> {
  const password = makePassword();
  await options.accounts.putUser(NAME, 'admin', { password });
  write(options, password);
}

/**
 * Makes sure at a start that there is an administrator, and that the file says the truth about this database.
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
      `${file} does not hold the present password of ${NAME}: it was changed, or belongs to another database. ${RESET}`,
    );
    return;
  }
  if (known) {
    renameSync(file, asideOf(file, known.database));
    log.warn(`${file} belongs to another database; it is put aside until that one is used again`);
  }
  if (await takeBack(options)) return;
  if (admins.length > 0 && !admins.some(({ name }) => name === NAME)) return;
  if (admins.length > 0) log.warn(`${file} is missing: ${NAME} has a new password, which is written there`);
  await resetAdmin(options);
}

/** A file without a note of its database, of the time before there were notes: the right one may lie beside it. */
async function takeBackInstead(options: AdminFileOptions): Promise<boolean> {
  const { file } = options;
  const aside = asideOf(file, undefined);
  renameSync(file, aside);
  if (await takeBack(options)) return true;
  renameSync(aside, file);
  return false;
}

/** Follows resets by another process (`platen admin reset`), until the function that it gives is called. */
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
    log.warn(`${file} was written anew: ${NAME} signs in again`);
  }, WATCH_MS);
  timer.unref();
  return () => clearInterval(timer);
}
