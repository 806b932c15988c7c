/**
 * A lock that lets one process at a time use a folder. The lock file names its holder: the process, its start time
 * (process ids are reused after a reboot), and where it can be reached, so that a second start can say where the first
 * one is.
 */
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { PlatenError } from '../schemas/errors.ts';
import { deniedError, writeWholeSync } from './whole-file.ts';

/** The content of the lock file. */
interface Holder {
  pid: number;
  start: string;
  /** The program, such as `platen up`. */
  program: string;
  addresses?: Record<string, string>;
}

/** Who holds a folder, and where it can be reached. */
export type RunningProgram = Pick<Holder, 'program' | 'addresses'>;

export interface FolderLock {
  /** Records where the holder can be reached. */
  tell(addresses: Record<string, string>): void;
  release(): void;
}

const TRIES_MAX = 10;

/** When a process started, in clock ticks since boot; undefined when there is none, or one that has ended. */
export function processStart(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended; its parent only hasn't reaped it yet.
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

export function isAlive(pid: number): boolean {
  if (existsSync('/proc/self/stat')) return processStart(pid) !== undefined;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function read(file: string): { text: string; holder: Holder | undefined } | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    if (code === 'EACCES' || code === 'EPERM') throw deniedError(file, error);
    throw error;
  }
  try {
    const holder = JSON.parse(text) as Holder;
    return { text, holder: Number.isInteger(holder.pid) ? holder : undefined };
  } catch {
    // A torn file names nobody.
    return { text, holder: undefined };
  }
}

function holds({ pid, start }: Holder): boolean {
  return isAlive(pid) && (start === '' || (processStart(pid) ?? '') === start);
}

function inUse(folder: string, { pid, program, addresses }: Holder): PlatenError {
  const where = Object.values(addresses ?? {}).join(' ');
  return new PlatenError('start/in-use', {
    folder,
    program,
    pid,
    where: where === '' ? '' : `, at ${where}`,
  });
}

/** Who holds the folder now; undefined when nobody does. @throws PlatenError file/denied */
export function holderOfFolder(folder: string, name: string): RunningProgram | undefined {
  const holder = read(join(folder, name))?.holder;
  return holder && holds(holder) ? holder : undefined;
}

/**
 * Locks `folder` for this process. Takes over the lock of a process that has ended.
 * @param program shown to another process that wants the folder
 * @throws PlatenError start/in-use, file/denied
 */
export function lockFolder(folder: string, name: string, program: string): FolderLock {
  const file = join(folder, name);
  const own: Holder = { pid: process.pid, start: processStart(process.pid) ?? '', program };
  for (let tried = 1; ; tried += 1) {
    try {
      writeWholeSync(file, JSON.stringify(own), { exclusive: true });
      break;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EACCES' || code === 'EPERM') throw deniedError(file, error);
      if (code !== 'EEXIST' || tried >= TRIES_MAX) throw error;
    }
    const found = read(file);
    if (!found) continue;
    if (found.holder && holds(found.holder)) {
      throw inUse(folder, found.holder);
    }
    // Moved aside before it is removed: if another process took the lock since it was read, it gets it back.
    const aside = `${file}.${process.pid}.old`;
    try {
      renameSync(file, aside);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
      throw error;
    }
    if (readFileSync(aside, 'utf8') !== found.text) renameSync(aside, file);
    else rmSync(aside, { force: true });
  }
  return {
    tell: (addresses) => writeWholeSync(file, JSON.stringify({ ...own, addresses })),
    release: () => {
      if (read(file)?.holder?.pid === process.pid) rmSync(file, { force: true });
    },
  };
}
