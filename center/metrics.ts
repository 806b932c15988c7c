/**
 * The center's Prometheus metrics. Counters are read from where they are counted when somebody scrapes, so that
 * counting costs the hot path an addition and nothing more.
 */
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { IngestWriter } from './ingest/ingest.ts';

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

/** A commit on a local disk takes milliseconds; one that waits for a database that is away, as long as that is. */
const COMMIT_BUCKETS_S = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30];
const ITEM_BUCKETS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000];

/** Shows how long the group commits of ingest take, and how much goes together. */
export function showCommits(registry: Registry, ingest: Pick<IngestWriter, 'onCommitted'>): void {
  const seconds = new Histogram({
    name: 'platen_ingest_commit_seconds',
    help: 'Duration of a group commit of ingest, waiting for the database included, by what was written.',
    labelNames: ['kind'],
    buckets: COMMIT_BUCKETS_S,
    registers: [registry],
  });
  const items = new Histogram({
    name: 'platen_ingest_commit_items',
    help: 'Messages in a group commit of ingest, by what was written.',
    labelNames: ['kind'],
    buckets: ITEM_BUCKETS,
    registers: [registry],
  });
  ingest.onCommitted = (kind, duration_s, count) => {
    seconds.observe({ kind }, duration_s);
    items.observe({ kind }, count);
  };
}
