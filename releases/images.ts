/**
 * Serves release images over HTTP with Range (RFC 9110, 14). A campaign makes hundreds of printers fetch one image at
 * once, so images in demand are cached in memory, up to a limit, and written to each socket without copying.
 */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { IMAGE_CACHE_BYTES_MAX, IMAGE_CACHED_BYTES_MAX } from '../center/update/limits.ts';

interface Cached {
  bytes: Promise<Buffer>;
  size: number;
  mtimeMs: number;
}

/** The part of a file of `size` bytes that a Range header selects: a part, all of it, or nothing that exists. */
export function rangeOf(
  header: string | undefined,
  size: number,
): { from: number; to: number } | 'all' | 'unsatisfiable' {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  // No range, several, or one that we don't understand: a server may send the whole.
  if (!match || (match[1] === '' && match[2] === '')) return 'all';
  if (match[1] === '') {
    const last = Number(match[2]);
    return last === 0 ? 'unsatisfiable' : { from: Math.max(0, size - last), to: size };
  }
  const from = Number(match[1]);
  const to = match[2] === '' ? size : Math.min(size, Number(match[2]) + 1);
  if (match[2] !== '' && Number(match[2]) < from) return 'all';
  return from >= size ? 'unsatisfiable' : { from, to };
}

/**
 * Adds the route for images below `prefix`; files too large for the cache are left to the route of static files.
 * @param dir folder of the repository; `sendFile` of @fastify/static must serve it
 */
export function serveImages(app: FastifyInstance, dir: string, prefix: string): void {
  /** By path, least recently used first. */
  const cache = new Map<string, Cached>();
  let cachedBytes = 0;
  const drop = (path: string) => {
    const known = cache.get(path);
    if (known && cache.delete(path)) cachedBytes -= known.size;
  };
  const bytesOf = (path: string, size: number, mtimeMs: number): Promise<Buffer> => {
    const known = cache.get(path);
    if (known && known.size === size && known.mtimeMs === mtimeMs) {
      cache.delete(path);
      cache.set(path, known);
      return known.bytes;
    }
    drop(path);
    const bytes = readFile(join(dir, path));
    // A failure to read is not cached.
    bytes.catch(() => drop(path));
    cache.set(path, { bytes, size, mtimeMs });
    cachedBytes += size;
    for (const oldest of cache.keys()) {
      if (cachedBytes <= IMAGE_CACHE_BYTES_MAX) break;
      drop(oldest);
    }
    return bytes;
  };
  app.get<{ Params: { software: string; file: string } }>(
    `${prefix}:software/:file`,
    async (request, reply) => {
      const { software, file } = request.params;
      const path = `${software}/${file}`;
      const plain = /^[A-Za-z0-9][A-Za-z0-9._-]*\/[A-Za-z0-9][A-Za-z0-9._+~-]*\.bin$/.test(path);
      const found = plain ? await stat(join(dir, path)).catch(() => undefined) : undefined;
      if (!found?.isFile() || found.size > IMAGE_CACHED_BYTES_MAX) return reply.sendFile(path);
      const bytes = await bytesOf(path, found.size, found.mtimeMs);
      const etag = `"${found.size.toString(16)}-${Math.floor(found.mtimeMs).toString(16)}"`;
      const ifRange = request.headers['if-range'];
      const range =
        ifRange === undefined || ifRange === etag ? rangeOf(request.headers.range, bytes.length) : 'all';
      reply.header('accept-ranges', 'bytes').header('etag', etag).type('application/octet-stream');
      if (range === 'unsatisfiable') {
        return reply.code(416).header('content-range', `bytes */${bytes.length}`).send();
      }
      if (range === 'all') return reply.send(bytes);
      return reply
        .code(206)
        .header('content-range', `bytes ${range.from}-${range.to - 1}/${bytes.length}`)
        .send(bytes.subarray(range.from, range.to));
    },
  );
}
