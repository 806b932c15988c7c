/**
 * What a long round through the fleet leaves to others. What printers send comes first: while the event loop has much
 * to do, a round gets a small share of the time, and it goes on as soon as there is little.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { CENTER_LIMITS } from '../limits.ts';

const LOOK_EVERY_MS = 10;

/**
 * Waits after a part of a round that took `worked_ms`, until that was no more than the round's share or the event loop
 * has time to spare.
 * @param stopped ends the waiting
 */
export async function giveWay(worked_ms: number, stopped: () => boolean): Promise<void> {
  const end_ms = performance.now() + worked_ms / CENTER_LIMITS.background_share_max - worked_ms;
  let before = performance.eventLoopUtilization();
  while (performance.now() < end_ms && !stopped()) {
    await sleep(Math.min(LOOK_EVERY_MS, Math.max(1, end_ms - performance.now())));
    const now = performance.eventLoopUtilization();
    if (performance.eventLoopUtilization(now, before).utilization < CENTER_LIMITS.background_utilization_min)
      return;
    before = now;
  }
}
