/** Whether the times that a campaign asks for leave room for an installation. Pure. */
import { PlatenError } from '../../../schemas/errors.ts';
import type { CampaignOptions } from '../../../schemas/types.ts';
import { ORDER_MS_DEFAULT } from '../limits.ts';
import { durationOr } from './targets.ts';

const MINUTE_MS = 60_000;
const DAY_MINUTES = 24 * 60;
const WEEK_MINUTES = 7 * DAY_MINUTES;
/** 1 January 1970 was a Thursday: minutes of its week that had passed, counted from Monday. */
const EPOCH_WEEK_MINUTES = 3 * DAY_MINUTES;
/** Time zones in use, in hours from UTC. A half-hour zone lies between two of them. */
const ZONES_HOURS = Array.from({ length: 27 }, (_, at) => at - 12);

type Window = NonNullable<CampaignOptions['window']>;

/** `HH:MM` as minutes of the day. */
function minuteOf(text: string): number {
  return Number(text.slice(0, 2)) * 60 + Number(text.slice(3, 5));
}

/** Milliseconds until a window opens in a zone; 0 while it is open. */
export function opensInMs(window: Window, nowMs: number, zoneHours: number): number {
  const { from, to, days = [1, 2, 3, 4, 5, 6, 7] } = window;
  const lengthMinutes =
    from === to ? DAY_MINUTES : (minuteOf(to) - minuteOf(from) + DAY_MINUTES) % DAY_MINUTES;
  const minute = nowMs / MINUTE_MS + zoneHours * 60 + EPOCH_WEEK_MINUTES;
  const waits = days.map((day) => {
    const opens = (day - 1) * DAY_MINUTES + minuteOf(from);
    const since = (((minute - opens) % WEEK_MINUTES) + WEEK_MINUTES) % WEEK_MINUTES;
    return since < lengthMinutes ? 0 : (WEEK_MINUTES - since) * MINUTE_MS;
  });
  return Math.min(...waits);
}

/**
 * Refuses times between which nothing could be installed.
 * @returns what is worth a warning: a window that opens in time in some time zones only
 * @throws PlatenError request/invalid
 */
export function checkTimes(options: CampaignOptions | undefined, nowMs: number): string[] {
  const { deadline = 'P7D', spread, window } = options ?? {};
  const deadlineMs = durationOr(deadline, ORDER_MS_DEFAULT);
  if (deadlineMs < MINUTE_MS) {
    throw new PlatenError('request/invalid', {
      reason: `/options/deadline ${deadline} is too short: an order needs at least PT1M`,
    });
  }
  if (spread !== undefined && durationOr(spread, 0) >= deadlineMs) {
    throw new PlatenError('request/invalid', {
      reason: `/options/spread ${spread} is not shorter than the deadline ${deadline}: some downloads would start after it`,
    });
  }
  if (window === undefined) return [];
  const late = ZONES_HOURS.filter((zone) => opensInMs(window, nowMs, zone) >= deadlineMs);
  if (late.length === ZONES_HOURS.length) {
    throw new PlatenError('request/invalid', {
      reason: `/options/window does not open before the deadline ${deadline} in any time zone: set a longer "deadline"`,
    });
  }
  if (late.length === 0) return [];
  return [
    `The window does not open before the deadline ${deadline} in every time zone: orders of printers in the others end unanswered`,
  ];
}
