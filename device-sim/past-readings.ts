/**
 * Readings of the time before a simulation begins, so that reports over a month and forecasts have something to show at
 * its first minute. Pure: counters and supplies follow from the pages, which are counted backwards by office hours.
 */
import { PrinterModel } from '../agent/drivers/simulated/model.ts';
import { officeHours } from '../agent/drivers/simulated/supplies.ts';
import type { Readings } from '../schemas/types.ts';
import type { PrinterPlan } from './scenario.ts';

/** Moments stand at whole intervals and this: shortly before midnight in Europe. */
const OFFSET_MS = 22 * 3_600_000;

export interface PastOptions {
  /** When the simulation begins. */
  start_ms: number;
  /** How many readings each printer has, and the time between two. */
  count: number;
  every_ms: number;
  /** How many times slower than in the simulation it printed, on the average of a week. */
  slower: number;
}

/** The readings of all printers at one moment. */
export interface PastMoment {
  time_ms: number;
  readings: { printer: string; reading: Readings; timezone?: string }[];
}

/** What the printers would have sent before the simulation, the earliest moment first. */
export function* pastReadings(printers: readonly PrinterPlan[], options: PastOptions): Generator<PastMoment> {
  const { start_ms, count, every_ms, slower } = options;
  const last_ms = Math.floor((start_ms - 1 - OFFSET_MS) / every_ms) * every_ms + OFFSET_MS;
  for (let number = 1; number <= count; number++) {
    const time_ms = last_ms - (count - number) * every_ms;
    const hours = officeHours(start_ms) - officeHours(time_ms);
    const readings = printers.flatMap(({ printer, spec }) => {
      const printed = Math.ceil(((spec.pagesPerHour ?? 0) / slower) * hours);
      const pages = Math.max(0, (spec.pages ?? 0) - printed);
      const read = new PrinterModel({ ...spec, pages }, time_ms).readings(time_ms);
      if (!read) return [];
      const at = new Date(time_ms).toISOString();
      const reading: Readings = { session: 'past', number, at, reason: 'periodic', ...read };
      const { timezone } = spec.structure;
      return [{ printer, reading, ...(timezone === undefined ? {} : { timezone }) }];
    });
    yield { time_ms, readings };
  }
}
