/**
 * The cursor of one log memory of one printer: which entries are stored, which are lost, and up to where no gap is
 * open. Pure: no I/O, no clock.
 */

/** Inclusive bounds. */
export type SeqRange = readonly [from: number, to: number];

export interface LogCursor {
  /** The oldest entry that the printer says it still has. */
  first: number;
  /** Everything up to here is stored or known lost. */
  upTo: number;
  /** How many of those are lost. */
  lost: number;
  /** Stored ranges: ascending and disjoint. */
  received: SeqRange[];
}

/** Gaps kept open per log memory; above it the oldest is given up and its entries count as stored. */
export const OPEN_GAPS_MAX = 64;

export function emptyCursor(): LogCursor {
  return { first: 1, upTo: 0, lost: 0, received: [] };
}

/** Whether entry `seq` is stored already. */
export function isReceived(cursor: LogCursor, seq: number): boolean {
  const { received } = cursor;
  // The newest range nearly always has the answer.
  for (let index = received.length - 1; index >= 0; index -= 1) {
    const [from, to] = received[index] as SeqRange;
    if (seq > to) return false;
    if (seq >= from) return true;
  }
  return false;
}

function add(ranges: SeqRange[], seq: number): SeqRange[] {
  const last = ranges[ranges.length - 1];
  if (!last || seq > last[1] + 1) return [...ranges, [seq, seq]];
  if (seq === last[1] + 1) return [...ranges.slice(0, -1), [last[0], seq]];
  const result: SeqRange[] = [];
  let from = seq;
  let to = seq;
  let placed = false;
  for (const range of ranges) {
    if (range[1] < from - 1) {
      result.push(range);
    } else if (range[0] > to + 1) {
      if (!placed) result.push([from, to]);
      placed = true;
      result.push(range);
    } else {
      from = Math.min(from, range[0]);
      to = Math.max(to, range[1]);
    }
  }
  if (!placed) result.push([from, to]);
  return result;
}

/** Closes the oldest gaps until few enough are open. */
function bounded(ranges: SeqRange[]): SeqRange[] {
  const excess = ranges.length - 1 - OPEN_GAPS_MAX;
  if (excess <= 0) return ranges;
  const first = ranges[0] as SeqRange;
  const joined = ranges[excess] as SeqRange;
  return [[first[0], joined[1]], ...ranges.slice(excess + 1)];
}

function reach(first: number, ranges: SeqRange[]): { upTo: number; stored: number } {
  let upTo = first - 1;
  let stored = 0;
  for (const [from, to] of ranges) {
    if (from > upTo + 1) break;
    upTo = Math.max(upTo, to);
    stored += to - from + 1;
  }
  return { upTo, stored };
}

/** The part of an entry that the cursor needs. */
export interface Numbered {
  readonly seq: number;
}

/**
 * The common case: the batch directly follows what is stored, and nothing is lost or open. Then the cursor is advanced
 * in place and the whole batch is new; otherwise nothing changes and the result is false.
 */
export function append(cursor: LogCursor, first: number, entries: readonly Numbered[]): boolean {
  const { received } = cursor;
  const only = received[0];
  if (!only || received.length > 1 || only[1] !== cursor.upTo) return false;
  if (first > cursor.first || entries.length === 0) return false;
  let last = only[1];
  for (const { seq } of entries) {
    if (seq !== last + 1) return false;
    last = seq;
  }
  cursor.upTo = last;
  received[0] = [only[0], last];
  return true;
}

/**
 * Takes a batch: `first` is the oldest entry still in the printer's memory, `entries` is its content. Returns the new
 * cursor and the entries that are new, in order. The given cursor is not changed.
 *
 * A batch whose `first` is above one of its entries contradicts itself. The entry wins, so that a wrong `first` alone
 * cannot declare lost what may still come.
 */
export function takeBatch<T extends Numbered>(
  cursor: LogCursor,
  first: number,
  entries: readonly T[],
): { cursor: LogCursor; fresh: readonly T[] } {
  let received = cursor.received;
  let oldest = first;
  const fresh: T[] = [];
  for (const entry of entries) {
    const { seq } = entry;
    if (seq < oldest) oldest = seq;
    if (isReceived({ ...cursor, received }, seq)) continue;
    received = add(received, seq);
    fresh.push(entry);
  }
  received = bounded(received);
  const known = Math.max(cursor.first, oldest);
  const { upTo, stored } = reach(known, received);
  return {
    cursor: { first: known, upTo: Math.max(cursor.upTo, upTo), lost: Math.max(0, upTo - stored), received },
    fresh,
  };
}

/** The first gap that can still be filled: entries neither received nor lost, with later ones received. */
export function openGap(cursor: LogCursor): { from: number; to: number } | undefined {
  for (const [from] of cursor.received) {
    if (from > cursor.upTo + 1) return { from: cursor.upTo + 1, to: from - 1 };
  }
  return undefined;
}

/** Formats ranges as a Postgres int8multirange. */
export function rangesToSql(ranges: readonly SeqRange[]): string {
  return `{${ranges.map(([from, to]) => `[${from},${to + 1})`).join(',')}}`;
}

/** Parses a Postgres int8multirange. */
export function rangesFromSql(text: string): SeqRange[] {
  const result: SeqRange[] = [];
  for (const match of text.matchAll(/\[(\d+),(\d+)\)/g))
    result.push([Number(match[1]), Number(match[2]) - 1]);
  return result;
}
