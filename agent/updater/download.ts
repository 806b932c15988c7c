/**
 * Downloads one image over HTTP: resumes where it broke off (RFC 9110, 14), verifies length and SHA-256, and never
 * reads more bytes than were signed. With a folder it survives a restart of the agent; without one (a
 * simulated printer) the bytes are only hashed, and it resumes while the process lives.
 */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { PlatenError, reasonOf } from '../../schemas/errors.ts';
import {
  DOWNLOAD_BYTES_PER_S_MIN,
  DOWNLOAD_IDLE_MS,
  DOWNLOAD_RETRY_MS,
  DOWNLOAD_RETRY_MS_MAX,
  DOWNLOAD_SLOW_MS,
  DOWNLOAD_TRIES_MAX,
} from './limits.ts';

export interface Wanted {
  /** TUF target path. */
  target: string;
  /** Bytes, as signed. */
  length: number;
  sha256: string;
}

export interface DownloadOptions {
  /** Base address with a slash at its end; the target's path follows it. */
  repository: string;
  /** Where images are kept; undefined: nowhere. */
  folder?: string;
  signal: AbortSignal;
  progress(bytes: number): void;
  /** From 0 to 1. */
  random(): number;
  /** Resolves after this many ms, or at once when aborted. */
  wait(ms: number): Promise<void>;
  /** A way to get bytes when HTTP can't be used; see chunks.ts. */
  fetchImpl?: typeof fetch;
  /** Window over which the speed is measured, in ms. */
  slowMs?: number;
}

/** The part of an image that is already there. */
interface Partial {
  bytes: number;
  hash: Hash;
  write(chunk: Uint8Array): Promise<void>;
  restart(): Promise<void>;
  /** Closes it; `whole` when it is all there and right. @returns its file, if it has one */
  close(whole: boolean): Promise<string | undefined>;
}

function inMemory(): Partial {
  const partial: Partial = {
    bytes: 0,
    hash: createHash('sha256'),
    write: async (chunk) => {
      partial.hash.update(chunk);
      partial.bytes += chunk.length;
    },
    restart: async () => {
      partial.bytes = 0;
      partial.hash = createHash('sha256');
    },
    close: async () => undefined,
  };
  return partial;
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}

/**
 * Whether the image at `file` is the wanted one. Hashes it again, because a disk may have lost a bit since it was checked.
 */
export async function isWhole(file: string, { sha256, length }: Wanted): Promise<boolean> {
  if ((await sizeOf(file)) !== length) return false;
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) hash.update(chunk);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
  return hash.digest('hex') === sha256;
}

async function onDisk(folder: string, { sha256, length }: Wanted): Promise<Partial> {
  await mkdir(folder, { recursive: true });
  const file = join(folder, `${sha256}.part`);
  const size = await sizeOf(file);
  let handle: FileHandle = await open(file, size > length ? 'w' : 'a');
  const partial: Partial = {
    bytes: 0,
    hash: createHash('sha256'),
    write: async (chunk) => {
      await handle.appendFile(chunk);
      partial.hash.update(chunk);
      partial.bytes += chunk.length;
    },
    restart: async () => {
      await handle.truncate(0);
      partial.bytes = 0;
      partial.hash = createHash('sha256');
    },
    close: async (whole) => {
      if (whole) await handle.sync();
      await handle.close();
      if (!whole) return undefined;
      const final = join(folder, sha256);
      await rename(file, final);
      return final;
    },
  };
  if (size > 0 && size <= length) {
    for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
      partial.hash.update(chunk);
      partial.bytes += chunk.length;
    }
    // What came after the length was taken is cut off when appending begins at the right place.
    if (partial.bytes !== size) {
      await handle.close();
      handle = await open(file, 'w');
      await partial.restart();
    }
  }
  return partial;
}

/** Bytes arrive, but too slowly to ever finish. */
class TooSlow extends Error {}

/** An answer that means: not now, or not here. */
class NotNow extends Error {
  readonly afterMs: number | undefined;
  constructor(message: string, afterMs?: number) {
    super(message);
    this.afterMs = afterMs;
  }
}

function retryAfterMs(header: string | null): number | undefined {
  const seconds = Number(header);
  return header !== null && Number.isFinite(seconds)
    ? Math.min(seconds * 1000, DOWNLOAD_RETRY_MS_MAX)
    : undefined;
}

