/** Applies the timeline events of a scenario to its printers. */
import { randomUUID } from 'node:crypto';
import type { Agent } from '../agent/agent.ts';
import type { SimulatedDriver } from '../agent/drivers/simulated/driver.ts';
import { LOG_ENTRIES_DEFAULT } from '../agent/limits.ts';
import type { Random } from '../base/random.ts';
import type { TimelineEvent } from '../schemas/types.ts';
import { type PlannedEvent, serialFor } from './scenario.ts';

/** A printer as the timeline sees it. */
export interface Target {
  printer: string;
  population: string;
  agent: Pick<Agent, 'cutConnection' | 'suspend' | 'resume'>;
  driver: SimulatedDriver;
  memory: { entriesMax?: number };
}

/** The printers that an event applies to. `random` picks them when the event names a share or a count. */
export function targetsOf<T extends { printer: string; population: string }>(
  event: TimelineEvent,
  all: T[],
  random: Random,
): T[] {
  const { ids, population, share, count } = event.printers ?? {};
  let found = all.filter(
    (target) =>
      (ids === undefined || ids.includes(target.printer)) &&
      (population === undefined || target.population === population),
  );
  if (share !== undefined) found = found.filter(() => random() < share);
  if (count !== undefined) {
    found = found
      .map((target) => ({ target, draw: random() }))
      .sort((a, b) => a.draw - b.draw)
      .slice(0, count)
      .map(({ target }) => target);
  }
  return found;
}

/**
 * Applies one event. `later` schedules its consequences, such as the return of power.
 * @returns the number of printers it applied to
 */
export function runEvent(
  planned: PlannedEvent,
  all: Target[],
  random: Random,
  later: (ms: number, task: () => void) => void,
): number {
  const targets = targetsOf(planned.event, all, random);
  for (const target of targets) actOn(target, planned, later);
  return targets.length;
}

function actOn(target: Target, planned: PlannedEvent, later: (ms: number, task: () => void) => void): void {
  const { event } = planned;
  const { driver, agent } = target;
  switch (event.do) {
    case 'remove-unit':
      driver.removeUnit(event.symbol ?? '');
      return;
    case 'add-unit':
      if (event.unit) {
        const { unit } = event;
        driver.addUnit({ ...unit, serial: unit.serial ?? serialFor(target.printer, unit.symbol) });
      }
      return;
    case 'swap-unit': {
      const serial = `X${randomUUID().slice(0, 7).toUpperCase()}`;
      driver.swapUnit(event.symbol ?? '', { serial, ...event.change });
      return;
    }
    case 'set-version':
      driver.setVersion(event.subject ?? '', event.version);
      return;
    case 'emit-errors':
      emit(driver, event, event.entries ?? 1);
      return;
    case 'overflow-log':
      emit(driver, event, event.entries ?? 2 * (target.memory.entriesMax ?? LOG_ENTRIES_DEFAULT));
      return;
    case 'cut-connection':
      agent.cutConnection();
      return;
    case 'power-off':
      agent.suspend();
      if (planned.forMs !== undefined) later(planned.forMs, () => !driver.bricked && agent.resume());
      return;
    case 'restart':
      agent.suspend();
      later(0, () => !driver.bricked && agent.resume());
      return;
  }
}

function emit(driver: SimulatedDriver, event: TimelineEvent, times: number): void {
  const { code = 'SIM-1', severity = 'error' } = event;
  for (let time = 0; time < times; time++) driver.emit({ code, severity, unit: event.symbol });
}
