/**
 * Life counters that wrap (Counter32 ends at 2^32) or fall (another board, a reset).
 */

export interface PagesMemory {
  /** As the printer showed it last. */
  raw: number;
  /** What wraps have added. */
  base: number;
  /** A lower value that was seen once: a half-awake printer shows 0, so that a fall has to be seen twice. */
  fallen?: number;
}

export interface PagesStep {
  memory: PagesMemory;
  /** Life counter with the wraps in it. */
  pages: number;
  /** The counter began anew: from and to. */
  reset?: { from: number; to: number };
}

/** Share of the range in which a counter must stand before and after, to have wrapped and not fallen. */
const WRAP_SHARE = 0.1;

/** A counter that is lower by so little did not begin anew. */
const JITTER_PAGES = 10;

export function stepPages(before: PagesMemory | undefined, raw: number, bits?: number): PagesStep {
  if (before === undefined) return { memory: { raw, base: 0 }, pages: raw };
  if (raw >= before.raw) return { memory: { raw, base: before.base }, pages: before.base + raw };
  // A page that was counted and taken back, or two counters that are not one: no other board.
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
