/**
 * `npm run bench -- soak [--minutes=N] [--printers=N]`: the whole product for two hours with 5,000 simulated printers
 * that connect and disconnect, log errors, send readings, install and roll back, while operators send requests over
 * MQTT and HTTP and campaigns begin and end. It does not measure speed: the load is small, so that hours of it show
 * whether anything grows.
 *
 * Sampled each minute: memory, descriptors, rows that should go away, latency of requests and PUBACKs. At the end a
 * slope is fitted to every figure after the warm-up (bench/soak/trend.ts), which decides whether the figure is flat.
 * The minutes are appended to `bench/results/soak-minutes.csv` as they come. Ctrl-C ends it early and records what
 * there is.
 */
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { randomFor } from '../base/random.ts';
import { reachEmbedded } from '../center/database/embedded-postgres.ts';
import { checkScenario, planFleet } from '../device-sim/scenario.ts';
import { openRepository } from '../releases/repository.ts';
import { temporaryFolder } from '../tests/harness/folder.ts';
import { startProduct } from '../tests/harness/product.ts';
import { publishReleases } from '../tests/harness/samples.ts';
import { cpuSeconds, startScript } from './ingest/processes.ts';
import type { BenchResult } from './result.ts';
import type { FleetMinute, FleetOrders } from './soak/fleet.ts';
import { Operators } from './soak/operators.ts';
import { Probe } from './soak/probe.ts';
import { type Bound, type Trend, trendOf } from './soak/trend.ts';
import { CATALOG, groupsOf, RULES, soakScenario } from './soak/world.ts';

const MINUTES = 120;
const PRINTERS = 5_000;
const MINUTE_MS = 60_000;
/** Sampling interval of memory: the minimum of a minute is what garbage collection cannot free. */
const MEMORY_EVERY_MS = 5_000;
const ENROL_AT_ONCE = 1_000;
/** Share of the run in which caches fill and code is compiled; it is not judged. */
const WARM_UP_SHARE = 0.25;
/** Events are kept for an hour, so their rows grow for that long. */
const EVENTS_KEPT_MINUTES = 62;
const CPU_SHARE_MAX = 0.35;
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

/**
 * The judged figures, with the hourly growth that still counts as flat. Latencies are per minute; other load on the
 * machine affects them too.
 */
const BOUNDS: Record<string, Bound & { fromMinute?: number }> = {
  rss_mib: { share: 0.04, least: 0 },
  heap_mib: { share: 0.04, least: 0 },
  external_mib: { share: 0.04, least: 4 },
  descriptors: { share: 0.02, least: 5 },
  database_connections: { share: 0, least: 1 },
  rows_orders_open: { share: 0, least: 5 },
  rows_orders_to_publish: { share: 0, least: 1 },
  rows_targets_open: { share: 0, least: 10 },
  rows_targets_of_ended: { share: 0, least: 0 },
  rows_campaigns_running: { share: 0, least: 0.5 },
  rows_troubles_open: { share: 0.1, least: 5 },
  rows_sessions: { share: 0, least: 0.5 },
  rows_events: { share: 0.05, least: 0, fromMinute: EVENTS_KEPT_MINUTES },
  rows_jobs: { share: 0, least: 5 },
  /** Mostly BullMQ's own event stream, which it trims at about ten thousand. */
  rows_queue_other: { share: 0.05, least: 5 },
  mqtt_p50_ms: { share: 0.15, least: 1 },
  mqtt_p99_ms: { share: 0.25, least: 10 },
  http_p50_ms: { share: 0.15, least: 1 },
  http_p99_ms: { share: 0.25, least: 10 },
  puback_p50_ms: { share: 0.15, least: 1 },
  puback_p99_ms: { share: 0.25, least: 10 },
  loop_p99_ms: { share: 0.25, least: 5 },
};

type Minute = Record<string, number>;

interface Options {
  minutes: number;
  printers: number;
}

