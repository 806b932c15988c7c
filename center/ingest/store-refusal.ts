/**
 * What the database refuses for its content alone. The schemas and `storable.ts` leave nothing of the kind that anybody
 * knows of; should something come through, its printer must be told, or it sends the same for ever.
 */
import { PlatenError, reasonOf } from '../../schemas/errors.ts';

/** Data that the server can't read or hold (22), or that is too large for it whatever else there is (54). */
const CONTENT = /^(22|54)...$/;
/** In class 22, but of the server's own state: a sequence came to its end. */
const SEQUENCE_ENDED = '2200H';
const REASON_CHARACTERS_MAX = 500;
const NOT_NULL = '23502';
/** A CHECK constraint; without the name of one it says that a partition is missing, which is nobody's content. */
const CHECK = '23514';

/** Whether an error is about what was written and nothing else. Keys of other rows (23503, 23505) may change. */
function isOfContent(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { code, constraint } = error as { code?: unknown; constraint?: unknown };
  if (typeof code !== 'string' || code === SEQUENCE_ENDED) return false;
  return CONTENT.test(code) || code === NOT_NULL || (code === CHECK && typeof constraint === 'string');
}

/** What a message that was written alone fails with: payload/not-storable for its content, else the error itself. */
export function refusalOf(error: unknown): unknown {
  if (!isOfContent(error)) return error;
  // Its words may repeat what it was given.
  const reason = reasonOf(error).slice(0, REASON_CHARACTERS_MAX);
  return new PlatenError('payload/not-storable', { reason }, { cause: error });
}
