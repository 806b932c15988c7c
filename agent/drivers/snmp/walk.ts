/**
 * Walks columns of tables with GETBULK, several at once. Requests get smaller when the printer can't answer them, and a
 * table that stops in the middle is marked as broken off.
 */
import type { SnmpAnswer, SnmpValue } from '../../mapping/snmp-answer.ts';
import { compareOids } from '../../mapping/snmp-answer.ts';
import { DRIVER_LIMITS } from '../limits.ts';

/** The requests that a walk needs from an SNMP session. Values are already converted. Missing objects are left out. */
export interface SnmpRequests {
  get(oids: string[]): Promise<[string, SnmpValue][]>;
  /**
   * GETBULK (GETNEXT on version 1): for the `nonRepeaters` first oids the next object, for the others the next
   * `repetitions` (or fewer, where the agent takes no more). One list an oid; a list that ends with undefined came to the
   * end of what the printer has; a hole in a column is a value of the type `null`.
   */
  bulk(
    oids: string[],
    nonRepeaters: number,
    repetitions: number,
  ): Promise<([string, SnmpValue] | undefined)[][]>;
}

/** The printer doesn't answer, as opposed to answering with an error. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

interface Cursor {
  column: string;
  entry: string;
  at: string;
  /** Requests in a row that brought nothing for it. */
  empty: number;
  rows: number;
  /** Rows that came before the one they followed. */
  backwards: number;
  seen: Set<string>;
}

function entryOf(column: string): string {
  return column.slice(0, column.lastIndexOf('.'));
}

/**
 * Reads `columns` (OIDs of table columns) into `answer`. A table that breaks off is listed in `answer.brokenOff` by its
 * entry OID, also when `timeIsUp` or a limit ends the walk. Rejects only when the very first request of `answer` goes
 * unanswered.
 */
export async function walkColumns(
  requests: SnmpRequests,
  columns: string[],
  answer: SnmpAnswer,
  timeIsUp: () => boolean = () => false,
): Promise<void> {
  let cursors: Cursor[] = columns.map((column) => ({
    column,
    entry: entryOf(column),
    at: column,
    empty: 0,
    rows: 0,
    backwards: 0,
    seen: new Set(),
  }));
  let together = columns.length;
  let repetitions: number = DRIVER_LIMITS.snmpRepetitionsMax;
  // UDP carries about 1,400 bytes, which is about 60 values; the printer cuts longer responses anyway.
  if (together * repetitions > 60) repetitions = Math.max(4, Math.floor(60 / together));
  let failures = 0;
  while (cursors.length > 0) {
    if (
      answer.size >= DRIVER_LIMITS.snmpValuesMax ||
      answer.bytes >= DRIVER_LIMITS.snmpBytesMax ||
      timeIsUp()
    ) {
      for (const cursor of cursors) answer.brokenOff.add(cursor.entry);
      return;
    }
    const asked = cursors.slice(0, together);
    let lists: ([string, SnmpValue] | undefined)[][];
    try {
      lists = await requests.bulk(
        asked.map((cursor) => cursor.at),
        0,
        repetitions,
      );
    } catch (error) {
      failures++;
      if (error instanceof NoAnswer && answer.size === 0 && failures > 1) throw error;
      // Old network cards drop responses that they can't build; many answer smaller requests.
      if (together > 1 || repetitions > 2) {
        together = 1;
        repetitions = Math.max(2, Math.floor(repetitions / 4));
        continue;
      }
      const broken = asked[0];
      if (broken) answer.brokenOff.add(broken.entry);
      cursors = cursors.slice(1);
      if (failures > 4) {
        for (const cursor of cursors) answer.brokenOff.add(cursor.entry);
        return;
      }
      continue;
    }
    const open: Cursor[] = [];
    asked.forEach((cursor, i) => {
      const next = take(cursor, lists[i] ?? [], answer);
      if (next) open.push(next);
    });
    cursors = [...open, ...cursors.slice(together)];
  }
}

/** Keeps values below the cursor's column. Returns the next cursor, or undefined when the column is complete. */
function take(
  cursor: Cursor,
  list: ([string, SnmpValue] | undefined)[],
  answer: SnmpAnswer,
): Cursor | undefined {
  let { at, rows, backwards } = cursor;
  for (const item of list) {
    if (!item?.[0].startsWith(`${cursor.column}.`)) return undefined;
    // Some agents sort rows newest first, or as text. A loop would never end.
    if (compareOids(item[0], at) <= 0) backwards++;
    if (
      cursor.seen.has(item[0]) ||
      backwards > DRIVER_LIMITS.snmpBackwardsMax ||
      rows >= DRIVER_LIMITS.snmpRowsMax
    ) {
      answer.brokenOff.add(cursor.entry);
      return undefined;
    }
    cursor.seen.add(item[0]);
    // A hole has a row but no value.
    if (item[1].type !== 'null') answer.set(item[0], item[1]);
    at = item[0];
    rows++;
  }
  if (at !== cursor.at) return { ...cursor, at, rows, backwards, empty: 0 };
  // The response was cut before this column: ask again, a bounded number of times.
  if (cursor.empty >= EMPTY_MAX) {
    answer.brokenOff.add(cursor.entry);
    return undefined;
  }
  return { ...cursor, empty: cursor.empty + 1 };
}

/** How often a column without values is asked for again. */
const EMPTY_MAX = 2;