function numberOf(args: string[], name: string, otherwise: number): number {
  const text = args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3);
  const value = text === undefined ? otherwise : Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name}=${text} is no whole number`);
  return value;
}

const rounded = (value: number): number => Math.round(value * 100) / 100;

/** Samples the memory repeatedly; gives the minimum of each figure since the last call. */
function watchMemory(probe: Probe): { take(): Minute; stop(): Promise<void> } {
  let least: Minute = {};
  let over = false;
  const see = (values: Minute) => {
    for (const [name, value] of Object.entries(values)) {
      least[name] = Math.min(least[name] ?? Number.POSITIVE_INFINITY, value);
    }
  };
  const watching = (async () => {
    while (!over) {
      see({ ...probe.process(), ...(await probe.metrics()) });
      await sleep(MEMORY_EVERY_MS);
    }
  })();
  return {
    take() {
      const taken = least;
      least = {};
      return taken;
    },
    async stop() {
      over = true;
      await watching;
    },
  };
}

/** Runs the soak. @returns one row per minute, and the totals */
async function soak(
  { minutes, printers }: Options,
  row: (minute: Minute) => void,
): Promise<{ rows: Minute[]; happened: BenchResult['figures'] }> {
  const folder = temporaryFolder('platen-soak-');
  const data = join(folder, 'data');
  await publishReleases(data, CATALOG);
  const product = await startProduct({ data });
  const pid = product.process.pid as number;
  const ending = new AbortController();
  const end = () => ending.abort();
  process.once('SIGINT', end);
  process.once('SIGTERM', end);
  const closing: (() => Promise<unknown>)[] = [() => product.stop()];
  try {
    const operator = await product.operator();
    await operator.call('catalog.put', { document: CATALOG });
    await operator.call('rules.put', { document: RULES });
    const scenario = soakScenario(printers);
    const ids = planFleet(checkScenario(scenario), printers).printers.map(({ printer }) => printer);
    const passwords: Record<string, string> = {};
    for (let at = 0; at < ids.length; at += ENROL_AT_ONCE) {
      const { items } = await operator.call('printers.enroll', {
        printers: ids.slice(at, at + ENROL_AT_ONCE),
      });
      for (const one of items as { printer: string; password: string }[]) {
        passwords[one.printer] = one.password;
      }
    }
    const root = openRepository(join(data, 'repository')).rootBytes();
    if (!root) throw new Error('the repository has no root');
    const fleet = startScript(new URL('./soak/fleet.ts', import.meta.url));
    closing.push(() => fleet.stop());
    const orders: FleetOrders = {
      url: product.mqtt,
      scenario,
      printers,
      passwords,
      root: root.toString('base64'),
    };
    fleet.say(JSON.stringify(orders));
    const fleetMinute = async () => {
      fleet.say('minute');
      return JSON.parse(await fleet.line()) as FleetMinute;
    };
    const database = await reachEmbedded(data, log);
    closing.push(() => database.release());
    const probe = await Probe.open({ pid, http: product.http, databaseUrl: database.url });
    closing.push(() => probe.close());
    const { token } = (await operator.call('tokens.create', { name: 'soak', role: 'operator' })) as {
      token: string;
    };
    const random = randomFor(1, 'soak');
    const operators = new Operators({
      operator,
      http: product.http,
      token,
      admin: product.admin,
      printer: () => ids[Math.floor(random() * ids.length)] as string,
      groups: groupsOf(printers),
    });
    while ((await fleetMinute()).online < printers * 0.95)
      await sleep(1_000, undefined, { signal: ending.signal });
    operators.start();
    closing.push(() => operators.stop());
    const memory = watchMemory(probe);
    closing.push(() => memory.stop());
    const rows: Minute[] = [];
    let cpu = { at: performance.now(), all_s: cpuSeconds([pid, fleet.process.pid as number]), fleet_s: 0 };
    let told = await fleetMinute();
    const began = { connects: told.connects, entries: told.entriesLogged, published: told.published };
    for (let minute = 1; minute <= minutes && !ending.signal.aborted; minute++) {
      await sleep(MINUTE_MS, undefined, { signal: ending.signal }).catch(() => undefined);
      told = await fleetMinute();
      const { mqtt, http } = operators.takeAsked();
      const now = {
        at: performance.now(),
        all_s: cpuSeconds([pid, fleet.process.pid as number]),
        fleet_s: told.cpu_s,
      };
      const seconds = (now.at - cpu.at) / 1_000;
      const one: Minute = {
        minute,
        ...memory.take(),
        ...(await probe.rows()),
        mqtt_p50_ms: mqtt.percentile(0.5),
        mqtt_p99_ms: mqtt.percentile(0.99),
        http_p50_ms: http.percentile(0.5),
        http_p99_ms: http.percentile(0.99),
        puback_p50_ms: told.puback_p50_ms,
        puback_p99_ms: told.puback_p99_ms,
        fleet_online: told.online,
        fleet_unacknowledged: told.entriesUnacknowledged,
        fleet_lost: told.entriesLost,
        fleet_orders: told.orders,
        cpu_share: (now.all_s - cpu.all_s) / seconds,
      };
      cpu = now;
      rows.push(one);
      row(one);
    }
    const happened = {
      connects: told.connects - began.connects,
      messages: told.published - began.published,
      entries_logged: told.entriesLogged - began.entries,
      entries_lost: told.entriesLost,
      uplinks_refused: told.refused,
      orders: told.orders,
      campaigns_begun: operators.campaigns.begun,
      campaigns_finished: operators.campaigns.finished,
      campaigns_aborted: operators.campaigns.aborted,
      events_read: operators.events,
      operator_failures: operators.failures.length,
      first_failures: operators.failures.slice(0, 5).join(' | '),
    };
    return { rows, happened };
  } finally {
    process.off('SIGINT', end);
    process.off('SIGTERM', end);
    for (const close of closing.reverse()) await close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function judge(rows: Minute[], minutes: number): Record<string, Trend> {
  const trends: Record<string, Trend> = {};
  for (const [name, bound] of Object.entries(BOUNDS)) {
    const from = bound.fromMinute ?? Math.max(1, Math.round(minutes * WARM_UP_SHARE));
    const samples = rows
      .filter((row) => (row['minute'] ?? 0) > from)
      .map((row) => ({ minute: row['minute'] ?? 0, value: row[name] ?? 0 }));
    trends[name] = trendOf(samples, bound);
  }
  return trends;
}

export async function run(args: string[]): Promise<BenchResult> {
  const minutes = numberOf(args, 'minutes', MINUTES);
  const printers = numberOf(args, 'printers', PRINTERS);
  const results = new URL('./results/', import.meta.url);
  mkdirSync(results, { recursive: true });
  const csv = new URL('./soak-minutes.csv', results);
  let started = false;
  const { rows, happened } = await soak({ minutes, printers }, (row) => {
    if (!started) writeFileSync(csv, `${Object.keys(row).join(',')}\n`);
    started = true;
    appendFileSync(csv, `${Object.values(row).map(rounded).join(',')}\n`);
    process.stderr.write(
      `minute ${row['minute']}: ${[
        'rss_mib',
        'heap_mib',
        'descriptors',
        'fleet_online',
        'mqtt_p99_ms',
        'http_p99_ms',
        'puback_p99_ms',
        'cpu_share',
      ]
        .map((name) => `${name} ${rounded(row[name] ?? 0)}`)
        .join(', ')}\n`,
    );
  });
  const figures: BenchResult['figures'] = { printers, minutes: rows.length, ...happened };
  const bars: BenchResult['bars'] = [];
  for (const [name, trend] of Object.entries(judge(rows, rows.length))) {
    for (const part of ['first', 'median', 'last', 'most'] as const)
      figures[`${name}_${part}`] = rounded(trend[part]);
    if (trend.samples < 2) continue;
    bars.push({
      name: `${name}, growth in an hour`,
      value: rounded(trend.perHour),
      bar: `<= ${rounded(trend.perHourMax)}`,
      met: trend.flat,
    });
  }
  const cpu = trendOf(
    rows.map((row) => ({ minute: row['minute'] ?? 0, value: row['cpu_share'] ?? 0 })),
    { share: 1, least: 1 },
  );
  figures['cpu_share_median'] = rounded(cpu.median);
  figures['cpu_share_wanted'] = `<= ${CPU_SHARE_MAX}`;
  bars.push({
    name: 'entries lost',
    value: Number(happened['entries_lost']),
    bar: '<= 0',
    met: happened['entries_lost'] === 0,
  });
  return { figures, ratios: {}, bars };
}
