/**
 * Pieces of the repository for printers that can't reach it over HTTP: `ask/chunk` `{path, offset, length}`, answered
 * with `{offset, size, bytes}` (base64). A printer asks for the next piece when it has room: it keeps the window.
 */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { CHUNK_BYTES_MAX } from '../center/update/limits.ts';
import { PlatenError } from '../schemas/errors.ts';

const METADATA = /^metadata\/[A-Za-z0-9][A-Za-z0-9._%-]{0,200}\.json$/;
const IMAGE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}\/[A-Za-z0-9][A-Za-z0-9._+~-]{0,220}\.bin$/;

/**
 * Reads a piece of a file of the repository in `dir`: at most 48 KiB, which are 64 KiB in base64.
 * @throws PlatenError request/invalid, request/not-found
 */
export async function readChunk(
  dir: string,
  params: Record<string, unknown>,
): Promise<{ offset: number; size: number; bytes: string }> {
  const { path, offset = 0, length = CHUNK_BYTES_MAX } = params;
  if (typeof path !== 'string' || !(METADATA.test(path) || IMAGE.test(path))) {
    throw new PlatenError('request/invalid', { reason: '/path names no file of the repository' });
  }
  const whole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
  if (!whole(offset) || !whole(length) || length > CHUNK_BYTES_MAX) {
    throw new PlatenError('request/invalid', {
      reason: `/offset and /length are whole numbers, length at most ${CHUNK_BYTES_MAX}`,
    });
  }
  try {
    const file = await open(join(dir, path));
    try {
      const { size } = await file.stat();
      const buffer = Buffer.alloc(Math.max(0, Math.min(length, size - offset)));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
      return { offset, size, bytes: buffer.subarray(0, bytesRead).toString('base64') };
    } finally {
      await file.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new PlatenError('request/not-found', { kind: 'file', id: path });
    }
    throw error;
  }
}
