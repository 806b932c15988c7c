/**
 * Life counters that wrap (Counter32 ends at 2^32) or fall (another board, a reset).
 */

export interface PagesMemory {
  /** The printer's last value. */
  raw: number;
  /** Sum of all wraps. */
  base: number;
  /** A lower value seen once. A waking printer shows 0, so a fall must be seen twice. */
  fallen?: number;
}

export interface PagesStep {
  memory: PagesMemory;
  /** Life counter including wraps. */
  pages: number;
  /** The counter started over: from and to. */
  reset?: { from: number; to: number };
}

/** To count as a wrap, the values before and after must lie within this share of the range's ends. */
const WRAP_SHARE = 0.1;

/** A counter that is lower by at most this much did not start over. */
const JITTER_PAGES = 10;

export function stepPages(before: PagesMemory | undefined, raw: number, bits?: number): PagesStep {
  if (before === undefined) return { memory: { raw, base: 0 }, pages: raw };
  if (raw >= before.raw) return { memory: { raw, base: before.base }, pages: before.base + raw };
  // A page that was uncounted, or two slightly different counters: not a new board.
  if (raw >= Math.max(1, before.raw - JITTER_PAGES)) {
    return { memory: { raw: before.raw, base: before.base }, pages: before.base + before.raw };
  }
  if (bits !== undefined && bits <= 32) {
    // Some agents keep a Counter32 in a signed variable and wrap at 2^31.
    const wrap = [2 ** bits, 2 ** (bits - 1)].find(
      (range) => before.raw < range && before.raw >= range * (1 - WRAP_SHARE) && raw <= range * WRAP_SHARE,
    );
    if (wrap !== undefined) {
      const base = before.base + wrap;
      return { memory: { raw, base }, pages: base + raw };
    }
  }
  if (before.fallen === undefined || raw < before.fallen) {
    return { memory: { ...before, fallen: raw }, pages: before.base + before.raw };
  }
  return { memory: { raw, base: 0 }, pages: raw, reset: { from: before.base + before.raw, to: raw } };
}
