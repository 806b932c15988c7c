/**
 * The demo of `npm start`: 25 simulated printers of three models. Most are fine. One has engine software that its
 * controller can't use, one has a finisher that its model doesn't accept, four jam until their engine is updated, and
 * one runs low on toner until the cartridge is replaced. It takes about a minute. Catalog and rules:
 * deploy/samples/story-catalog.json and story-rules.json.
 */
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Transport } from '../agent/transport.ts';
import { createUpdater } from '../agent/updater/updater.ts';
import type { UpdaterFactory } from '../agent/updater-seam.ts';
import { type SimulatedFleet, startFleet } from './fleet.ts';
import { FleetState } from './fleet-state.ts';
import { type PastMoment, pastReadings } from './past-readings.ts';
import { type FleetPlan, type PrinterPlan, planFleet, readScenario } from './scenario.ts';

export const STORY_PRINTERS = 25;

export interface StoryOptions {
  /** URL of the broker, mqtt://. */
  url?: string;
  /** Replaces the raw transport to `url`. */
  transport?: Transport;
  /** Passwords by printer, or one for all. `storyPlan` names the printers. */
  passwords?: Record<string, string> | string;
  /** Number of printers. Default: 25. Each kind keeps its share. */
  count?: number;
  seed?: number;
  /** Folder for the printers' state, journals and downloads. Without it nothing survives the process. */
  folder?: string;
  updater?: UpdaterFactory;
  log?: Logger;
}

/** Taken in the morning and at night, so that a day's reading covers most of its pages. */
const PAST_EVERY_MS = 12 * 3_600_000;
/** One minute of the story stands for an hour. Printing at that speed all the time would empty a printer every day. */
const PAST_SLOWER = 60;

/** The printers of the demo. With 7 or more, every special one is included. */
export function storyPlan(count = STORY_PRINTERS, seed?: number): FleetPlan {
  const scenario = readScenario(new URL('./scenarios/story.json', import.meta.url));
  return planFleet(scenario, count, seed);
}

/** What these printers sent before the demo, from the day before last month on, oldest first. */
export function storyPast(printers: readonly PrinterPlan[], start_ms: number): Generator<PastMoment> {
  const start = new Date(start_ms);
  const from_ms = Date.UTC(start.getUTCFullYear(), start.getUTCMonth() - 1, 0);
  const count = Math.ceil((start_ms - from_ms) / PAST_EVERY_MS);
  return pastReadings(printers, { start_ms, count, every_ms: PAST_EVERY_MS, slower: PAST_SLOWER });
}

/** Starts the demo. The fleet connects and reconnects on its own; `stop` ends it. */
export function startStory(options: StoryOptions): SimulatedFleet {
  const { folder } = options;
  return startFleet({
    plan: storyPlan(options.count, options.seed),
    url: options.url,
    transport: options.transport,
    passwords: options.passwords,
    updater: options.updater ?? createUpdater(),
    log: options.log,
    connectsPerSecond: 10,
    reconnectMs: { first: 500, most: 5_000 },
    ...(folder === undefined
      ? {}
      : {
          state: new FleetState(join(folder, 'printers.json')),
          folder: (printer: string) => join(folder, printer),
        }),
  });
}
