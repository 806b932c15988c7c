/**
 * Decodes texts of printers, whose character set is unreliable. SNMP's DisplayString should be ASCII, and
 * prtLocalizationCharacterSet should name other sets; in the field there is Latin-1, Shift-JIS, UTF-16, UTF-8 cut in the
 * middle of a character, and padding with NUL. Nothing here throws: a wrong guess shows odd letters, never nothing.
 */

/** IANA MIBenum (as in prtLocalizationCharacterSet) to the label that TextDecoder knows. */
const CHARSETS: Record<number, string> = {
  4: 'windows-1252', // ISO-8859-1; what printers call Latin-1 has the quotes of windows-1252 in it
  5: 'iso-8859-2',
  8: 'iso-8859-5',
  17: 'shift_jis',
  18: 'euc-jp',
  38: 'euc-kr',
  106: 'utf-8',
  113: 'gbk',
  1013: 'utf-16be',
  1014: 'utf-16le',
  2024: 'shift_jis', // Windows-31J
  2025: 'gbk', // GB2312
  2026: 'big5',
  2250: 'windows-1250',
  2251: 'windows-1251',
  2252: 'windows-1252',
};

/** Octets of one value that are decoded; the longest real text (a device id) has a few hundred. */
export const TEXT_OCTETS_MAX = 4_096;

const utf8 = new TextDecoder('utf-8', { fatal: true });
const latin1 = new TextDecoder('windows-1252');

function tryDecode(label: string, bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder(label, { fatal: true }).decode(bytes);
  } catch {
    return undefined; // Not this character set: try the next one.
  }
}

/** Whether the bytes have the marks of Japanese in Shift-JIS: kana lead bytes, or a run of half-width kana. */
function looksLikeShiftJis(bytes: Uint8Array): boolean {
  let halfWidthRun = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] ?? 0;
    // 0x81–0x9F are control codes in Latin-1, so that a Western text hardly has them.
    if (byte >= 0x81 && byte <= 0x9f && (bytes[i + 1] ?? 0) >= 0x40) return true;
    halfWidthRun = byte >= 0xa6 && byte <= 0xdf ? halfWidthRun + 1 : 0;
    if (halfWidthRun >= 3) return true;
  }
  return false;
}

/** Whether the bytes have the marks of Japanese in EUC-JP: pairs that lead with the rows of the kana. */
function looksLikeEucJp(bytes: Uint8Array): boolean {
  for (let i = 0; i + 3 < bytes.length; i++) {
    const kana = (at: number) =>
      (bytes[at] === 0xa4 || bytes[at] === 0xa5) &&
      (bytes[at + 1] ?? 0) >= 0xa1 &&
      (bytes[at + 1] ?? 0) <= 0xf6;
    if (kana(i) && kana(i + 2)) return true;
  }
  return false;
}

/**
 * Russian in ISO-8859-5 or windows-1251: all letters outside ASCII stand in words of their own, small but for the first.
 * Half-width kana fill the same places, but never go on into the last third.
 */
function cyrillicOf(bytes: Uint8Array): string | undefined {
  const text = latin1.decode(bytes);
  const words = text.match(/[\u0080-\uffff]+/g) ?? [];
  const letters = words.join('');
  if (letters.length < 4 || /[A-Za-z][\u0080-\uffff]|[\u0080-\uffff][A-Za-z]/.test(text)) return undefined;
  const fits = (word: RegExp, last: RegExp) => words.every((each) => word.test(each)) && last.test(letters);
  if (fits(/^[\u00b0-\u00cf]?[\u00d0-\u00ef]+$/, /[\u00e0-\u00ef]/)) return tryDecode('iso-8859-5', bytes);
  if (fits(/^[\u00c0-\u00df]?[\u00e0-\u00ff]+$/, /[\u00f0-\u00ff]/)) return tryDecode('windows-1251', bytes);
  return undefined;
}

/** UTF-16 without a byte order mark shows itself by a NUL beside every letter. */
function utf16Of(bytes: Uint8Array): string | undefined {
  if (bytes.length < 4 || bytes.length % 2 !== 0) return undefined;
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder('utf-16be').decode(bytes);
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  let even = 0;
  let odd = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    if (bytes[i] === 0 && bytes[i + 1] !== 0) even++;
    if (bytes[i] !== 0 && bytes[i + 1] === 0) odd++;
  }
  const pairs = bytes.length / 2;
  if (even > pairs * 0.7 && odd === 0) return new TextDecoder('utf-16be').decode(bytes);
  if (odd > pairs * 0.7 && even === 0) return new TextDecoder('utf-16le').decode(bytes);
  return undefined;
}

/** Control characters become spaces, runs of blanks become one, both ends are trimmed. */
export function tidy(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out here
  return text.replace(/[\u0000-\u0020\u007f\u0080-\u009f\u00a0\ufeff\ufffd]+/g, ' ').trim();
}

