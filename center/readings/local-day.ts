/** Days and times in a printer's own zone. Pure. */

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const HOUR_MINUTES = 60;

const formats = new Map<string, Intl.DateTimeFormat>();

function formatFor(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (!format) {
    const digits = 'numeric' as const;
    const date = { year: digits, month: digits, day: digits } as const;
    const time = { hour: digits, minute: digits, second: digits, hourCycle: 'h23' } as const;
    try {
      format = new Intl.DateTimeFormat('en-US', { ...date, ...time, timeZone: zone });
    } catch {
      // Unknown zones are not cached: printers may invent any number of them.
      return formatFor('UTC');
    }
    formats.set(zone, format);
  }
  return format;
}

/** The local time in the zone, as if it were UTC, in whole seconds. An unknown zone counts as UTC. */
function wallClock(time_ms: number, zone: string): number {
  const parts: Record<string, number> = {};
  for (const { type, value } of formatFor(zone).formatToParts(time_ms)) parts[type] = Number(value);
  const { year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

/** The local date of a time as a number of days since 1970-01-01. An unknown zone counts as UTC. */
export function localDay(time_ms: number, zone: string | undefined): number {
  const local_ms = zone === undefined || zone === 'UTC' ? time_ms : wallClock(time_ms, zone);
  return Math.floor(local_ms / DAY_MS);
}

/** A time as RFC 3339 with the offset that the zone has then: `2026-11-30T23:10:00.000+01:00`. */
export function localTime(time_ms: number, zone: string | undefined): string {
  if (zone === undefined || zone === 'UTC') return new Date(time_ms).toISOString();
  const second_ms = Math.floor(time_ms / 1_000) * 1_000;
  const offset = Math.round((wallClock(second_ms, zone) - second_ms) / MINUTE_MS);
  if (offset === 0) return new Date(time_ms).toISOString();
  const two = (number: number) => String(number).padStart(2, '0');
  const minutes = Math.abs(offset);
  const local = new Date(time_ms + offset * MINUTE_MS).toISOString().slice(0, -1);
  return `${local}${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / HOUR_MINUTES))}:${two(minutes % HOUR_MINUTES)}`;
}

/** A number of days since 1970-01-01 as a date. */
export function dateOfDay(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

/** A date as a number of days since 1970-01-01. */
export function dayOfDate(date: string): number {
  return Date.parse(`${date}T00:00:00Z`) / DAY_MS;
}
