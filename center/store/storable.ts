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

/** Any time of the years 1000 to 2999 without a leap second. */
const PLAIN_TIME = /^[12]\d{3}-\d\d-\d\dT\d\d:\d\d:[0-5]\d(?:\.\d+)?Z$/;
const YEAR_1_MS = Date.UTC(2000, 0, 1) - 63_082_281_600_000;
const YEAR_9999_MS = Date.UTC(9999, 11, 31);

/** A time of RFC 3339 as a timestamp that Postgres takes; leap seconds and impossible years give way. */
export function storableTime(at: string): string {
  if (PLAIN_TIME.test(at)) return at;
  const ms = Date.parse(at);
  if (ms >= YEAR_1_MS && ms <= YEAR_9999_MS) return at;
  const leapless_ms = Number.isNaN(ms) ? Date.parse(at.replace(/:60(\.\d+)?/, ':59')) : ms;
  return new Date(Math.min(Math.max(leapless_ms, YEAR_1_MS), YEAR_9999_MS)).toISOString();
}