/**
 * Octets as text. `charset` is the MIBenum the printer names; it is believed only where the bytes agree with it.
 * Order: UTF-16 by its NULs, UTF-8, the named set, Japanese by its marks, windows-1252 (which takes any byte).
 */
export function decodeText(octets: Uint8Array, charset?: number): string {
  const bytes = octets.length > TEXT_OCTETS_MAX ? octets.subarray(0, TEXT_OCTETS_MAX) : octets;
  const wide = utf16Of(bytes);
  if (wide !== undefined) return tidy(wide);
  // HP's private texts begin with the number of their symbol set (65000: UTF-8); it is no part of them.
  if (bytes[0] === 0xfd && bytes[1] === 0xe8) {
    const behind = tryDecode('utf-8', bytes.subarray(2));
    if (behind !== undefined) return tidy(behind);
  }
  // Fixed fields are padded with NUL (or 0xFF) behind the text.
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1] === 0 || bytes[end - 1] === 0xff)) end--;
  const text = bytes.subarray(0, end);
  try {
    return tidy(utf8.decode(text));
  } catch {
    // Not UTF-8, or UTF-8 that was cut: both are looked at below.
  }
  // A field of fixed length may cut a UTF-8 character: without up to three bytes at the end it is whole again.
  for (let cut = 1; cut <= 3 && cut < text.length; cut++) {
    if ((text[text.length - cut] ?? 0) < 0xc0) continue;
    const shorter = tryDecode('utf-8', text.subarray(0, text.length - cut));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: tells ASCII from the rest
    if (shorter !== undefined && /[^\u0000-\u007f]/.test(shorter)) return tidy(shorter);
  }
  const named = charset === undefined ? undefined : CHARSETS[charset];
  if (named !== undefined && named !== 'utf-8') {
    const asNamed = tryDecode(named, text);
    if (asNamed !== undefined) return tidy(asNamed);
  }
  const cyrillic = cyrillicOf(text);
  if (cyrillic !== undefined) return tidy(cyrillic);
  // EUC-JP first: its kanji look like a run of half-width kana, but nothing in Shift-JIS looks like its kana.
  if (looksLikeEucJp(text)) {
    const japanese = tryDecode('euc-jp', text);
    if (japanese !== undefined) return tidy(japanese);
  }
  if (looksLikeShiftJis(text)) {
    const japanese = tryDecode('shift_jis', text);
    if (japanese !== undefined) return tidy(japanese);
  }
  return tidy(latin1.decode(text));
}

/** Whether the octets are text at all; counters and bit strings come as OCTET STRING too. */
export function looksLikeText(bytes: Uint8Array): boolean {
  let odd = 0;
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  if (end === 0) return bytes.length === 0;
  for (let i = 0; i < end; i++) {
    const byte = bytes[i] ?? 0;
    if (byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) odd++;
  }
  return odd === 0 || utf16Of(bytes) !== undefined;
}

/** Octets as `0a1b…`. */
export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** At most `length` UTF-16 units, never half of a surrogate pair. */
export function clip(text: string, length: number): string {
  if (text.length <= length) return text;
  const cut = text.slice(0, length);
  return /[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut;
}

/** Words that stand for "nothing here" in fields that should name something. */
const EMPTY_WORDS = new Set([
  '',
  '-',
  '--',
  '?',
  '0',
  'n/a',
  'na',
  'none',
  'null',
  'nil',
  'unknown',
  'undefined',
  'not available',
  'not applicable',
  'not specified',
  'not set',
  'unspecified',
  'other',
]);

/** The text if it is meaningful, cut to `length`; undefined for padding such as `N/A` or a row of zeros or X. */
export function meaningful(text: string | undefined, length = 256): string | undefined {
  if (text === undefined) return undefined;
  const tidied = tidy(text);
  if (EMPTY_WORDS.has(tidied.toLowerCase())) return undefined;
  // A row of one character, or a redaction in a recording.
  if (/^([0xX*#.\-_ ])\1*$|^[*[(<]+redacted[*\])>]+$/i.test(tidied)) return undefined;
  return clip(tidied, length);
}

/** A word for ids and symbols: lower case letters, digits, `.` and `-`. Letters outside ASCII keep their code point. */
export function slug(text: string): string {
  // Clipped, because the expressions below take quadratic time.
  const plain = clip(text, 512)
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .toLowerCase()
    .replace(/[^a-z0-9.]+/gu, (run) => {
      const letters = [...run].filter((char) => /[\p{L}\p{N}]/u.test(char));
      return letters.length === 0
        ? '-'
        : `-u${letters.map((char) => char.codePointAt(0)?.toString(16)).join('-')}-`;
    })
    .replace(/-{2,}/g, '-')
    .replace(/^[-.]+|[-.]+$/g, '');
  return clip(plain === '' ? 'unnamed' : plain, 60);
}