/** One request: appends the bytes that arrive. Resolves when the response ends. */
async function pull(partial: Partial, wanted: Wanted, options: DownloadOptions): Promise<void> {
  const { target, length } = wanted;
  const idle = new AbortController();
  const silent = () => idle.abort(new Error(`nothing came for ${DOWNLOAD_IDLE_MS / 1_000} s`));
  let timer = setTimeout(silent, DOWNLOAD_IDLE_MS);
  const slowMs = options.slowMs ?? DOWNLOAD_SLOW_MS;
  let measured = 0;
  const pace = setInterval(() => {
    if (measured < (DOWNLOAD_BYTES_PER_S_MIN * slowMs) / 1_000) {
      idle.abort(new TooSlow(`the repository sent ${measured} bytes in ${slowMs / 1_000} s`));
    }
    measured = 0;
  }, slowMs);
  try {
    const url = new URL(target.split('/').map(encodeURIComponent).join('/'), options.repository);
    const response = await (options.fetchImpl ?? fetch)(url, {
      headers: partial.bytes > 0 ? { range: `bytes=${partial.bytes}-` } : {},
      signal: AbortSignal.any([options.signal, idle.signal]),
    });
    const body = response.body;
    if (response.status === 416) {
      await body?.cancel();
      await partial.restart();
      throw new NotNow('the repository has fewer bytes than were downloaded');
    }
    if (response.status !== 200 && response.status !== 206) {
      await body?.cancel();
      throw new NotNow(
        `the repository answered ${response.status}`,
        retryAfterMs(response.headers.get('retry-after')),
      );
    }
    if (response.status === 200) {
      const said = response.headers.get('content-range');
      const asked = partial.bytes;
      if (asked > 0) await partial.restart();
      // A proxy turned 206 into 200: appended to nothing, the part would be another image.
      if (said !== null && !/^bytes 0-/.test(said)) {
        await body?.cancel();
        throw new NotNow(`the repository answered 200 with a part (${said}) to a request from byte ${asked}`);
      }
    } else {
      const range = /^bytes (\d+)-\d*\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
      if (Number(range?.[1] ?? -1) !== partial.bytes) {
        await body?.cancel();
        await partial.restart();
        throw new NotNow('the repository answered with another range');
      }
    }
    if (!body) throw new NotNow('the answer has no body');
    const reader = body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(silent, DOWNLOAD_IDLE_MS);
      measured += value.length;
      if (partial.bytes + value.length > length) {
        await reader.cancel();
        await partial.restart();
        throw new PlatenError('update/too-long', { target, length });
      }
      await partial.write(value);
      options.progress(partial.bytes);
    }
  } finally {
    clearTimeout(timer);
    clearInterval(pace);
  }
}

/**
 * Downloads and checks an image.
 * @returns the file that holds it; undefined without a folder
 * @throws PlatenError update/unreachable, update/no-space (both worth another try later), update/too-long,
 *   update/too-short, update/bad-hash; whatever `signal` was aborted with
 */
export async function download(wanted: Wanted, options: DownloadOptions): Promise<string | undefined> {
  const { target, length, sha256 } = wanted;
  const { folder, signal } = options;
  if (folder) {
    const known = join(folder, sha256);
    if (await isWhole(known, wanted)) return known;
    await rm(known, { force: true });
  }
  const partial = folder ? await onDisk(folder, wanted) : inMemory();
  let closed = false;
  try {
    let fromZero = partial.bytes === 0;
    // Progress is measured against the best so far: responses that restart each time bring bytes but no progress.
    let best = partial.bytes;
    for (let idle = 0; ; ) {
      let trouble: { reason: string; afterMs?: number; short?: boolean; slow?: boolean } | undefined;
      if (partial.bytes < length || (length === 0 && fromZero)) {
        try {
          await pull(partial, wanted, options);
          if (partial.bytes < length) trouble = { reason: 'the answer ended early', short: true };
        } catch (error) {
          signal.throwIfAborted();
          if (error instanceof PlatenError) throw error;
          if ((error as NodeJS.ErrnoException).code === 'ENOSPC') {
            throw new PlatenError('update/no-space', { target, reason: reasonOf(error) }, { cause: error });
          }
          const cause = error instanceof Error && error.cause ? `: ${reasonOf(error.cause)}` : '';
          trouble = {
            reason: `${reasonOf(error)}${cause}`,
            afterMs: error instanceof NotNow ? error.afterMs : undefined,
            slow: error instanceof TooSlow,
          };
        }
      }
      if (!trouble) {
        const actual = partial.hash.copy().digest('hex');
        if (actual === sha256) break;
        await partial.restart();
        // A part kept from an earlier try may be corrupt: try once more from the first byte.
        if (fromZero) throw new PlatenError('update/bad-hash', { target, actual, expected: sha256 });
        fromZero = true;
        best = 0;
        continue;
      }
      idle = partial.bytes > best && !trouble.slow ? 0 : idle + 1;
      best = Math.max(best, partial.bytes);
      if (idle >= DOWNLOAD_TRIES_MAX) {
        if (trouble.short)
          throw new PlatenError('update/too-short', { target, bytes: partial.bytes, length });
        throw new PlatenError('update/unreachable', { target, reason: trouble.reason });
      }
      const jitter = options.random() * Math.min(DOWNLOAD_RETRY_MS_MAX, DOWNLOAD_RETRY_MS * 2 ** idle);
      await options.wait(Math.max(trouble.afterMs ?? 0, jitter));
      signal.throwIfAborted();
    }
    closed = true;
    return await partial.close(true);
  } finally {
    if (!closed) await partial.close(false);
  }
}
