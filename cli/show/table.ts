/**
 * Tables for a terminal. Columns that don't fit are narrowed, then left out from the last one on; the table says which.
 * Pure.
 */
import { oneLine } from '../../schemas/harmless.ts';

export interface TableColumn {
  title: string;
  /** Cells to the right: numbers. */
  right?: boolean;
  /** May be narrowed to this many characters; undefined: never. */
  narrowest?: number;
}

/** A cell: its text, and how it is coloured. */
export interface Cell {
  text: string;
  paint?: (text: string) => string;
}

export interface Table {
  lines: string[];
  /** Titles of the columns that did not fit. */
  hidden: string[];
}

const GAP = 2;

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });
const WIDE =
  /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/u;

/** Columns that a text takes in a terminal. */
export function widthOf(text: string): number {
  // Most text is plain.
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += WIDE.test(segment) ? 2 : 1;
  return width;
}

/** Cuts a text to a width; what is cut is shown by "…". */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let kept = '';
  let used = 0;
  for (const { segment } of graphemes.segment(text)) {
    const wide = widthOf(segment);
    if (used + wide > width - 1) break;
    kept += segment;
    used += wide;
  }
  return `${kept}…`;
}

/** The widths that fit, and how many columns they are. */
function narrowed(natural: readonly number[], columns: readonly TableColumn[], width: number): number[] {
  for (let count = columns.length; count > 0; count--) {
    const widths = natural.slice(0, count);
    const total = () => widths.reduce((sum, each) => sum + each, GAP * (count - 1));
    let excess = total() - width;
    while (excess > 0) {
      // The widest that may still be narrowed gives first.
      let widest = -1;
      for (const [at, each] of widths.entries()) {
        const least = columns[at]?.narrowest;
        if (least === undefined || each <= least) continue;
        if (widest < 0 || each > (widths[widest] ?? 0)) widest = at;
      }
      if (widest < 0) break;
      widths[widest] = (widths[widest] ?? 0) - 1;
      excess--;
    }
    if (excess <= 0) return widths;
    if (count === 1) return [Math.max(1, width)];
  }
  return [];
}

/**
 * Lays rows out.
 * @param width of the terminal in columns; undefined: as wide as needed
 */
export function layOut(
  columns: readonly TableColumn[],
  rows: readonly (readonly Cell[])[],
  width: number | undefined,
): Table {
  const shown = rows.map((row) => row.map((cell) => ({ ...cell, text: oneLine(cell.text) })));
  const natural = columns.map(({ title }, at) =>
    Math.max(widthOf(title), ...shown.map((row) => widthOf(row[at]?.text ?? ''))),
  );
  const widths = width === undefined ? natural : narrowed(natural, columns, width);
  const line = (cells: readonly Cell[]): string =>
    widths
      .map((wide, at) => {
        const { text = '', paint = (same: string) => same } = cells[at] ?? {};
        const kept = cut(text, wide);
        const space = ' '.repeat(wide - widthOf(kept));
        return columns[at]?.right ? `${space}${paint(kept)}` : `${paint(kept)}${space}`;
      })
      .join(' '.repeat(GAP))
      .trimEnd();
  return {
    lines: [line(columns.map(({ title }) => ({ text: title }))), ...shown.map(line)],
    hidden: columns.slice(widths.length).map(({ title }) => title),
  };
}
