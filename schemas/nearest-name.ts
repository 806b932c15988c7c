/**
 * Finds the known name nearest to a mistyped one, by edit distance.
 */

/** Longer names are compared by their beginning only, so that a hostile name costs little. */
const COMPARED_CHARACTERS_MAX = 64;
/** Longer paths are cut in messages. */
const PATH_CHARACTERS_MAX = 256;
/** Most names suggested for an unknown one. */
const SUGGESTIONS_MAX = 3;

/** The largest accepted distance: one for a short name, up to three for a long one. */
function slipsAllowed(name: string): number {
  return Math.min(3, Math.max(1, Math.floor(name.length / 3)));
}

/**
 * The edit distance of two names: letters missing, added, changed, or swapped with their neighbour
 * (Damerau-Levenshtein, optimal string alignment). Distances above `limit` are returned as `limit + 1`.
 */
export function slipsBetween(left: string, right: string, limit: number): number {
  if (Math.abs(left.length - right.length) > limit) return limit + 1;
  let beforeLast: number[] = [];
  let last = Array.from({ length: right.length + 1 }, (_, column) => column);
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row];
    let least = row;
    for (let column = 1; column <= right.length; column += 1) {
      const same = left[row - 1] === right[column - 1];
      let slips = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      );
      if (
        row > 1 &&
        column > 1 &&
        left[row - 1] === right[column - 2] &&
        left[row - 2] === right[column - 1]
      ) {
        slips = Math.min(slips, (beforeLast[column - 2] ?? 0) + 1);
      }
      current.push(slips);
      least = Math.min(least, slips);
    }
    if (least > limit) return limit + 1;
    beforeLast = last;
    last = current;
  }
  return Math.min(last[right.length] ?? 0, limit + 1);
}

function comparable(name: string): string {
  return name.slice(0, COMPARED_CHARACTERS_MAX).toLowerCase();
}

/**
 * The known names nearest to an unknown one, nearest first; none when all are too far. Names two edits further than the
 * nearest are left out.
 */
export function nearestNames(name: string, known: Iterable<string>): string[] {
  const wanted = comparable(name);
  const limit = slipsAllowed(wanted);
  const found: { candidate: string; slips: number }[] = [];
  for (const candidate of known) {
    if (candidate === name) continue;
    const slips = slipsBetween(wanted, comparable(candidate), limit);
    if (slips <= limit) found.push({ candidate, slips });
  }
  const least = found.reduce((min, { slips }) => Math.min(min, slips), limit);
  return found
    .filter(({ slips }) => slips <= least + 1)
    .sort((a, b) => a.slips - b.slips || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, SUGGESTIONS_MAX)
    .map(({ candidate }) => candidate);
}

/** The known name nearest to an unknown one. */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  return nearestNames(name, known)[0];
}

/** `; did you mean "filter"?`, to append to a message; empty when nothing is near. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const [first, ...more] = nearestNames(name, known);
  if (first === undefined) return '';
  return `; did you mean ${[first, ...more].map((each) => `"${each}"`).join(' or ')}?`;
}

function shown(text: string, charactersMax: number): string {
  return text.length <= charactersMax ? text : `${text.slice(0, charactersMax)}…`;
}

/** The message about an unknown member. */
export function unknownMember(member: string, path: string, known: Iterable<string>): string {
  const place = path === '' ? '/' : shown(path, PATH_CHARACTERS_MAX);
  return `unknown member ${JSON.stringify(shown(member, COMPARED_CHARACTERS_MAX))} in ${place}${didYouMean(member, known)}`;
}
