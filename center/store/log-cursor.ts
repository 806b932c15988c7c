/**
 * What is known of one log memory of one printer: which entries are stored, which are lost, and up to where nothing is
 * open. Pure: no I/O, no clock.
 */

/** Inclusive bounds. */
export type SeqRange = readonly [from: number, to: number];

export interface LogCursor {
  /** The oldest entry that the printer said it still had. */
  first: number;
  /** Everything up to here is stored or known lost. */
  upTo: number;
  /** How many of those are lost. */
  lost: number;
  /** What is stored: ascending, apart from one another. */
  received: SeqRange[];
}

/** Gaps kept open for one log memory; beyond it the oldest is given up, its entries counted as stored. */
export const OPEN_GAPS_MAX = 64;

export function emptyCursor(): LogCursor {
  return { first: 1, upTo: 0, lost: 0, received: [] };
}

/** Whether entry `seq` is stored already. */
export function isReceived(cursor: LogCursor, seq: number): boolean {
  const { received } = cursor;
  // The newest range answers nearly always.
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

/** What happens nearly always: the batch follows right behind what is stored, and nothing is lost or open. */
function appendBatch(
  cursor: LogCursor,
  first: number,
  seqs: readonly number[],
): { cursor: LogCursor; fresh: number[] } | undefined {
  const [only] = cursor.received;
  if (
    !only ||
    cursor.received.length > 1 ||
    only[1] !== cursor.upTo ||
    first > cursor.first ||
    seqs.length === 0
  ) {
    return undefined;
  }
  const fresh: number[] = [];
  let last = only[1];
  for (let index = 0; index < seqs.length; index += 1) {
    if (seqs[index] !== last + 1) return undefined;
    last += 1;
    fresh.push(index);
  }
  return {
    cursor: { first: cursor.first, upTo: last, lost: cursor.lost, received: [[only[0], last]] },
    fresh,
  };
}

/**
 * Takes a batch: `first` is the oldest entry still in the printer's memory, `seqs` the entries it carries. Gives the
 * new cursor and which of the entries are new, by their index. The given cursor is left as it was.
 */
export function takeBatch(
  cursor: LogCursor,
  first: number,
  seqs: readonly number[],
): { cursor: LogCursor; fresh: number[] } {
  const appended = appendBatch(cursor, first, seqs);
  if (appended) return appended;
  let received = cursor.received;
  const fresh: number[] = [];
  seqs.forEach((seq, index) => {
    if (isReceived({ ...cursor, received }, seq)) return;
    received = add(received, seq);
    fresh.push(index);
  });
  received = bounded(received);
  const known = Math.max(cursor.first, first);
  const { upTo, stored } = reach(known, received);
  return {
    cursor: { first: known, upTo: Math.max(cursor.upTo, upTo), lost: Math.max(0, upTo - stored), received },
    fresh,
  };
}

/** The first gap that can still be filled: entries that were neither received nor lost, though later ones came. */
export function openGap(cursor: LogCursor): { from: number; to: number } | undefined {
  for (const [from] of cursor.received) {
    if (from > cursor.upTo + 1) return { from: cursor.upTo + 1, to: from - 1 };
  }
  return undefined;
}

/** As Postgres writes an int8multirange. */
export function rangesToSql(ranges: readonly SeqRange[]): string {
  return `{${ranges.map(([from, to]) => `[${from},${to + 1})`).join(',')}}`;
}

/** Parses what Postgres writes. */
export function rangesFromSql(text: string): SeqRange[] {
  const result: SeqRange[] = [];
  for (const match of text.matchAll(/\[(\d+),(\d+)\)/g))
    result.push([Number(match[1]), Number(match[2]) - 1]);
  return result;
}
