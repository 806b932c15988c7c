import { CENTER_LIMITS } from '../limits.ts';
import type { PageRequest } from '../queries.ts';

/** The page that a request asks for, with the contract's default. */
export function pageOf(params: { limit?: number; cursor?: string }): PageRequest {
  return {
    limit: Math.min(params.limit ?? CENTER_LIMITS.page_default, CENTER_LIMITS.page_max),
    cursor: params.cursor,
  };
}
