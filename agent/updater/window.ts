/**
 * Maintenance windows in the printer's own time zone. Pure.
 */
import type { MaintenanceWindow } from '../../schemas/types.ts';

const MINUTE_MS = 60_000;
/** How far ahead to look for an opening: a week and a day covers every weekday. */
const SEARCH_MINUTES = 8 * 24 * 60;

interface LocalTime {
  /** ISO weekday, 1 Monday. */
  day: number;
  /** Since local midnight. */
  minute: number;
}

const formats = new Map<string, Intl.DateTimeFormat>();
const DAYS: Record<string, number> = { Mon: 1, Tue: 2, Wed: 3, Thu: 4, Fri: 5, Sat: 6, Sun: 7 };

function formatFor(timezone: string): Intl.DateTimeFormat {
  let format = formats.get(timezone);
  if (!format) {
    const options: Intl.DateTimeFormatOptions = {
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    };
    try {
      format = new Intl.DateTimeFormat('en-GB', { ...options, timeZone: timezone });
    } catch {
      // Unknown zone: UTC is at least the same everywhere.
      format = new Intl.DateTimeFormat('en-GB', { ...options, timeZone: 'UTC' });
    }
    formats.set(timezone, format);
  }
  return format;
}

function localTime(atMs: number, timezone: string): LocalTime {
  const parts = Object.fromEntries(
    formatFor(timezone)
      .formatToParts(atMs)
      .map(({ type, value }) => [type, value]),
  );
  return {
    day: DAYS[parts['weekday'] ?? ''] ?? 1,
    minute: Number(parts['hour']) * 60 + Number(parts['minute']),
  };
}

function minuteOf(text: string): number {
  return Number(text.slice(0, 2)) * 60 + Number(text.slice(3, 5));
}

/**
 * Whether the window is open. `from` belongs to it, `to` doesn't; equal ends mean the whole day. A window over
 * midnight belongs to the day on which it opens.
 */
export function isOpen(window: MaintenanceWindow, timezone: string, atMs: number): boolean {
  const { day, minute } = localTime(atMs, timezone);
  const from = minuteOf(window.from);
  const to = minuteOf(window.to);
  const on = (weekday: number) =>
    window.days === undefined || window.days.length === 0 || window.days.includes(weekday);
  if (from === to) return on(day);
  if (from < to) return on(day) && minute >= from && minute < to;
  const yesterday = day === 1 ? 7 : day - 1;
  return (on(day) && minute >= from) || (on(yesterday) && minute < to);
}

/**
 * How many milliseconds until the window is open: 0 when it is, undefined when it doesn't open within a week.
 */
export function untilOpen(window: MaintenanceWindow, timezone: string, atMs: number): number | undefined {
  if (isOpen(window, timezone, atMs)) return 0;
  const start = Math.floor(atMs / MINUTE_MS) * MINUTE_MS;
  for (let minutes = 1; minutes <= SEARCH_MINUTES; minutes++) {
    const at = start + minutes * MINUTE_MS;
    if (isOpen(window, timezone, at)) return at - atMs;
  }
  return undefined;
}
