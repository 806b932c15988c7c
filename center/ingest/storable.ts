/**
 * Makes what JSON may hold fit for Postgres, which refuses NUL and lone surrogates in text, and the years 0 and beyond
 * 9999 in our column format. Such a value is no reason to refuse a printer's log: the character is replaced.
 */

/** Only text with one of these escapes in its JSON can hold something that Postgres refuses. */
const SUSPICIOUS = /\\u(0000|d[89a-f])/i;

// biome-ignore lint/suspicious/noControlCharactersInRegex: NUL is what it looks for.
const SUSPICIOUS_TEXT = /[\u0000\ud800-\udfff]/;

/** A text without NUL and lone surrogates. */
export function storableText(text: string): string {
  if (!SUSPICIOUS_TEXT.test(text)) return text;
  // With the flag u only a surrogate without its partner matches.
  return text.replaceAll('\u0000', '\uFFFD').replace(/[\ud800-\udfff]/gu, '\uFFFD');
}

function clean(value: unknown): unknown {
  if (typeof value === 'string') return storableText(value);
  if (Array.isArray(value)) return value.map(clean);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [storableText(key), clean(one)]));
  }
  return value;
}

/** A value as JSON that a jsonb column takes. */
export function storableJson(value: unknown): string {
  const text = JSON.stringify(value);
  return SUSPICIOUS.test(text) ? JSON.stringify(clean(value)) : text;
}

/**
 * Any time of the years 1000 to 2999 without a leap second, as the database takes it as it is: its offsets end before
 * sixteen hours, and what it reads as a time is short.
 */
const PLAIN_TIME = /^[12]\d{3}-\d\d-\d\dT\d\d:\d\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:0\d|1[0-5]):[0-5]\d)$/;

/** Whether a time of RFC 3339 has the form that nearly every clock writes: Postgres takes it as it is. */
export function isPlainTime(at: string): boolean {
  return PLAIN_TIME.test(at);
}

const YEAR_1_MS = Date.UTC(2000, 0, 1) - 63_082_281_600_000;
const YEAR_9999_MS = Date.UTC(9999, 11, 31);

/** All that the schemas take for a time: small letters, any space for the T, an offset of hours, any fraction. */
const TIME = /^(\d{4}-\d\d-\d\d)[\sT](\d\d:\d\d):(\d\d)(?:\.(\d{1,3})\d*)?(?:Z|([+-]\d\d)(?::?(\d\d))?)$/i;

/** A time of RFC 3339 as a timestamp that Postgres takes; leap seconds and impossible years give way. */
export function storableTime(at: string): string {
  if (PLAIN_TIME.test(at)) return at;
  const [, date, clock, second, fraction = '0', hours, minutes = '00'] = TIME.exec(at) ?? [];
  if (date === undefined) return at;
  const offset = hours === undefined ? 'Z' : `${hours}:${minutes}`;
  const ms = Date.parse(`${date}T${clock}:${second === '60' ? '59' : second}.${fraction}${offset}`);
  return new Date(Math.min(Math.max(ms, YEAR_1_MS), YEAR_9999_MS)).toISOString();
}
