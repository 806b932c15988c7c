/** Limits of all JSON input. */

/**
 * Nesting depth of objects and arrays. Deeper JSON can be parsed, but neither serialised nor stored, because both
 * recurse; and one such message would fail all messages of its batch.
 */
export const NESTING_LEVELS_MAX = 2_000;
