/**
 * `npm run bench -- ingest`: how many log entries a second reach the store, from 200 printers, beside what one would
 * build without this product and beside the fastest way Postgres itself has.
 *
 * (a) this product as `platen up`: enrolled printers, password and access checks, schema, judging and rules on, each
 *     PUBACK after the commit; (b) mosquitto, an mqtt.js consumer and one insert a message; (c) the same with batched
 *     inserts; COPY: the rows of (a) copied into the same tables. (b) and (c) check and judge nothing, and their PUBACK
 *     comes from mosquitto's memory. The load comes from a process of its own over raw sockets; a run ends when every
 *     entry is in the database. Postgres has the same settings everywhere.
 */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { from as copyFrom } from 'pg-copy-streams';
import { openStore, type Store } from '../center/store/store.ts';
import { temporaryFolder } from '../tests/harness/folder.ts';
import { sampleStructure } from '../tests/harness/printer.ts';
import { startProduct } from '../tests/harness/product.ts';
import { startMosquitto } from '../tests/mosquitto.ts';
import type { BenchResult } from './bench.ts';
import type { LoadOrders } from './ingest/load.ts';
import { cpuSeconds, startScript } from './ingest/processes.ts';

const PRINTERS = 200;
const WINDOW = 20;
const WAIT_MS_MAX = 180_000;
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

interface Run {
  entries_per_s: number;
  /** Of everything but the load generator. */
  cpu_s: number;
  entries: number;
}

function sample(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../deploy/samples/${name}`, import.meta.url), 'utf8'));
}

/** Runs the load against a broker until `stored` says that all is in the database. */
async function load(orders: LoadOrders, pids: () => number[], stored: () => Promise<number>): Promise<Run> {
  const generator = startScript(new URL('./ingest/load.ts', import.meta.url));
  try {
    generator.say(JSON.stringify(orders));
    await generator.line();
    const entries = orders.printers.length * orders.messagesPerPrinter * orders.entriesPerMessage;
    const before = await stored();
    const cpu_s = cpuSeconds(pids());
    const started = performance.now();
    generator.say('go');
    const told = JSON.parse(await generator.line()) as { seconds: number };
    let seconds = told.seconds;
    // Counting every 20 ms would weigh on the side that is behind.
    while ((await stored()) - before < entries) {
      if (performance.now() - started > WAIT_MS_MAX) throw new Error('not everything was stored');
      await sleep(100);
      seconds = (performance.now() - started) / 1_000;
    }
    return { entries_per_s: Math.round(entries / seconds), cpu_s: cpuSeconds(pids()) - cpu_s, entries };
  } finally {
    await generator.stop();
  }
}

function ordersFor(
  url: string,
  printers: LoadOrders['printers'],
  entriesPerMessage: number,
  messagesPerPrinter: number,
): LoadOrders {
  const { hostname, port } = new URL(url);
  return {
    host: hostname,
    port: Number(port),
    printers,
    messagesPerPrinter,
    entriesPerMessage,
    window: WINDOW,
    downlinks: false,
  };
}

async function count(store: Store, table: string): Promise<number> {
  const [row] = await store.database.query<{ n: number }>(`SELECT count(*) AS n FROM ${table}`);
  return row?.n ?? 0;
}

async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = temporaryFolder('platen-bench-');
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** (a) */
function runProduct(entriesPerMessage: number, messagesPerPrinter: number): Promise<Run> {
  return withFolder(async (folder) => {
    const data = join(folder, 'data');
    const product = await startProduct({ data });
    // The database's own address is in the data folder; reading it beside the product costs the product nothing.
    const password = readFileSync(join(data, 'postgres', 'password'), 'utf8').trim();
    const store = await openStore({
      source: {
        url: `postgresql://platen:${password}@/postgres?host=${encodeURIComponent(join(data, 'postgres'))}`,
      },
      log,
    });
    try {
      const operator = await product.operator();
      await operator.call('catalog.put', { document: sample('catalog.json') });
      await operator.call('rules.put', { document: sample('story-rules.json') });
      const ids = Array.from({ length: PRINTERS }, (_, index) => `bench-${String(index).padStart(3, '0')}`);
      const enrolled = (await operator.call('printers.enroll', { printers: ids }))['items'] as {
        printer: string;
        password: string;
      }[];
      const printers = enrolled.map((one) => ({ id: one.printer, password: one.password }));
      const server = Number(
        readFileSync(join(data, 'postgres', 'cluster', 'postmaster.pid'), 'utf8').split('\n')[0],
      );
      return await load(
        {
          ...ordersFor(product.mqtt, printers, entriesPerMessage, messagesPerPrinter),
          downlinks: true,
          structure: sampleStructure(),
        },
        () => [product.process.pid as number, server],
        () => count(store, 'entries'),
      );
    } finally {
      await store.close();
      await product.stop();
    }
  });
}

