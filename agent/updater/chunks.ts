/**
 * Fallback when the repository can't be reached over HTTP: the same requests as `ask/chunk` over the printer's MQTT
 * session, with a window of pieces in flight. The bytes are verified like any others.
 */
import { CHUNK_BYTES, CHUNKS_WINDOW } from './limits.ts';

/** Asks the center; rejects when it refuses or doesn't answer. */
export type Ask = (method: string, params: object) => Promise<object>;

interface Chunk {
  offset: number;
  size: number;
  bytes: string;
}

function isNotFound(error: unknown): boolean {
  return /request\/not-found/.test(error instanceof Error ? error.message : '');
}

/**
 * A `fetch` for addresses below `repository`: GET, with `Range: bytes=N-`, and `signal`.
 * Rejects like fetch when the center doesn't answer.
 */
export function fetchOverAsk(ask: Ask, repository: string): typeof fetch {
  return async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const path = decodeURIComponent(url.href.slice(repository.length).replace(/\?.*$/, ''));
    const range = new Headers(init?.headers).get('range');
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    const get = async (offset: number) => {
      init?.signal?.throwIfAborted();
      return (await ask('chunk', { path, offset, length: CHUNK_BYTES })) as Chunk;
    };
    let first: Chunk;
    try {
      first = await get(from);
    } catch (error) {
      if (isNotFound(error)) return new Response(null, { status: 404 });
      throw error;
    }
    const { size } = first;
    if (from > 0 && from >= size) return new Response(null, { status: 416 });
    // Pieces in flight, in file order.
    const window: Promise<Chunk>[] = [Promise.resolve(first)];
    let next = from + CHUNK_BYTES;
    const body = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          while (window.length < CHUNKS_WINDOW && next < size) {
            const piece = get(next);
            // A failure is handled when the piece's turn comes.
            piece.catch(() => {});
            window.push(piece);
            next += CHUNK_BYTES;
          }
          const piece = await window.shift();
          if (piece && piece.bytes !== '') controller.enqueue(Buffer.from(piece.bytes, 'base64'));
          if (window.length === 0 && next >= size) controller.close();
        },
      },
      { highWaterMark: 0 },
    );
    return new Response(body, {
      status: from > 0 ? 206 : 200,
      headers: from > 0 ? { 'content-range': `bytes ${from}-${size - 1}/${size}` } : {},
    });
  };
}
