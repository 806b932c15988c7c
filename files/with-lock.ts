/**
 * A short critical section across processes: read a small file, change it, write it. The holder has created
 * `FILE.lock`, which names its process.
 */
import {
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PlatenError } from '../schemas/errors.ts';
import { isAlive } from './folder-lock.ts';

const PAUSE_MS = 5;
/** How long to wait for the lock. A section takes as long as writing one small file to disk. */
const WAIT_MS_MAX = 5_000;
/** The same for longer work, such as publishing a repository. */
const LONG_WAIT_MS_MAX = 60_000;
/**
 * A lock whose process is gone is taken over at this age, because a process on another host can't be seen from here.
 */
const ABANDONED_MS = 1_000;

function take(lock: string): boolean {
  try {
    const handle = openSync(lock, 'wx', 0o600);
    try {
      writeSync(handle, String(process.pid));
    } finally {
      closeSync(handle);
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** The holder of the lock; undefined when it is gone by now. */
function holderOf(lock: string): { text: string; ageMs: number } | undefined {
  try {
    return { text: readFileSync(lock, 'utf8'), ageMs: Date.now() - statSync(lock).mtimeMs };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Removes the lock of a killed process. Two processes may try: one that moved a different lock than it saw puts it
 * back.
 */
function clearAbandoned(lock: string): void {
  const holder = holderOf(lock);
  if (!holder || Math.abs(holder.ageMs) < ABANDONED_MS) return;
  const pid = Number(holder.text);
  if (Number.isInteger(pid) && pid > 0 && isAlive(pid)) return;
  const away = `${lock}.${process.pid}`;
  try {
    renameSync(lock, away);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if (readFileSync(away, 'utf8') !== holder.text) linkSync(away, lock);
  rmSync(away, { force: true });
}

/**
 * Runs `work` while no other process runs one for the same `file`. Blocks the event loop: only for milliseconds of
 * work.
 * @throws PlatenError file/busy when another process doesn't release the lock
 */
export function withLockSync<T>(file: string, work: () => T): T {
  const lock = `${file}.lock`;
  mkdirSync(dirname(file), { recursive: true });
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  for (let waited_ms = 0; !take(lock); waited_ms += PAUSE_MS) {
    clearAbandoned(lock);
    if (waited_ms >= WAIT_MS_MAX) {
      throw new PlatenError('file/busy', { file, process: holderOf(lock)?.text ?? 'unknown', lock });
    }
    Atomics.wait(sleeper, 0, 0, PAUSE_MS);
  }
  try {
    return work();
  } finally {
    rmSync(lock, { force: true });
  }
}

/** As `withLockSync`, for longer work and without blocking the event loop. Not reentrant. */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  const lock = `${file}.lock`;
  mkdirSync(dirname(file), { recursive: true });
  for (let waited_ms = 0; !take(lock); waited_ms += PAUSE_MS) {
    clearAbandoned(lock);
    if (waited_ms >= LONG_WAIT_MS_MAX) {
      throw new PlatenError('file/busy', { file, process: holderOf(lock)?.text ?? 'unknown', lock });
    }
    await sleep(PAUSE_MS);
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}
