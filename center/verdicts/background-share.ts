/**
 * Limits the share of a long round through the fleet. What printers send comes first: while this process or the machine
 * (usually with the database) is busy, a round gets a small share of the time. Otherwise it runs without waiting.
 */
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { CENTER_LIMITS } from '../limits.ts';

/** Processor times have a resolution of 10 ms, so shorter intervals show nothing. */
const LOOK_EVERY_MS = 50;

/** Processor time since boot, of all processors, in milliseconds. */
function processors(): { idle: number; all: number } {
  let idle = 0;
  let all = 0;
  for (const { times } of cpus()) {
    idle += times.idle;
    all += times.idle + times.user + times.nice + times.sys + times.irq;
  }
  return { idle, all };
}

function look(): () => number {
  const loop = performance.eventLoopUtilization();
  const before = processors();
  /** Use of the event loop or of the processors since the last look, whichever is higher; 1 is all. */
  return () => {
    const now = processors();
    const busy = now.all > before.all ? 1 - (now.idle - before.idle) / (now.all - before.all) : 1;
    return Math.max(busy, performance.eventLoopUtilization(loop).utilization);
  };
}

/**
 * Waits after a part of a round that took `worked_ms`, until that is within the round's share, or the machine is idle.
 * @param stopped ends the waiting
 */
export async function giveWay(worked_ms: number, stopped: () => boolean): Promise<void> {
  const end_ms = performance.now() + worked_ms / CENTER_LIMITS.background_share_max - worked_ms;
  while (performance.now() < end_ms && !stopped()) {
    const use = look();
    await sleep(Math.min(LOOK_EVERY_MS, Math.max(1, end_ms - performance.now())));
    if (use() < CENTER_LIMITS.background_use_min) return;
  }
}
