/**
 * Recognises content that the database refuses. The schemas and `storable.ts` should let none through; if some gets
 * through, its printer must be told, or it sends the same forever.
 */
import { PlatenError, reasonOf } from '../../schemas/errors.ts';

/** Data that the server can't read or hold (22), or that exceeds its limits (54). */
const CONTENT = /^(22|54)...$/;
/** In class 22, but a state of the server: a sequence is exhausted. */
const SEQUENCE_ENDED = '2200H';
const REASON_CHARACTERS_MAX = 500;
const NOT_NULL = '23502';
/** A CHECK constraint. Without a constraint name it means a missing partition, which is not the content's fault. */
const CHECK = '23514';

/** Whether an error depends only on what was written. Keys of other rows (23503, 23505) may change. */
function isOfContent(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { code, constraint } = error as { code?: unknown; constraint?: unknown };
  if (typeof code !== 'string' || code === SEQUENCE_ENDED) return false;
  return CONTENT.test(code) || code === NOT_NULL || (code === CHECK && typeof constraint === 'string');
}

/** The error of a message that was written alone: payload/not-storable for its content, else the error itself. */
export function refusalOf(error: unknown): unknown {
  if (!isOfContent(error)) return error;
  // The message may quote the content.
  const reason = reasonOf(error).slice(0, REASON_CHARACTERS_MAX);
  return new PlatenError('payload/not-storable', { reason }, { cause: error });
}
