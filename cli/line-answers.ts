/**
 * JSON lines in, JSON lines out, in input order and with bounded memory: each line is read, answered and written before
 * the next one.
 */
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { PlatenError, reasonOf } from '../schemas/errors.ts';

/** Longer lines are refused. */
const LINE_BYTES_MAX = 64 * 1024 * 1024;
/** Output is buffered up to this size. */
const WRITE_CHARACTERS = 64 * 1024;
const NEWLINE = 0x0a;

/** Non-empty lines of a file (`-`: standard input) with their numbers. */
export async function* readLines(file: string): AsyncGenerator<{ number: number; bytes: Buffer }> {
  const input: AsyncIterable<Buffer> = file === '-' ? process.stdin : createReadStream(file);
  let parts: Buffer[] = [];
  let size = 0;
  let number = 0;
  const take = (last: Buffer): Buffer => {
    const line = parts.length === 0 ? last : Buffer.concat([...parts, last]);
    parts = [];
    size = 0;
    return line;
  };
  for await (const chunk of input) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      number++;
      const bytes = take(chunk.subarray(start, end));
      start = end + 1;
      if (!isBlank(bytes)) yield { number, bytes };
    }
    const rest = chunk.subarray(start);
    size += rest.length;
    if (size > LINE_BYTES_MAX) {
      throw new PlatenError(
        'payload/too-large',
        { bytes: size, limit: LINE_BYTES_MAX },
        { cause: number + 1 },
      );
    }
    if (rest.length > 0) parts.push(rest);
  }
  const bytes = take(Buffer.alloc(0));
  if (!isBlank(bytes)) yield { number: number + 1, bytes };
}

const isBlank = (bytes: Buffer): boolean =>
  bytes.length < 64 && bytes.every((byte) => byte === 0x20 || byte === 0x0d || byte === 0x09);

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The JSON object of a line. @throws PlatenError payload/not-json */
export function parseObject(bytes: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(utf8.decode(bytes));
  } catch (error) {
    throw new PlatenError('payload/not-json', { reason: reasonOf(error) }, { cause: error });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new PlatenError('payload/not-json', { reason: 'an object is expected' });
  }
  return value as Record<string, unknown>;
}

/**
 * Writes an answer for every line of a file.
 * @throws Error with the line number of the first invalid line; earlier answers have been written
 */
export async function answerLines(file: string, answer: (bytes: Uint8Array) => object): Promise<void> {
  const out = process.stdout;
  let gathered = '';
  let closed = false;
  // The reader may close the pipe early (`| head`): not an error.
  out.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    closed = true;
  });
  const flush = async (): Promise<void> => {
    const text = gathered;
    gathered = '';
    if (text === '' || out.write(text) || closed) return;
    // Remove both listeners: a long file waits thousands of times.
    const waited = new AbortController();
    const { signal } = waited;
    await Promise.race([once(out, 'drain', { signal }), once(out, 'close', { signal })]).catch((error) => {
      if (!closed) throw error;
    });
    waited.abort();
  };
  try {
    for await (const { number, bytes } of readLines(file)) {
      if (closed) return;
      try {
        gathered += `${JSON.stringify(answer(bytes))}\n`;
      } catch (error) {
        const hint = error instanceof PlatenError ? `\n  ${error.hint}` : '';
        throw new Error(`${file}:${number}: ${reasonOf(error)}${hint}`, { cause: error });
      }
      if (gathered.length >= WRITE_CHARACTERS || file === '-') await flush();
    }
  } finally {
    await flush();
  }
}
