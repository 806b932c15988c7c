/**
 * The center's Prometheus metrics. Counters are read from where they are counted when somebody scrapes, so that
 * counting costs the hot path an addition and nothing more.
 */
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';

/** Something to show: its name, help, the label it is split by, and how to read it. */
export interface Reading {
  name: string;
  help: string;
  label?: string;
  read(): number | Record<string, number>;
}

/** A registry with Node's own metrics (event-loop delay, memory, CPU). */
export function createRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'platen_' });
  return registry;
}

/** Shows a reading. Prometheus treats a gauge that only grows as well as a counter, and a gauge can be read anew. */
export function show(registry: Registry, { name, help, label, read }: Reading): void {
  new Gauge({
    name,
    help,
    labelNames: label === undefined ? [] : [label],
    registers: [registry],
    collect() {
      const values = read();
      if (typeof values === 'number') {
        this.set(values);
      } else {
        for (const [key, value] of Object.entries(values)) this.set({ [label ?? 'kind']: key }, value);
      }
    },
  });
}
