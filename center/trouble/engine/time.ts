/**
 * Event time: milliseconds since 1970, read from RFC 3339 strings.
 *
 * The running center counts whole milliseconds. A replayed file keeps microseconds: they are rounded to multiples of
 * 1/4096 ms, which a double adds and subtracts exactly until the year 2039, so that windows stay exact.
 */

// Accepts what the schemas accept: any space for the T, an offset of hours only.
const RFC3339 =
  /^(\d{4})-(\d{2})-(\d{2})[Tt\s](\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?(?:([Zz])|([+-])(\d{2})(?::?(\d{2}))?)$/;

function digits(text: string, start: number, count: number): number {
  let value = 0;
  for (let index = start; index < start + count; index += 1) {
    const digit = text.charCodeAt(index) - 48;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

// The date seen last: log lines come day by day, and Date.UTC is the expensive part.
let lastDate = -1;
let lastDateMs = 0;

// The date at the beginning of a text.
function dateMs(text: string): number {
  const year = digits(text, 0, 4);
  const month = digits(text, 5, 2);
  const day = digits(text, 8, 2);
  const date = (year * 100 + month) * 100 + day;
  if (date === lastDate) return lastDateMs;
  const ms = Date.UTC(year, month - 1, day);
  const back = new Date(ms);
  // Date.UTC rolls over dates that don't exist (31 February).
  if (!(month >= 1 && month <= 12 && back.getUTCDate() === day && back.getUTCMonth() === month - 1)) {
    return Number.NaN;
  }
  if (year < 100) back.setUTCFullYear(year);
  lastDate = date;
  lastDateMs = back.getTime();
  return lastDateMs;
}

/**
 * An RFC 3339 time as milliseconds since 1970, or NaN. Fractions of a millisecond are cut off; a leap second counts as
 * the last second of its minute.
 */
export function parseTime(text: unknown): number {
  return Math.floor(parseMoment(text));
}

/** The same to the microsecond. */
export function parseMoment(text: unknown): number {
  if (typeof text !== 'string') return Number.NaN;
  // The forms of almost every entry, without a regular expression.
  const end = text.length - 1;
  const fine = end > 20 && end <= 26;
  if (
    (end === 19 || fine) &&
    text.charCodeAt(end) === 90 &&
    (!fine || text.charCodeAt(19) === 46) &&
    text.charCodeAt(10) === 84 &&
    text.charCodeAt(4) === 45 &&
    text.charCodeAt(7) === 45 &&
    text.charCodeAt(13) === 58 &&
    text.charCodeAt(16) === 58
  ) {
    const whole = clock(dateMs(text), digits(text, 11, 2), digits(text, 14, 2), digits(text, 17, 2));
    if (!fine) return whole;
    if (end === 23) return whole + digits(text, 20, 3);
    return whole + onGrid(digits(text, 20, end - 20) / 10 ** (end - 23));
  }
  const match = RFC3339.exec(text);
  if (!match) return Number.NaN;
  const base = clock(dateMs(text), Number(match[4]), Number(match[5]), Number(match[6]));
  const fraction = match[7] === undefined ? 0 : onGrid(Number(`0.${match[7].slice(0, 6)}`) * 1000);
  if (match[8] !== undefined) return base + fraction;
  const hours = Number(match[10]);
  const minutes = Number(match[11] ?? 0);
  if (hours > 23 || minutes > 59) return Number.NaN;
  const offset = (hours * 60 + minutes) * 60_000;
  return base + fraction - (match[9] === '-' ? -offset : offset);
}

const GRID_PER_MS = 4096;

function onGrid(ms: number): number {
  return Math.round(ms * GRID_PER_MS) / GRID_PER_MS;
}

function clock(date: number, hour: number, minute: number, second: number): number {
  if (!(hour <= 23 && minute <= 59 && second <= 60)) return Number.NaN;
  return date + hour * 3_600_000 + minute * 60_000 + Math.min(second, 59) * 1000;
}

/** Milliseconds since 1970 as RFC 3339 in UTC, to the microsecond; zeros at the end of the fraction are left out. */
export function formatTime(ms: number): string {
  const whole = Math.floor(ms);
  const text = new Date(whole).toISOString();
  if (whole !== ms) {
    const micros = Math.round((ms - whole) * 1000);
    if (micros > 0) return `${text.slice(0, -1)}${String(micros).padStart(3, '0')}Z`;
  }
  return text.endsWith('.000Z') ? `${text.slice(0, -5)}Z` : text;
}