/** (b) and (c) */
function runPeer(
  mode: 'single' | 'batched',
  entriesPerMessage: number,
  messagesPerPrinter: number,
): Promise<Run> {
  return withFolder(async (folder) => {
    const store = await openStore({ source: { dataFolder: folder }, log });
    const mosquitto = await startMosquitto({
      config: ['max_inflight_messages 0', 'max_queued_messages 0', 'set_tcp_nodelay true'],
    });
    await store.database.query(
      `CREATE TABLE peer_entries (
         printer text, log text, seq bigint, at timestamptz, code text, severity text, unit text, pages bigint,
         detail jsonb, PRIMARY KEY (printer, log, seq))`,
    );
    const peer = startScript(new URL('./ingest/peer.ts', import.meta.url), [
      mode,
      mosquitto.url,
      store.database.url,
    ]);
    try {
      await peer.line();
      const printers = Array.from({ length: PRINTERS }, (_, index) => ({ id: `bench-${index}` }));
      return await load(
        ordersFor(mosquitto.url, printers, entriesPerMessage, messagesPerPrinter),
        () => [peer.process.pid as number, mosquitto.pid, store.database.embedded?.pid as number],
        () => count(store, 'peer_entries'),
      );
    } finally {
      await peer.stop();
      await mosquitto.stop();
      await store.close();
    }
  });
}

/** COPY of the rows that (a) stores, into the same tables, from memory and in one transaction. */
function runCopy(entries: number): Promise<Run> {
  return withFolder(async (folder) => {
    const store = await openStore({ source: { dataFolder: folder }, log });
    try {
      const received = new Date().toISOString();
      const perPrinter = entries / PRINTERS;
      const chunks: string[] = [];
      for (let seq = 1; seq <= perPrinter; seq += 1) {
        let text = '';
        for (let stream = 1; stream <= PRINTERS; stream += 1) {
          const at = new Date(1_795_000_000_000 + seq * 1_000).toISOString();
          const code = `J-72${String(seq % 40).padStart(2, '0')}`;
          text += `${stream}\t${seq}\t${at}\t${received}\t1\t${100_000 + seq * 7}\t${seq % 10 === 0 ? 2 : 0}\t${code}\tfinisher.1\t\\N\n`;
        }
        chunks.push(text);
      }
      const pid = store.database.embedded?.pid as number;
      const cpu_s = cpuSeconds([pid]);
      const started = performance.now();
      await store.database.transaction(async (client) => {
        const sink = client.query(
          copyFrom(
            'COPY entries (stream, seq, at, received, batch, pages, severity, code, unit, detail) FROM STDIN',
          ),
        );
        await pipeline(Readable.from(chunks), sink);
      });
      const seconds = (performance.now() - started) / 1_000;
      return { entries_per_s: Math.round(entries / seconds), cpu_s: cpuSeconds([pid]) - cpu_s, entries };
    } finally {
      await store.close();
    }
  });
}

function figuresOf(name: string, run: Run): Record<string, number> {
  return {
    [`${name}_entries_per_s`]: run.entries_per_s,
    [`${name}_cpu_us_per_entry`]: Math.round((run.cpu_s / run.entries) * 1e7) / 10,
    [`${name}_entries`]: run.entries,
  };
}

function ratio(a: number, b: number): number {
  return Math.round((a / b) * 100) / 100;
}

/** Each variant once; with --quick a fifth of the load; with --only=NAME that one alone, for profiling. */
export async function run(args: string[]): Promise<BenchResult> {
  const share = args.includes('--quick') ? 0.2 : 1;
  const only = args.find((arg) => arg.startsWith('--only='))?.slice('--only='.length);
  const messages = (n: number) => Math.max(1, Math.round(n * share));
  const runs: Record<string, Run> = {};
  const measure = async (name: string, work: () => Promise<Run>) => {
    if (only !== undefined && only !== name) return;
    runs[name] = await work();
    process.stderr.write(`${name}: ${runs[name].entries_per_s} entries/s\n`);
  };
  await measure('platen_1', () => runProduct(1, messages(1_500)));
  await measure('single_1', () => runPeer('single', 1, messages(300)));
  await measure('batched_1', () => runPeer('batched', 1, messages(1_000)));
  await measure('platen_10', () => runProduct(10, messages(300)));
  await measure('single_10', () => runPeer('single', 10, messages(150)));
  await measure('batched_10', () => runPeer('batched', 10, messages(150)));
  await measure('copy', () => runCopy(PRINTERS * messages(3_000)));
  const figures: BenchResult['figures'] = { printers: PRINTERS, window_messages: WINDOW };
  for (const [name, one] of Object.entries(runs)) Object.assign(figures, figuresOf(name, one));
  if (only !== undefined) return { figures, ratios: {}, bars: [] };
  const rate = (name: string) => (runs[name] as Run).entries_per_s;
  const cost = (name: string) => (runs[name] as Run).cpu_s / (runs[name] as Run).entries;
  const ratios = {
    platen_to_single_at_1: ratio(rate('platen_1'), rate('single_1')),
    platen_to_batched_at_1: ratio(rate('platen_1'), rate('batched_1')),
    platen_to_single_at_10: ratio(rate('platen_10'), rate('single_10')),
    platen_to_batched_at_10: ratio(rate('platen_10'), rate('batched_10')),
    platen_10_to_copy: ratio(rate('platen_10'), rate('copy')),
    cpu_single_to_platen_at_1: ratio(cost('single_1'), cost('platen_1')),
    cpu_batched_to_platen_at_1: ratio(cost('batched_1'), cost('platen_1')),
  };
  const bar = (name: keyof typeof ratios, min: number) => ({
    name,
    value: ratios[name],
    bar: `at least ${min}`,
    met: ratios[name] >= min,
  });
  return {
    figures,
    ratios,
    bars: [bar('platen_to_batched_at_1', 2), bar('platen_to_single_at_1', 6), bar('platen_10_to_copy', 0.4)],
  };
}
