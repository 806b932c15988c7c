/**
 * Text from outside, made harmless where people read it. What a printer, an operator or a broker wrote may hold escape
 * sequences that drive a terminal, line ends that forge a line of a log, or characters that turn the direction of
 * writing. Everything that is shown goes through here; what is stored and sent on stays as it came.
 */

const SHOWN_CHARACTERS_MAX = 2_000;

/**
 * Control characters (C0, C1, DEL), line and paragraph separators, those that change the direction of writing or can't
 * be seen, code points that are no characters.
 */
const HARMFUL =
  /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Noncharacter_Code_Point}\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return `\\u{${code.toString(16)}}`;
}

/** One line for a terminal or a readable log: what could do more than be read is written out as an escape. */
export function oneLine(text: string, charactersMax = SHOWN_CHARACTERS_MAX): string {
  const shown = text.length > charactersMax ? `${text.slice(0, charactersMax)}…` : text;
  return shown.replace(HARMFUL, escaped);
}

/** The same for text of several lines: line ends stay, and nothing else does. */
export function lines(text: string, charactersMax = 1_000_000): string {
  return text
    .slice(0, charactersMax)
    .split('\n')
    .map((line) => oneLine(line, charactersMax))
    .join('\n');
}

/**
 * JSON for a terminal: it parses to the same value. `JSON.stringify` escapes C0 and lone surrogates itself; C1 and the
 * characters that turn the direction of writing it leaves as they are.
 */
export function shownJson(value: unknown, indent?: number): string {
  const text = JSON.stringify(value, undefined, indent) ?? 'null';
  return text.replace(HARMFUL, (character) => {
    if (character === '\n') return character;
    // In JSON an escape has four digits: what lies beyond is a pair of them.
    return Array.from(
      { length: character.length },
      (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`,
    ).join('');
  });
}

/** A cell of CSV (RFC 4180). A spreadsheet takes a cell that begins like a formula for one: it gets an apostrophe. */
export function csvCell(value: string | number | boolean | null | undefined): string {
  if (value === null || value === undefined) return '';
  if (typeof value !== 'string') return String(value);
  const text = oneLine(value);
  const inert = /^[=+\-@\t\r]/.test(text) && !/^[+-]?\d+(\.\d+)?$/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert;
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text within HTML, also within an attribute in quotes. */
export function htmlText(text: string): string {
  return oneLine(text).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}
