/**
 * `npm run bench -- ingest`: how many log entries from 200 printers reach the store per second, against what one would
 * build without this product and against the fastest way that Postgres has.
 *
 * (a) this product as `platen up`: enrolled printers, password and access checks, schema, judging and rules on, each
 * PUBACK after the commit; (b) mosquitto, an mqtt.js consumer and one insert per message; (c) the same with batched
 * inserts; COPY: the rows of (a) copied into the same tables. (b) and (c) check and judge nothing, and mosquitto
 * acknowledges from memory. The load generator is a separate process on raw sockets; a run ends when every entry is in
 * the database. Postgres has the same settings everywhere.
 */
import { readFileSync, rmSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { from as copyFrom } from 'pg-copy-streams';
import { openStore, type Store } from '../center/database/store.ts';
import { temporaryFolder } from '../tests/harness/folder.ts';
import { sampleStructure } from '../tests/harness/printer.ts';
import { startProduct } from '../tests/harness/product.ts';
import { startMosquitto } from '../tests/mosquitto.ts';
import type { LoadOrders } from './ingest/load.ts';
import { cpuSeconds, startScript } from './ingest/processes.ts';
import type { BenchResult } from './result.ts';

const PRINTERS = 200;
const WINDOW = 20;
const ROUNDS = 3;
const WAIT_MS_MAX = 180_000;
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

interface Run {
  entries_per_s: number;
  /** CPU of everything except the load generator. */
  cpu_s: number;
  entries: number;
}

function sample(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../deploy/samples/${name}`, import.meta.url), 'utf8'));
}

/** Runs the load against a broker until `stored` reports that everything is in the database. */
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
    // Counting every 20 ms would slow down the variant that is behind.
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

/**
 * The rules of real vendors' cases and those of the demonstration. The load's jams concern four of them, one of which
 * matches every entry.
 */
function manyRules(): object {
  const [rules, story] = [sample('rules.json'), sample('story-rules.json')] as { list: object[] }[];
  return { rules: 'bench', list: [...(rules?.list ?? []), ...(story?.list ?? [])] };
}

/** Variant (a). */
function runProduct(
  entriesPerMessage: number,
  messagesPerPrinter: number,
  rules: unknown = sample('story-rules.json'),
): Promise<Run> {
  return withFolder(async (folder) => {
    const data = join(folder, 'data');
    const product = await startProduct({ data });
    // The database address is in the data folder; reading it there costs the product nothing.
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
      if (rules !== null) await operator.call('rules.put', { document: rules });
      const ids = Array.from({ length: PRINTERS }, (_, index) => `bench-${String(index).padStart(3, '0')}`);
      const enrolled = (await operator.call('printers.enroll', { printers: ids, again: true }))['items'] as {
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

/** Variants (b) and (c). */
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

/** COPY of the rows that (a) stores into the same tables, from memory and in one transaction. */
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

/** Each size takes several seconds: a shorter run would mostly measure code that is not compiled yet. */
const VARIANTS: Record<string, (share: number) => Promise<Run>> = {
  platen_1: (share) => runProduct(1, Math.round(1_000 * share)),
  single_1: (share) => runPeer('single', 1, Math.round(100 * share)),
  batched_1: (share) => runPeer('batched', 1, Math.round(500 * share)),
  platen_10: (share) => runProduct(10, Math.round(200 * share)),
  copy: (share) => runCopy(PRINTERS * Math.round(2_000 * share)),
  single_10: (share) => runPeer('single', 10, Math.round(60 * share)),
  batched_10: (share) => runPeer('batched', 10, Math.round(100 * share)),
};

/** The cost of judging: the same load without rules and with the sample rules. */
const RULES_VARIANTS: typeof VARIANTS = {
  platen_10_no_rules: (share) => runProduct(10, Math.round(240 * share), null),
  platen_10_sample_rules: (share) => runProduct(10, Math.round(240 * share), manyRules()),
};

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] as number;
}

/**
 * The variants take turns over several rounds, because other load on the machine varies: figures and ratios are
 * medians, and each ratio is taken within a round. `--quick` is one round with little load, `--only=NAME` one variant
 * alone, for profiling; `--rules` reports the cost of rules instead.
 */
export async function run(args: string[]): Promise<BenchResult> {
  const quick = args.includes('--quick');
  const judging = args.includes('--rules');
  const only = args.find((arg) => arg.startsWith('--only='))?.slice('--only='.length);
  const rounds: Record<string, Run>[] = [];
  const before = Math.round((loadavg()[0] ?? 0) * 100) / 100;
  for (let round = 1; round <= (quick ? 1 : ROUNDS); round += 1) {
    const runs: Record<string, Run> = {};
    for (const [name, work] of Object.entries(judging ? RULES_VARIANTS : VARIANTS)) {
      if (only !== undefined && only !== name) continue;
      const one = await work(quick ? 0.5 : 1);
      runs[name] = one;
      process.stderr.write(`round ${round} ${name}: ${one.entries_per_s} entries/s\n`);
    }
    rounds.push(runs);
  }
  const middle = (of: (runs: Record<string, Run>) => number) =>
    Math.round(median(rounds.map(of)) * 100) / 100;
  const figures: BenchResult['figures'] = {
    printers: PRINTERS,
    window_messages: WINDOW,
    rounds: rounds.length,
  };
  // A load average above the number of cores means that others used the machine too; then CPU per entry says more than
  // the rates.
  figures['load_average_1_min_before'] = before;
  for (const [name, first] of Object.entries(rounds[0] ?? {})) {
    figures[`${name}_entries_per_s`] = middle((runs) => (runs[name] as Run).entries_per_s);
    figures[`${name}_cpu_us_per_entry`] = middle((runs) => cost(runs[name] as Run));
    figures[`${name}_entries_a_round`] = first.entries;
  }
  if (only !== undefined) return { part: only, figures, ratios: {}, bars: [] };
  const faster = (a: string, b: string) =>
    middle((runs) => (runs[a] as Run).entries_per_s / (runs[b] as Run).entries_per_s);
  const cheaper = (a: string, b: string) => middle((runs) => cost(runs[b] as Run) / cost(runs[a] as Run));
  if (judging) {
    const kept = faster('platen_10_sample_rules', 'platen_10_no_rules');
    const name = 'throughput with rules to that without';
    return {
      part: 'rules',
      figures,
      ratios: {
        throughput_with_rules_to_without: kept,
        cpu_with_rules_to_without: cheaper('platen_10_no_rules', 'platen_10_sample_rules'),
      },
      bars: [{ name, value: kept, bar: 'at least 0.75', met: kept >= 0.75 }],
    };
  }
  const ratios = {
    platen_to_single_at_1: faster('platen_1', 'single_1'),
    platen_to_batched_at_1: faster('platen_1', 'batched_1'),
    platen_to_single_at_10: faster('platen_10', 'single_10'),
    platen_to_batched_at_10: faster('platen_10', 'batched_10'),
    platen_10_to_copy: faster('platen_10', 'copy'),
    cpu_single_to_platen_at_1: cheaper('platen_1', 'single_1'),
    cpu_batched_to_platen_at_1: cheaper('platen_1', 'batched_1'),
    cpu_batched_to_platen_at_10: cheaper('platen_10', 'batched_10'),
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

/** CPU microseconds per entry. */
function cost(run: Run): number {
  return (run.cpu_s / run.entries) * 1e6;
}
