/**
 * A sighting: what one rule keeps of one log entry. Everything the rule needs is computed on arrival, so that judging
 * again after a late entry needs no matching.
 */
export interface Sighting {
  /** Event time, ms since 1970. */
  at: number;
  printer: string;
  log: string;
  seq: number;
  code: string;
  /** Position of the rule in its group; breaks ties between sightings of one entry. */
  rule: number;
  /** The key within the rule (see `by`). */
  key: string;
  /** Bit i is set when the entry passed the rule's inner `where` number i. */
  mask: number;
  /** Life counter in pages, or -1. */
  pages: number;
  /** Values of the fields that the rule's `distinct` conditions count. */
  values: readonly (string | undefined)[];
}

/** Set in the mask of sightings from readings, above all inner `where`s: conditions that count entries ignore them. */
export const OF_READING = 1 << 30;

/** The log of a sighting; for a reading its session. */
export function logOf({ log, mask, values }: Sighting): string {
  return (mask & OF_READING) === 0 ? log : (values[1] ?? '');
}

/** The order in which entries are judged: event time, then printer, log and seq. */
export function compareSightings(left: Sighting, right: Sighting): number {
  if (left.at !== right.at) return left.at - right.at;
  if (left.printer !== right.printer) return left.printer < right.printer ? -1 : 1;
  if (left.log !== right.log) return left.log < right.log ? -1 : 1;
  if (left.seq !== right.seq) return left.seq - right.seq;
  return left.rule - right.rule;
}

/**
 * The list with one more item; use the returned list. Short lists are copied at their exact length: the runtime gives a
 * growing list room for 17 more items, and most keys are seen only a few times.
 */
export function grown<T>(list: readonly T[], item: T): T[] {
  const [a, b, c, d, e] = list as [T, T, T, T, T];
  switch (list.length) {
    case 0:
      return [item];
    case 1:
      return [a, item];
    case 2:
      return [a, b, item];
    case 3:
      return [a, b, c, item];
    case 4:
      return [a, b, c, d, item];
    case 5:
      return [a, b, c, d, e, item];
    default:
      (list as T[]).push(item);
      return list as T[];
  }
}
