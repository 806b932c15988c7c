/**
 * Runs a scenario in virtual time without a broker: weeks of a fleet in seconds. Writes the JSON lines that
 * `platen rules test --log` reads, for testing rules before they are deployed.
 */
import { VirtualClock } from '../agent/clock.ts';
import { SimulatedDriver } from '../agent/drivers/simulated/driver.ts';
import { MemoryLog } from '../agent/log-memory.ts';
import { randomFor } from '../base/random.ts';
import type { FleetPlan, PrinterPlan } from './scenario.ts';
import { runEvent, type Target } from './timeline.ts';

/** The default start time of the recording. */
export const RECORD_START = Date.parse('2026-01-01T00:00:00Z');

export interface RecordOptions {
  plan: FleetPlan;
  /** How much virtual time to run, in ms. */
  durationMs: number;
  /** Milliseconds since the epoch. */
  startMs?: number;
  /** Called with one JSON object at a time, in the order of virtual time. */
  write(line: string): void;
}

/** There is no connection here. Events that concern only the printer still happen. */
const NO_CONNECTION = { cutConnection() {}, suspend() {}, resume() {} };

/**
 * Runs the scenario.
 * @returns the number of entries written
 */
export async function recordLog(options: RecordOptions): Promise<number> {
  const { plan, write } = options;
  const clock = new VirtualClock(options.startMs ?? RECORD_START);
  let entries = 0;
  const member = async (printer: PrinterPlan): Promise<Target> => {
    const name = printer.printer;
    const driver = new SimulatedDriver({ spec: printer.spec, clock, random: randomFor(plan.seed, name) });
    const memory = new MemoryLog({ id: `${name}-1`, entriesMax: 1 });
    const head = `{"printer":${JSON.stringify(name)},"log":${JSON.stringify(memory.id)},`;
    const structure = () => write(JSON.stringify({ printer: name, structure: driver.model.structure() }));
    structure();
    await driver.start({
      error: (event) => {
        entries++;
        write(head + memory.append(event, clock.now()).text.slice(1));
      },
      changed: structure,
    });
    return { ...printer, agent: NO_CONNECTION, driver };
  };
  const targets: Target[] = [];
  for (const printer of plan.printers) targets.push(await member(printer));
  for (const [index, planned] of plan.timeline.entries()) {
    const random = randomFor(plan.seed, `timeline/${index}`);
    const happen = () => {
      runEvent(planned, targets, random, (ms, task) => clock.after(ms, task));
      if (planned.everyMs !== undefined) clock.after(planned.everyMs, happen);
    };
    clock.after(planned.atMs, happen);
  }
  clock.run(options.durationMs);
  return entries;
}
