/**
 * A sighting: what one rule keeps of one log entry. Everything a rule needs to know of the entry is worked out when
 * it arrives, so that judging it again after a late entry costs no matching.
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

/** Set in the mask of what a reading shows, above all inner `where`s: conditions that count entries don't take it. */
export const OF_READING = 1 << 30;

/** The log that a sighting is of; of a reading its session. */
export function logOf({ log, mask, values }: Sighting): string {
  return (mask & OF_READING) === 0 ? log : (values[1] ?? '');
}

/** The one order in which entries are judged: event time, then printer, log and seq. */
export function compareSightings(left: Sighting, right: Sighting): number {
  if (left.at !== right.at) return left.at - right.at;
  if (left.printer !== right.printer) return left.printer < right.printer ? -1 : 1;
  if (left.log !== right.log) return left.log < right.log ? -1 : 1;
  if (left.seq !== right.seq) return left.seq - right.seq;
  return left.rule - right.rule;
}

/**
 * The list with one more at its end. Short lists are made anew, exactly as long as they are: the runtime gives a list
 * that grows room for 17 more, and most keys are seen a few times only. Use what is returned.
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
