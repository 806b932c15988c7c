/**
 * Limits concurrent reads. Printers that don't answer have their own lane: each takes its full timeout, and no other
 * printer waits for it. A printer that stops answering in the middle of a read frees its slot too.
 */
import type { Lanes } from '../drivers/polled-driver.ts';

interface Lane {
  running: number;
  readonly most: number;
  readonly waiting: (() => void)[];
}

export interface LaneLimits {
  /** Slots for printers that answered last time. */
  answering: number;
  /** Slots for printers that did not. */
  silent: number;
  /** A read that takes longer frees its slot and continues outside, ms. */
  slowMs: number;
  /** Reads that continue outside the lanes, at most. */
  slow: number;
}

/**
 * A read of a living printer takes a few milliseconds of the core: 64 at once answer well within a time-out. A knock at
 * one that may be silent is one packet.
 */
export const LANE_LIMITS: LaneLimits = { answering: 64, silent: 256, slowMs: 5_000, slow: 256 };

export function createLanes(limits: LaneLimits = LANE_LIMITS): Lanes {
  const lanes: Record<'answering' | 'silent', Lane> = {
    answering: { running: 0, most: limits.answering, waiting: [] },
    silent: { running: 0, most: limits.silent, waiting: [] },
  };
  let slow = 0;
  const release = (lane: Lane) => {
    // Hand the slot directly to the next one, so that nobody overtakes it.
    const next = lane.waiting.shift();
    if (next) next();
    else lane.running--;
  };
  return {
    async run(name, task) {
      const lane = lanes[name];
      if (lane.running >= lane.most) await new Promise<void>((resolve) => lane.waiting.push(resolve));
      else lane.running++;
      let beside = false;
      const timer = setTimeout(() => {
        if (name === 'silent' || slow >= limits.slow) return;
        beside = true;
        slow++;
        release(lane);
      }, limits.slowMs);
      try {
        return await task();
      } finally {
        clearTimeout(timer);
        if (beside) slow--;
        else release(lane);
      }
    },
  };
}
