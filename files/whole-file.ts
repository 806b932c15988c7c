/**
 * Small files that must survive a crash or a power cut. They are written to a temporary file, synced, renamed over the
 * old one, and the folder is synced: afterwards there is the old file or the new one, whole. Reading says what to do
 * when a file is damaged all the same (a disk that lost what it promised, a copy that stopped half-way).
 */
import {
  closeSync,
  fchownSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { link, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname } from 'node:path';
import { PlatenError, reasonOf } from '../schemas/errors.ts';

export interface WriteOptions {
  /** Default: for its owner only. */
  mode?: number;
  /**
   * False: a power cut may leave the file empty (a crash doesn't). For files that are written often and can be
   * recreated.
   */
  synced?: boolean;
  /** Fails with EEXIST when the file is there already, instead of replacing it. */
  exclusive?: boolean;
}

/** Temporary names differ, so that two writers of one file never mix their bytes. */
let writes = 0;
function temporaryName(file: string): string {
  writes += 1;
  return `${file}.${process.pid}-${writes}.new`;
}

/** What root writes into somebody's folder must belong to them, or they could not read it at their next start. */
function ownerToKeep({ uid, gid }: { uid: number; gid: number }): { uid: number; gid: number } | undefined {
  return process.getuid?.() === 0 && uid !== 0 ? { uid, gid } : undefined;
}

/** Writes `content` as the whole of `file`; its folder is made where it is missing. Returns when it is on disk. */
export function writeWholeSync(
  file: string,
  content: string | Uint8Array,
  { mode = 0o600, synced = true, exclusive = false }: WriteOptions = {},
): void {
  const folder = dirname(file);
  mkdirSync(folder, { recursive: true });
  const temporary = temporaryName(file);
  try {
    const handle = openSync(temporary, 'wx', mode);
    try {
      const owner = ownerToKeep(statSync(folder));
      if (owner) fchownSync(handle, owner.uid, owner.gid);
      writeFileSync(handle, content);
      if (synced) fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    if (exclusive) linkSync(temporary, file);
    else renameSync(temporary, file);
  } finally {
    // Gone already after a rename.
    rmSync(temporary, { force: true });
  }
  if (synced) syncFolder(folder);
}

/** Makes the names in a folder durable: syncing a file alone does not (fsync(2)). */
export function syncFolder(folder: string): void {
  const names = openSync(folder, 'r');
  try {
    fsyncSync(names);
  } finally {
    closeSync(names);
  }
}

/** As `writeWholeSync`, without holding the event loop while the disk works. */
export async function writeWhole(
  file: string,
  content: string | Uint8Array,
  { mode = 0o600, synced = true, exclusive = false }: WriteOptions = {},
): Promise<void> {
  const folder = dirname(file);
  await mkdir(folder, { recursive: true });
  const temporary = temporaryName(file);
  try {
    const handle = await open(temporary, 'wx', mode);
    try {
      const owner = ownerToKeep(await stat(folder));
      if (owner) await handle.chown(owner.uid, owner.gid);
      await handle.writeFile(content);
      if (synced) await handle.sync();
    } finally {
      await handle.close();
    }
    if (exclusive) await link(temporary, file);
    else await rename(temporary, file);
  } finally {
    await rm(temporary, { force: true });
  }
  if (!synced) return;
  const names = await open(folder, 'r');
  try {
    await names.sync();
  } finally {
    await names.close();
  }
}

/** Why a text can't be a complete file of ours; undefined when nothing is obviously wrong. */
function faultOf(text: string): string | undefined {
  if (text.trim() === '') return 'it is empty, as after a power cut';
  if (/^\0+$/.test(text)) return 'it holds nothing but zeros, as after a power cut';
  return undefined;
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    if (code === 'EACCES' || code === 'EPERM') throw deniedError(file, error);
    throw new PlatenError(
      'file/damaged',
      { file, reason: reasonOf(error), hint: 'Look at the disk that it is on.' },
      { cause: error },
    );
  }
}

/** The error for a file that this user may not use: names its owner and the command that fixes it. */
export function deniedError(file: string, cause: unknown): PlatenError {
  const { username, uid } = userInfo();
  let owner = 'another user';
  try {
    owner = `the user with the id ${statSync(file).uid}`;
  } catch {
    // Its folder is not accessible: nothing more is known.
  }
  return new PlatenError(
    'file/denied',
    { file, owner, user: uid < 0 ? 'this user' : username, folder: dirname(file) },
    { cause },
  );
}

/**
 * Reads a small JSON file; undefined when there is none.
 * @param hint what to do when it is damaged, in a sentence
 * @throws PlatenError file/damaged, file/denied
 */
export function readWholeJson(file: string, hint: string): unknown {
  const text = readText(file);
  if (text === undefined) return undefined;
  try {
    const fault = faultOf(text);
    if (fault !== undefined) throw new Error(fault);
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new PlatenError('file/damaged', { file, reason: reasonOf(error), hint }, { cause: error });
  }
}

/**
 * Reads a file of keys or certificates; undefined when there is none.
 * @param hint what to do when it is damaged, in a sentence
 * @throws PlatenError file/damaged, file/denied
 */
export function readWholePem(file: string, hint: string): string | undefined {
  const text = readText(file);
  if (text === undefined) return undefined;
  const fault =
    faultOf(text) ??
    (/-----BEGIN ([A-Z0-9 ]+)-----[\s\S]+-----END \1-----/.test(text)
      ? undefined
      : 'it does not hold a whole key or certificate');
  if (fault !== undefined) throw new PlatenError('file/damaged', { file, reason: fault, hint });
  return text;
}
