/**
 * How many reads run at once. Printers that don't answer have a lane of their own: each of them takes its whole time-out,
 * and none of the others waits for it. A printer that stops answering in the middle of a read gives its place back too.
 */
import type { Lanes } from '../drivers/polled-driver.ts';

interface Lane {
  running: number;
  readonly most: number;
  readonly waiting: (() => void)[];
}

export interface LaneLimits {
  /** Reads of printers that answered last time. */
  answering: number;
  /** Reads of printers that did not. */
  silent: number;
  /** A read that lasts longer gives its place to the next one and goes on beside it, ms. */
  slowMs: number;
  /** Reads that go on beside the lanes. */
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
    // The place goes straight to the next one, so that nobody overtakes it.
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
