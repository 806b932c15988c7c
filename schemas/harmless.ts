/**
 * Escapes untrusted text for display. Text from a printer, an operator or a broker may contain terminal escape
 * sequences, line breaks that forge log lines, or characters that change the writing direction. Everything displayed
 * passes through here; what is stored or forwarded stays unchanged.
 */

const SHOWN_CHARACTERS_MAX = 2_000;

/**
 * Control characters (C0, C1, DEL), line and paragraph separators, bidirectional controls, invisible characters, and
 * noncharacters.
 */
const HARMFUL =
  /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Noncharacter_Code_Point}\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return `\\u{${code.toString(16)}}`;
}

/** One line for a terminal or a readable log, with dangerous characters escaped. */
export function oneLine(text: string, charactersMax = SHOWN_CHARACTERS_MAX): string {
  const shown = text.length > charactersMax ? `${text.slice(0, charactersMax)}…` : text;
  return shown.replace(HARMFUL, escaped);
}

/** The same for text of several lines; line breaks stay. */
export function lines(text: string, charactersMax = 1_000_000): string {
  return text
    .slice(0, charactersMax)
    .split('\n')
    .map((line) => oneLine(line, charactersMax))
    .join('\n');
}

/**
 * JSON for a terminal, which parses to the same value. `JSON.stringify` escapes C0 and lone surrogates, but neither C1
 * nor bidirectional controls.
 */
export function shownJson(value: unknown, indent?: number): string {
  const text = JSON.stringify(value, undefined, indent) ?? 'null';
  return text.replace(HARMFUL, (character) => {
    if (character === '\n') return character;
    // A JSON escape has four digits; code points above U+FFFF take a pair.
    return Array.from(
      { length: character.length },
      (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`,
    ).join('');
  });
}

/** A CSV cell (RFC 4180). A cell that a spreadsheet would take for a formula gets an apostrophe. */
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

/** Text in HTML or in a quoted attribute. */
export function htmlText(text: string): string {
  return oneLine(text).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}
