/**
 * Sets of indices as runs: the first and last of each, ascending and disjoint. Ranges of versions are nearly always one
 * run.
 */
export type Span = readonly number[];

export const NOTHING: Span = [];

/** Up to this many runs are scanned; more are searched by bisection. */
const LINEAR_RUNS_MAX = 8;

export function spanHas(span: Span, index: number): boolean {
  if (span.length <= LINEAR_RUNS_MAX) {
    for (let i = 0; i < span.length; i += 2) if (index >= span[i]! && index <= span[i + 1]!) return true;
    return false;
  }
  let low = 0;
  let high = span.length / 2 - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (index < span[2 * middle]!) high = middle - 1;
    else if (index > span[2 * middle + 1]!) low = middle + 1;
    else return true;
  }
  return false;
}

/** Whether any index below `end` is in the span. */
export function spanStartsBefore(span: Span, end: number): boolean {
  return span.length > 0 && span[0]! < end;
}

/** The indices below `count` that pass the test. */
export function spanWhere(count: number, test: (index: number) => boolean): Span {
  const span: number[] = [];
  for (let i = 0; i < count; i++) {
    if (!test(i)) continue;
    const first = i;
    while (i + 1 < count && test(i + 1)) i++;
    span.push(first, i);
  }
  return span;
}

/** The indices below `count` that are not in the span. */
export function complement(span: Span, count: number): Span {
  const others: number[] = [];
  let next = 0;
  for (let i = 0; i < span.length; i += 2) {
    if (span[i]! > next) others.push(next, span[i]! - 1);
    next = span[i + 1]! + 1;
  }
  if (next < count) others.push(next, count - 1);
  return others;
}

/** All indices below `count`. */
export function wholeSpan(count: number): Span {
  return count === 0 ? NOTHING : [0, count - 1];
}

/** Joins runs that overlap or are adjacent; `runs` in any order. */
export function joinRuns(runs: readonly number[]): Span {
  if (runs.length <= 2) return runs;
  const order = Array.from({ length: runs.length / 2 }, (_, i) => i).sort(
    (a, b) => runs[2 * a]! - runs[2 * b]!,
  );
  const span: number[] = [];
  for (const i of order) {
    const first = runs[2 * i]!;
    const last = runs[2 * i + 1]!;
    const end = span.at(-1);
    if (end !== undefined && first <= end + 1) span[span.length - 1] = Math.max(end, last);
    else span.push(first, last);
  }
  return span;
}
