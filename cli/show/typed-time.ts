/** Times as somebody types them at a command line. */
import { CommandFailure, EXIT } from '../remote/exits.ts';

const UNIT_MS: Readonly<Record<string, number>> = {
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** A length of time such as 8h, 2d, 1w, in ms; undefined when it is none. */
function lengthMs(text: string): number | undefined {
  const parts = /^(\d+)(m|min|h|d|w)$/.exec(text);
  return parts ? Number(parts[1]) * (UNIT_MS[parts[2] ?? ''] ?? 0) : undefined;
}

function absolute(text: string): string {
  // A day alone is the local day.
  const at = new Date(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00` : text);
  if (Number.isNaN(at.getTime())) {
    throw new CommandFailure(
      EXIT.usage,
      `"${text}" is not a time.`,
      'Write 2026-11-30, 2026-11-30T22:00:00Z, or a length such as 8h, 2d, 1w.',
    );
  }
  return at.toISOString();
}

/** A length of time as ISO 8601 has it; one that is in that form already stays. @throws CommandFailure */
export function isoLength(text: string): string {
  if (/^P/.test(text)) return text;
  const ms = lengthMs(text);
  if (ms === undefined) {
    throw new CommandFailure(EXIT.usage, `"${text}" is not a length of time.`, 'Write 12h, 30d or 4w.');
  }
  return `PT${ms / 60_000}M`;
}

/** A time in the past: a time, a day, or how long ago. @throws CommandFailure */
export function timeAgo(text: string, now = Date.now()): string {
  const ms = lengthMs(text);
  return ms === undefined ? absolute(text) : new Date(now - ms).toISOString();
}

/** A time to come: a time, a day, or how long from now. @throws CommandFailure */
export function timeFrom(text: string, now = Date.now()): string {
  const ms = lengthMs(text);
  return ms === undefined ? absolute(text) : new Date(now + ms).toISOString();
}
