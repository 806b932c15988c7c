/**
 * Makes JSON values acceptable for Postgres, which refuses NUL and lone surrogates in text, and years outside of 1 to
 * 9999 in our column format. Such a value must not refuse a printer's log, so the character is replaced.
 */

/** Only text with one of these escapes in its JSON can contain what Postgres refuses. */
const SUSPICIOUS = /\\u(0000|d[89a-f])/i;

// biome-ignore lint/suspicious/noControlCharactersInRegex: it looks for NUL.
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
 * A time of the years 1000 to 2999 without a leap second that Postgres accepts as it is: its offsets stay below 16 h,
 * and its length is limited.
 */
const PLAIN_TIME = /^[12]\d{3}-\d\d-\d\dT\d\d:\d\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:0\d|1[0-5]):[0-5]\d)$/;

/** Whether an RFC 3339 time has the common form that Postgres accepts as it is. */
export function isPlainTime(at: string): boolean {
  return PLAIN_TIME.test(at);
}

const YEAR_1_MS = Date.UTC(2000, 0, 1) - 63_082_281_600_000;
const YEAR_9999_MS = Date.UTC(9999, 11, 31);

/** Every form of time that the schemas accept: lower case, any space for the T, an offset of hours, any fraction. */
const TIME = /^(\d{4}-\d\d-\d\d)[\sT](\d\d:\d\d):(\d\d)(?:\.(\d{1,3})\d*)?(?:Z|([+-]\d\d)(?::?(\d\d))?)$/i;

/** An RFC 3339 time as a timestamp for Postgres; leap seconds and impossible years are replaced. */
export function storableTime(at: string): string {
  if (PLAIN_TIME.test(at)) return at;
  const [, date, clock, second, fraction = '0', hours, minutes = '00'] = TIME.exec(at) ?? [];
  if (date === undefined) return at;
  const offset = hours === undefined ? 'Z' : `${hours}:${minutes}`;
  const ms = Date.parse(`${date}T${clock}:${second === '60' ? '59' : second}.${fraction}${offset}`);
  return new Date(Math.min(Math.max(ms, YEAR_1_MS), YEAR_9999_MS)).toISOString();
}
