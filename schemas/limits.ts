/** Limits of everything that is read as JSON. */

/**
 * Objects and arrays within one another. What is nested deeper can be parsed, but neither written again nor stored: both
 * recurse, and of many messages that are stored together one such would fail all.
 */
export const NESTING_LEVELS_MAX = 2_000;
