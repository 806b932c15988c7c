/**
 * The center's Prometheus metrics. Counters are read at the scrape from where they are counted, so that counting costs
 * the hot path no more than an addition.
 */
import type { Logger } from 'pino';
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Database } from './database/database.ts';
import { FleetGauges, type FleetGaugesParts } from './fleet/gauges.ts';
import type { IngestWriter } from './ingest/ingest.ts';

/** A value to show: its name, help, label, and how to read it. */
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

/** Shows a reading as a gauge, which can be set from a value. Prometheus accepts a growing gauge for a counter. */
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

/** What the metrics read of the center. */
export interface CenterReadings {
  store: { readonly database: Database; readonly ingest: Pick<IngestWriter, 'onCommitted'> };
  summary: FleetGaugesParts['summary'];
  log: Logger;
  now(): number;
  record: { readonly lost: number };
  uplinks: { readonly counts: Readonly<Record<string, number>> & { entries: number; entries_lost: number } };
  dispatcher: { readonly admission: { readonly refused: Record<string, number> } };
  questions: { readonly waiting: number };
  choosing: { readonly waiting: number };
  troubles: { readonly counts: Record<string, number> };
  refusals: { readonly counts: ReadonlyMap<string, number> };
}

/** Shows what the center counts. */
export function showCenter(registry: Registry, center: CenterReadings): void {
  const { store, summary, log, now, record, uplinks } = center;
  const { dispatcher, questions, choosing, troubles, refusals } = center;
  showCommits(registry, store.ingest);
  new FleetGauges({ registry, database: store.database, summary, log, now });
  const readings: Reading[] = [
    {
      name: 'platen_events_lost_total',
      help: 'Events that found no place in the record since the start; readers are told to begin anew.',
      read: () => record.lost,
    },
    {
      name: 'platen_uplinks_total',
      help: 'Uplinks taken in, by kind.',
      label: 'kind',
      read: () => {
        const { entries: _entries, entries_lost: _lost, ...kinds } = uplinks.counts;
        return kinds;
      },
    },
    {
      name: 'platen_entries_total',
      help: 'Log entries stored since the start.',
      read: () => uplinks.counts.entries,
    },
    {
      name: 'platen_entries_lost_total',
      help: 'Log entries that printers overwrote before they could send them, since the start.',
      read: () => uplinks.counts.entries_lost,
    },
    {
      name: 'platen_requests_busy_total',
      help: 'Requests of operators answered request/busy since the start, by which limit.',
      label: 'limit',
      read: () => dispatcher.admission.refused,
    },
    {
      name: 'platen_questions_waiting',
      help: 'Heavy questions (impact, checks of documents) without an answer yet.',
      read: () => questions.waiting,
    },
    {
      name: 'platen_choices_waiting',
      help: 'Remedies that the thread that chooses has not found yet.',
      read: () => choosing.waiting,
    },
    {
      name: 'platen_trouble_entries_total',
      help: 'Entries judged since the start, and what of them the rules could not take as it came, by reason.',
      label: 'outcome',
      read: () => troubles.counts,
    },
    {
      name: 'platen_refused_total',
      help: 'Payloads refused since the start, by error code.',
      label: 'code',
      read: () => Object.fromEntries(refusals.counts),
    },
  ];
  for (const reading of readings) show(registry, reading);
}

/** A commit on a local disk takes milliseconds; during an outage of the database, as long as that lasts. */
const COMMIT_BUCKETS_S = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30];
const ITEM_BUCKETS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000];

/** Shows duration and size of ingest's group commits. */
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
