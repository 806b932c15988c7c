/**
 * Prepares the data folder at start: one process at a time, and one user. Root and the owner of a folder may alternate:
 * on another user's folder root switches to that user, so that the owner can use every file afterwards.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, lstatSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type FolderLock, holderOfFolder, lockFolder, type RunningProgram } from '../files/folder-lock.ts';
import { PlatenError, reasonOf } from '../schemas/errors.ts';
import type { Settings } from './settings.ts';

/** How deep the ownership of files is checked: deeper files were created by the owner of their folder. */
const DEPTH_MAX = 2;
const LOCK = 'running.json';

/** @throws PlatenError setting/invalid */
function make(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new PlatenError('setting/invalid', {
      name: 'PLATEN_DATA',
      reason: reasonOf(error),
      hint: 'Give --data or PLATEN_DATA a folder that can be written to.',
    });
  }
}

function nameOf(uid: number): string {
  const found = spawnSync('id', ['-un', String(uid)], { encoding: 'utf8' });
  return found.status === 0 ? found.stdout.trim() : String(uid);
}

/** The files of a folder down to a depth; folders that can't be entered are listed themselves. */
function* filesOf(folder: string, depth: number): Generator<string> {
  yield folder;
  if (depth === 0 || !lstatSync(folder).isDirectory()) return;
  try {
    accessSync(folder, constants.R_OK | constants.X_OK);
  } catch {
    return;
  }
  for (const name of readdirSync(folder)) yield* filesOf(join(folder, name), depth - 1);
}

/** The first file that this user can't use; undefined when there is none. */
function closedTo(folder: string): string | undefined {
  for (const file of filesOf(folder, DEPTH_MAX)) {
    const status = lstatSync(file);
    if (status.isSocket() || status.isSymbolicLink()) continue;
    try {
      accessSync(file, constants.R_OK | constants.W_OK | (status.isDirectory() ? constants.X_OK : 0));
    } catch {
      // A key that only its owner may read is fine.
      if (!status.isDirectory() && status.uid === process.getuid?.()) continue;
      return file;
    }
  }
  return undefined;
}

function ownerError(folder: string, reason: string, hint: string): PlatenError {
  return new PlatenError('start/owner', { folder, user: userInfo().username, reason, hint });
}

/** Switches from root to the owner of the folder. @throws PlatenError start/owner */
function goOnAs(folder: string, uid: number, gid: number, say: (sentence: string) => void): void {
  const owner = nameOf(uid);
  const program = fileURLToPath(new URL('./platen.ts', import.meta.url));
  const reaches = spawnSync('test', ['-r', program, '-a', '-w', folder], { uid, gid, cwd: '/' }).status === 0;
  if (!reaches) {
    throw ownerError(
      folder,
      `they belong to ${owner}, who can't read ${program}`,
      `Start Platen as ${owner}, from where ${owner} can read it, or give the data to root: chown -R root ${folder}`,
    );
  }
  // Files that an earlier start by root left among the owner's.
  for (const file of filesOf(folder, DEPTH_MAX)) {
    if (lstatSync(file).uid === uid) continue;
    const given = spawnSync('chown', ['-R', '-P', '-h', `${uid}:${gid}`, folder], { encoding: 'utf8' });
    if (given.status !== 0) {
      throw ownerError(folder, given.stderr.trim(), `Give them to their owner: chown -R ${owner} ${folder}`);
    }
    say(`The files in ${folder} belonged to several users; they are ${owner}'s now.`);
    break;
  }
  process.setgroups?.([gid]);
  process.setgid?.(gid);
  process.setuid?.(uid);
  say(`${folder} belongs to ${owner}: Platen goes on as that user, so that the data stay theirs.`);
}

/**
 * Creates the folder when it is missing and ensures that this process can use it.
 * @param say called with a sentence about each change of ownership
 * @throws PlatenError setting/invalid, start/owner
 */
export function openDataFolder(folder: string, say: (sentence: string) => void): void {
  make(folder);
  const { uid, gid } = statSync(folder);
  const own = process.getuid?.();
  if (own === undefined) return;
  if (own === 0) {
    // An owner without a user name on this machine can't run a database: root keeps such a folder.
    if (uid !== 0 && nameOf(uid) !== String(uid)) goOnAs(folder, uid, gid, say);
    return;
  }
  const closed = closedTo(folder);
  const cluster = join(folder, 'postgres', 'cluster');
  // Postgres requires to own its files, whatever their modes are.
  const foreign = closed ?? (existsSync(cluster) && statSync(cluster).uid !== own ? cluster : undefined);
  if (foreign === undefined) return;
  if (lstatSync(foreign).uid === own) {
    throw ownerError(
      folder,
      `${foreign} can't be read and written`,
      'Look at its rights (ls -l), and whether the disk is mounted read-only.',
    );
  }
  const owner = nameOf(lstatSync(foreign).uid);
  throw ownerError(
    folder,
    `${foreign} belongs to ${owner}`,
    `Start Platen as ${owner}, or give the data to this user: sudo chown -R ${userInfo().username} ${folder}`,
  );
}

/** Locks the folder for this process. @throws PlatenError start/in-use */
export function lockDataFolder(folder: string, program: string): FolderLock {
  return lockFolder(folder, LOCK, program);
}

/** What is running on the folder now, and where it listens; undefined when nothing is. */
export function runningOn(folder: string): RunningProgram | undefined {
  return holderOfFolder(folder, LOCK);
}

/** The broker that runs on the data folder, else where the settings would start one. */
export function brokerOf({ data, host, mqttPort }: Pick<Settings, 'data' | 'host' | 'mqttPort'>): string {
  return runningOn(data)?.addresses?.['mqtt'] ?? `mqtt://${host}:${mqttPort}`;
}
