/** Limits of orders and campaigns. */

/** Transitions that are read and written in one statement. */
export const BATCH_TRANSITIONS_MAX = 500;
/** How often a transition is tried again when others changed the row meanwhile. */
export const TRANSITION_TRIES_MAX = 50;
/** Rows read at once when everything is gone through (start, pause, abort). */
export const PAGE_ROWS = 1000;
/** Jobs that are worked on at the same time; each mostly waits for its batch. */
export const JOBS_CONCURRENT_MAX = 256;
/** How long an order may take unless told otherwise. */
export const ORDER_MS_DEFAULT = 7 * 24 * 3_600_000;
/** How often what was published is noted, in ms. */
export const PUBLISHED_FLUSH_MS = 250;
