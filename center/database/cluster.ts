/**
 * The files of the embedded Postgres: created once and never removed. A cluster is created in a temporary folder and
 * renamed when it is complete, so whatever has the final name is a database with somebody's data.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { syncFolder, writeWholeSync } from '../../files/whole-file.ts';
import { PlatenError } from '../../schemas/errors.ts';
import type { ServerPlace } from './server-place.ts';
import type { StoreLog } from './store-log.ts';

/** The database that initdb makes; nothing else lives in this server. */
export const DATABASE = 'postgres';
export const ROLE = 'platen';
/** Length of a program's output that is kept, from the end, for the error. */
const COMPLAINT_CHARACTERS_MAX = 4_096;
const BEING_MADE = 'cluster-being-made-';

export interface Program {
  child: ChildProcess;
  /** The end of what it said on stderr. */
  complaint(): string;
}

/** Starts a program of Postgres as the server's user. */
export function startProgram(
  place: ServerPlace,
  file: string,
  args: string[],
  { input, hear }: { input?: string; hear?: (text: string) => void } = {},
): Program {
  const child = spawn(file, args, {
    ...place.user,
    cwd: place.folder,
    // In a process group of its own: a Ctrl-C at the terminal reaches it only through us.
    detached: true,
    stdio: [input === undefined ? 'ignore' : 'pipe', 'ignore', 'pipe'],
    env: { PATH: process.env['PATH'], LC_ALL: 'C' },
  });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-COMPLAINT_CHARACTERS_MAX);
    hear?.(text);
  });
  // If it ends before it has read everything, its exit code says so.
  child.stdin?.on('error', () => undefined).end(input);
  return { child, complaint: () => said.trim() };
}

async function run(
  place: ServerPlace,
  file: string,
  args: string[],
  stop: AbortSignal | undefined,
  input?: string,
): Promise<void> {
  const { child, complaint } = startProgram(place, file, args, { input });
  const end = () => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  };
  stop?.addEventListener('abort', end, { once: true });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  stop?.removeEventListener('abort', end);
  if (stop?.aborted) throw new PlatenError('start/stopped');
  if (code !== 0) {
    throw new PlatenError('start/database', {
      reason: `${basename(file)} ended with ${code}: ${complaint()}`,
      hint: `Look at the free space and the rights of ${place.folder}, or set PLATEN_DATABASE_URL.`,
    });
  }
}

/** Whether a folder contains any file of a cluster. */
function holdsCluster(folder: string): boolean {
  return existsSync(join(folder, 'PG_VERSION'));
}

/**
 * Removes what a killed initdb left. It was never a database: a server writes `postmaster.opts`, and none ever ran
 * under such a name.
 */
function clearHalfMade(folder: string): void {
  for (const name of readdirSync(folder)) {
    const half = join(folder, name);
    if (name.startsWith(BEING_MADE) && !existsSync(join(half, 'postmaster.opts'))) {
      rmSync(half, { recursive: true, force: true });
    }
  }
}

/** The cluster's folder in a place. */
export function clusterOf(place: ServerPlace): string {
  return join(place.folder, 'cluster');
}

/**
 * Creates the cluster, unless there is one or was one before.
 * @throws PlatenError start/database, start/stopped
 */
export async function ensureCluster(place: ServerPlace, password: string, stop?: AbortSignal): Promise<void> {
  const cluster = clusterOf(place);
  const marker = join(place.folder, 'initialised');
  clearHalfMade(place.folder);
  if (holdsCluster(cluster)) {
    // Postgres refuses a folder that others may enter, which copying may have caused.
    if ((statSync(cluster).mode & 0o077) !== 0) chmodSync(cluster, 0o700);
    if (!existsSync(marker)) writeWholeSync(marker, `${new Date().toISOString()}\n`);
    return;
  }
  if (existsSync(cluster) && readdirSync(cluster).length > 0) {
    throw new PlatenError('start/database', {
      reason: `${cluster} is damaged: its file PG_VERSION is missing`,
      hint: `Restore ${place.folder} from a copy. To begin with an empty database instead, move it away.`,
    });
  }
  if (existsSync(marker)) {
    throw new PlatenError('start/database', {
      reason: `there was a database here, and ${cluster} is gone`,
      hint: `Restore ${place.folder} from a copy. To begin with an empty database instead, remove ${marker}.`,
    });
  }
  const mark = randomBytes(6).toString('hex');
  const half = join(place.folder, `${BEING_MADE}${mark}`);
  const passwordFile = join(place.folder, `new-password-${mark}`);
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600, flag: 'wx' });
  try {
    if (place.user) chownSync(passwordFile, place.user.uid, place.user.gid);
    const args = [
      `--pgdata=${half}`,
      `--username=${ROLE}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      '--data-checksums',
    ];
    await run(place, place.program.initdb, args, stop);
    // Replaces an empty folder or nothing; never files.
    renameSync(half, cluster);
    syncFolder(place.folder);
  } catch (error) {
    rmSync(half, { recursive: true, force: true });
    throw error;
  } finally {
    rmSync(passwordFile, { force: true });
  }
  writeWholeSync(marker, `${new Date().toISOString()}\n`);
}

/**
 * Returns the server's password. If its file is missing or damaged, it sets a new one; the server must not be running.
 * @throws PlatenError start/database, start/stopped
 */
export async function setPassword(
  place: ServerPlace,
  password: string,
  log: StoreLog,
  stop?: AbortSignal,
): Promise<void> {
  log.warn('the password file of the embedded Postgres was missing or damaged; it has a new one');
  await run(
    place,
    place.program.postgres,
    ['--single', '-D', clusterOf(place), DATABASE],
    stop,
    `ALTER ROLE ${ROLE} PASSWORD '${password}'\n`,
  );
}
