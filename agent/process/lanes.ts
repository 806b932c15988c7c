/**
 * How many reads run at once. Printers that don't answer have a lane of their own: each of them takes its whole time-out,
 * and none of the others waits for it.
 */
import type { Lanes } from '../drivers/polled-driver.ts';

interface Lane {
  running: number;
  readonly most: number;
  readonly waiting: (() => void)[];
}

export const LANE_LIMITS = { answering: 128, silent: 64 } as const;

export function createLanes(limits: { answering: number; silent: number } = LANE_LIMITS): Lanes {
  const lanes: Record<'answering' | 'silent', Lane> = {
    answering: { running: 0, most: limits.answering, waiting: [] },
    silent: { running: 0, most: limits.silent, waiting: [] },
  };
  return {
    async run(name, task) {
      const lane = lanes[name];
      if (lane.running >= lane.most) await new Promise<void>((resolve) => lane.waiting.push(resolve));
      else lane.running++;
      try {
        return await task();
      } finally {
        // The place goes straight to the next one, so that nobody overtakes it.
        const next = lane.waiting.shift();
        if (next) next();
        else lane.running--;
      }
    },
  };
}
