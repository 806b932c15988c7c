/**
 * The campaigns that `bench guards` runs: innocent releases that must not be halted, and guilty ones that must be
 * found.
 */
import type { World } from './simulation.ts';

export interface Row {
  name: string;
  world: World;
}

const TARGETS = 400;

/** Innocent releases. */
export const INNOCENT: readonly Row[] = [
  { name: 'all on, drawn', world: { targets: TARGETS } },
  ...[0.02, 0.05, 0.1, 0.3].map((share) => ({
    name: `${share * 100} % off for a week`,
    world: { targets: TARGETS, offForAWeek: share },
  })),
  { name: 'each on for 10-100 % of the day', world: { targets: TARGETS, onAtLeast: 0.1 } },
  { name: 'every start logs a warning', world: { targets: TARGETS, onAtLeast: 0.1, logsAtStart: 'warning' } },
  { name: 'busiest printers first', world: { targets: TARGETS, busiestFirst: true } },
  { name: 'a site loses its network', world: { targets: TARGETS, siteFails: true } },
  { name: 'a model that is not told, first', world: { targets: TARGETS, unseenModel: 5 } },
  { name: 'four times as much on working days', world: { targets: TARGETS, weekdays: 4 } },
  { name: 'done within a day', world: { targets: TARGETS, hours: 1 } },
  { name: '1.5 % of the installations fail', world: { targets: TARGETS, failing: 0.015 } },
];

/** Releases that make a code five times or twice as frequent, in campaigns that take a day or a week. */
export const GUILTY: readonly Row[] = [
  { name: 'x5, 0.1 a day, done within a day', world: { targets: TARGETS, theta: 5, hours: 1 } },
  {
    name: 'x5, 0.02 a day, done within a day',
    world: { targets: TARGETS, theta: 5, perDay: 0.02, hours: 1 },
  },
  { name: 'x5, 0.1 a day', world: { targets: TARGETS, theta: 5 } },
  { name: 'x5, 0.1 a day, 30 % off for a week', world: { targets: TARGETS, theta: 5, offForAWeek: 0.3 } },
  { name: 'x2, 0.1 a day, done within a day', world: { targets: TARGETS, theta: 2, hours: 1 } },
];
