/** Days as a printer's own zone counts them. Pure. */

const DAY_MS = 86_400_000;

const formats = new Map<string, Intl.DateTimeFormat>();

function formatFor(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (!format) {
    const options = { year: 'numeric', month: 'numeric', day: 'numeric' } as const;
    try {
      format = new Intl.DateTimeFormat('en-US', { ...options, timeZone: zone });
    } catch {
      // Nobody knows this zone; it is not remembered, because printers may name any number of such.
      return formatFor('UTC');
    }
    formats.set(zone, format);
  }
  return format;
}

/** The local date of a time as a number of days since 1970-01-01. An unknown zone counts as UTC. */
export function localDay(time_ms: number, zone: string | undefined): number {
  if (zone === undefined || zone === 'UTC') return Math.floor(time_ms / DAY_MS);
  const parts: Record<string, number> = {};
  for (const { type, value } of formatFor(zone).formatToParts(time_ms)) parts[type] = Number(value);
  const { year = 1970, month = 1, day = 1 } = parts;
  return Date.UTC(year, month - 1, day) / DAY_MS;
}

/** A number of days since 1970-01-01 as a date. */
export function dateOfDay(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

/** A date as a number of days since 1970-01-01. */
export function dayOfDate(date: string): number {
  return Date.parse(`${date}T00:00:00Z`) / DAY_MS;
}
