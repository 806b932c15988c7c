/**
 * Readings from before the simulation begins, so that monthly reports and forecasts have data from the first minute.
 * Pure: counters and supplies follow from the page counts, which run backwards through office hours.
 */
import { PrinterModel } from '../agent/drivers/simulated/model.ts';
import { officeHours } from '../agent/drivers/simulated/supplies.ts';
import type { Readings } from '../schemas/types.ts';
import type { PrinterPlan } from './scenario.ts';

/** Readings are taken at whole intervals plus this offset: shortly before midnight in Europe. */
const OFFSET_MS = 22 * 3_600_000;

export interface PastOptions {
  /** When the simulation begins. */
  start_ms: number;
  /** How many readings each printer has, and the interval between them. */
  count: number;
  every_ms: number;
  /** How many times slower than in the simulation the printer printed, averaged over a week. */
  slower: number;
}

/** The readings of all printers at one time. */
export interface PastMoment {
  time_ms: number;
  readings: { printer: string; reading: Readings; timezone?: string }[];
}

/** What the printers would have sent before the simulation, oldest first. */
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
