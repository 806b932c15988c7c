/**
 * `npm run bench -- queries`: what a cockpit asks about a fleet of 100,000 printers, over HTTP, one request after the
 * other.
 *
 * The fleet enters through the front door of `platen up`: every printer is enrolled, connects over MQTT with its
 * password, and sends its structure and a reading; some send jams that a rule turns into troubles, and one of them
 * sends 10,000 entries. Most leave again, `--online=` (1,000) stay. `--printers=` makes the fleet smaller. When every
 * printer is judged the tables are vacuumed, as autovacuum would do a while later, and the requests begin.
 *
 * A list must meet its bar with its slowest filter, over all sort orders. There is no peer: the bars are times.
 */
import { readFileSync, rmSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { PRINTER_SORTS } from '../center/queries.ts';
import type { OperatorClient } from '../cli/operator-client.ts';
import { printerTopic } from '../schemas/topics.ts';
import type { Structure } from '../schemas/types.ts';
import { temporaryFolder } from '../tests/harness/folder.ts';
import { sampleStructure } from '../tests/harness/printer.ts';
import { startProduct } from '../tests/harness/product.ts';
import { publishReleases, putSampleCatalog, sample } from '../tests/harness/samples.ts';
import { Web } from '../tests/harness/web.ts';
import { connectBytes, LoadClient, publishBytes, quantile } from './brokers/load-client.ts';
import type { BenchResult } from './result.ts';

const PRINTERS = 100_000;
const ONLINE = 1_000;
const UNDER_WAY_MAX = 200;
const ENROL_AT_ONCE = 1_000;
const SITES = 300;
const HARDWARE = 120;
const LONG_LOG_ENTRIES = 10_000;
const ENTRIES_PER_MESSAGE = 200;
/** One in this many printers has the trouble. */
const TROUBLE_EVERY = 50;
const SETTLED_MS_MAX = 1_800_000;
const ASKED = 100;
const ASKED_PER_SORT = 15;
const ASKED_HEAVY = 10;

const FILTERS = [
  '',
  'id=bench-01*',
  'model=C360',
  'site=site-7',
  'serial=SN-77777',
  'label.ring=canary',
  'presence=online',
  'presence=offline',
  'verdict=incompatible',
  'verdict!=compatible',
  'seen<PT2H',
  'software:acme.engine=2.5.0',
  'software:acme.engine<2.5.0',
  'unit:FS-540',
  'trouble:bench-jam',
  'troubles>=1',
  'severity=minor',
  'supply.toner<10',
  'text~sn-7777',
];

function idOf(index: number): string {
  return `bench-${String(index).padStart(6, '0')}`;
}

function structureOf(index: number): Structure {
  // One in twenty has an engine that its controller does not support.
  const misfit = index % 20 === 0;
  const engine = misfit || index % 3 === 0 ? '2.4.0' : '2.5.0';
  const controller = misfit ? '3.1.0' : engine === '2.4.0' ? '3.0.0' : '3.1.0';
  const sampled = sampleStructure({
    session: `session-${index}`,
    at: new Date().toISOString(),
    site: `site-${index % SITES}`,
    labels: { ring: index % 50 === 0 ? 'canary' : 'broad' },
  });
  const { apparatus, units } = sampled;
  apparatus.serial = `SN-${index}`;
  for (const installed of apparatus.software ?? []) installed.version = controller;
  for (const unit of units) {
    unit.serial = `${unit.symbol}-${index}`;
    for (const installed of unit.software ?? []) installed.version = engine;
    if (unit.kind === 'finisher') unit.hardware = `1.${index % HARDWARE}`;
  }
  return index % 4 === 0 ? { ...sampled, units: units.filter(({ kind }) => kind !== 'finisher') } : sampled;
}

function readingOf(index: number): object {
  return {
    session: `session-${index}`,
    number: 1,
    at: new Date().toISOString(),
    reason: 'connect',
    state: 'idle',
    counters: { impressions: 1_000 * index },
    supplies: [
      {
        symbol: 'supply.black',
        kind: 'toner',
        color: 'black',
        level: index % 100,
        capacity: 100,
        measure: 'percent',
        known: 'exact',
        state: 'ok',
      },
    ],
  };
}

function entriesOf(log: string, code: string, from: number, count: number): object {
  const began_ms = Date.now() - LONG_LOG_ENTRIES * 60_000;
  return {
    log,
    first: 1,
    reason: 'event',
    entries: Array.from({ length: count }, (_, offset) => ({
      seq: from + offset,
      at: new Date(began_ms + (from + offset) * 60_000).toISOString(),
      code,
      severity: 'error',
      unit: 'engine',
      pages: from + offset,
    })),
  };
}

/** Everything that a printer of this fleet sends, in order. */
function messagesOf(index: number): { topic: string; payload: object; retain: boolean }[] {
  const id = idOf(index);
  const errors = (batch: object) => ({ topic: printerTopic.errors(id), payload: batch, retain: false });
  const long = Array.from({ length: index === 1 ? LONG_LOG_ENTRIES / ENTRIES_PER_MESSAGE : 0 }, (_, at) =>
    errors(entriesOf('long', 'S-1000', at * ENTRIES_PER_MESSAGE + 1, ENTRIES_PER_MESSAGE)),
  );
  return [
    { topic: printerTopic.structure(id), payload: structureOf(index), retain: true },
    { topic: printerTopic.readings(id), payload: readingOf(index), retain: false },
    ...(index % TROUBLE_EVERY === 0 ? [errors(entriesOf('jams', 'B-7201', 1, 3))] : []),
    ...long,
  ];
}

/** Connects one printer and sends its messages one after the other; resolves at the last PUBACK. */
async function visit(port: number, index: number, password: string): Promise<LoadClient> {
  const client = new LoadClient(port);
  const waiting = messagesOf(index).map(({ topic, payload, retain }) =>
    publishBytes(topic, Buffer.from(JSON.stringify(payload)), 1, retain),
  );
  await new Promise<void>((resolve, reject) => {
    client.onClose = () => reject(new Error(`${idOf(index)}: the connection was closed`));
    client.onPacket = (first) => {
      if (first !== 0x20 && first !== 0x40) return;
      const next = waiting.shift();
      if (next) client.write(next);
      else resolve();
    };
    client.write(connectBytes(idOf(index), password));
  });
  client.onClose = () => undefined;
  return client;
}

/** Enrols the fleet and lets it report. @returns the connections that stay */
async function seed(
  admin: OperatorClient,
  port: number,
  printers: number,
  online: number,
): Promise<LoadClient[]> {
  const staying: LoadClient[] = [];
  const started = performance.now();
  for (let from = 0; from < printers; from += ENROL_AT_ONCE) {
    const names = Array.from({ length: Math.min(ENROL_AT_ONCE, printers - from) }, (_, at) =>
      idOf(from + at),
    );
    const { items } = (await admin.call('printers.enroll', { printers: names })) as {
      items: { password: string }[];
    };
    let next = 0;
    const lane = async () => {
      for (let at = next++; at < items.length; at = next++) {
        const client = await visit(port, from + at, items[at]?.password ?? '');
        if (from + at >= printers - online) staying.push(client);
        else client.destroy();
      }
    };
    await Promise.all(Array.from({ length: UNDER_WAY_MAX }, lane));
    if ((from / ENROL_AT_ONCE) % 10 === 9) {
      const rate = ((from + items.length) * 1_000) / (performance.now() - started);
      process.stderr.write(`${from + items.length} printers reported, ${Math.round(rate)}/s\n`);
    }
  }
  return staying;
}

/** Waits until every printer is judged and every trouble is open. */
async function settled(admin: OperatorClient, printers: number): Promise<void> {
  const until = performance.now() + SETTLED_MS_MAX;
  for (;;) {
    const { verdict, troubles } = (await admin.call('fleet.summary')) as {
      verdict: Record<string, number>;
      troubles: { open: number };
    };
    const judged = Object.entries(verdict).reduce((sum, [word, n]) => sum + (word === 'none' ? 0 : n), 0);
    if (judged === printers && troubles.open >= Math.floor(printers / TROUBLE_EVERY)) return;
    if (performance.now() > until) throw new Error(`only ${judged} of ${printers} are judged`);
    await sleep(1_000);
  }
}

/** Updates the tables' statistics and visibility maps, as autovacuum does. */
async function vacuum(data: string): Promise<void> {
  const password = readFileSync(join(data, 'postgres', 'password'), 'utf8').trim();
  const client = new pg.Client({
    connectionString: `postgresql://platen:${password}@/postgres?host=${encodeURIComponent(join(data, 'postgres'))}`,
  });
  await client.connect();
  try {
    await client.query('VACUUM ANALYZE');
  } finally {
    await client.end();
  }
}

class Asker {
  readonly #web: Web;

  constructor(web: Web) {
    this.#web = web;
  }

  /** Response times, ms. */
  async times(
    method: string,
    params: object | ((turn: number) => object),
    asked: number,
  ): Promise<Float64Array> {
    const times = new Float64Array(asked);
    for (let turn = -2; turn < asked; turn += 1) {
      const body = typeof params === 'function' ? params(Math.max(turn, 0)) : params;
      const started = performance.now();
      const { body: reply, text } = await this.#web.call(method, body);
      const took_ms = performance.now() - started;
      if (reply?.status !== 'ok') throw new Error(`${method} ${JSON.stringify(body)}: ${text.slice(0, 500)}`);
      // The first requests prepare statements.
      if (turn >= 0) times[turn] = took_ms;
    }
    return times;
  }
}

const two = (value: number) => Math.round(value * 100) / 100;

interface Timed {
  p50: number;
  p99: number;
}

function timed(times: Float64Array): Timed {
  return { p50: two(quantile(times, 0.5)), p99: two(quantile(times, 0.99)) };
}

/** Lists by every filter and sort order; reports the slowest filter. */
async function lists(asker: Asker): Promise<{ slowest: string; all: Timed; worst: Timed }> {
  const every: number[] = [];
  let slowest = '';
  let worst: Timed = { p50: 0, p99: 0 };
  const sorts = PRINTER_SORTS.flatMap((key) => [key, `-${key}`] as const);
  for (const where of FILTERS) {
    const of: number[] = [];
    for (const sort of sorts) {
      const times = await asker.times('printers.list', { where, sort }, ASKED_PER_SORT);
      const { p50, p99 } = timed(times);
      if (p50 > 25)
        process.stderr.write(`slow: ${JSON.stringify(where)} by ${sort}: p50 ${p50}, p99 ${p99} ms\n`);
      of.push(...times);
    }
    every.push(...of);
    const here = timed(Float64Array.from(of));
    process.stderr.write(`${where || 'everything'}: p50 ${here.p50} ms, p99 ${here.p99} ms\n`);
    if (here.p99 > worst.p99) [slowest, worst] = [where || 'everything', here];
  }
  return { slowest, all: timed(Float64Array.from(every)), worst };
}

function option(args: readonly string[], name: string, otherwise: number): number {
  const given = args.find((arg) => arg.startsWith(`--${name}=`))?.split('=')[1];
  return given === undefined ? otherwise : Number(given);
}

/** The catalog with one more requirement, as somebody might try it. */
function triedCatalog(): object {
  const document = sample('catalog.json') as { software: { id: string; releases: { version: string }[] }[] };
  for (const software of document.software) {
    if (software.id !== 'acme.controller') continue;
    for (const release of software.releases) {
      if (release.version === '3.1.0') {
        Object.assign(release, { requires: [{ software: 'acme.engine', range: '>=2.6.0' }] });
      }
    }
  }
  return { ...document, catalog: 'tried' };
}

export async function run(args: string[]): Promise<BenchResult> {
  const printers = option(args, 'printers', PRINTERS);
  const online = option(args, 'online', ONLINE);
  const folder = temporaryFolder('platen-bench-');
  const data = join(folder, 'data');
  await publishReleases(data, sample('catalog.json'));
  const product = await startProduct({ data });
  let staying: LoadClient[] = [];
  const load_before = loadavg()[0] ?? 0;
  try {
    const admin = await product.operator();
    await admin.call('rollout.set', { corrections: 'propose' });
    await putSampleCatalog(admin);
    const rule = {
      id: 'bench-jam',
      where: { all: [['code', '=', 'B-7201']] },
      by: ['printer'],
      when: { count: { ge: 3, over: 'P30D' } },
    };
    await admin.call('rules.put', { document: { rules: 'bench', list: [rule] } });
    const began = performance.now();
    staying = await seed(admin, Number(new URL(product.mqtt).port), printers, online);
    const reported_s = (performance.now() - began) / 1_000;
    await settled(admin, printers);
    const settled_s = (performance.now() - began) / 1_000;
    await vacuum(data);
    const { username, password } = product.admin;
    const asker = new Asker(await new Web(product.http).signIn(username, password));
    const load_asking = loadavg()[0] ?? 0;

    const list = await lists(asker);
    const facets = timed(await asker.times('printers.facets', { where: 'verdict=compatible' }, ASKED));
    const facetsOfAll = timed(await asker.times('printers.facets', {}, ASKED));
    const timeline = timed(await asker.times('printers.timeline', { printer: idOf(1) }, ASKED));
    const summary = timed(await asker.times('fleet.summary', {}, ASKED));
    const third = Array.from({ length: SITES / 3 }, (_, site) => `site-${site * 3}`).join(',');
    const asked = { software: { id: 'acme.engine', range: '2.6.1' }, where: `site=${third}` };
    const preview = timed(await asker.times('campaigns.preview', asked, ASKED_HEAVY));
    const impact = timed(await asker.times('catalog.impact', { document: triedCatalog() }, ASKED_HEAVY));
    const { data: previewed } = (await new Web(product.http)
      .signIn(username, password)
      .then((web) => web.call('campaigns.preview', asked))
      .then(({ body }) => body)) as { data: { targets: number; configurations: unknown[] } };

    const bar = (name: string, value: number, most: number) => ({
      name: `${name}, p99 ms`,
      value,
      bar: `at most ${most}`,
      met: value <= most,
    });
    return {
      ...(printers === PRINTERS ? {} : { part: String(printers) }),
      figures: {
        printers,
        online,
        seeded_by: 'the front door: enrolled, MQTT with passwords, structures, readings, entries',
        reported_s: Math.round(reported_s),
        judged_s: Math.round(settled_s),
        load_average_1_min_before: two(load_before),
        load_average_1_min_asking: two(load_asking),
        list_filters: FILTERS.length,
        list_sorts: PRINTER_SORTS.length * 2,
        list_p50_ms: list.all.p50,
        list_p99_ms: list.all.p99,
        list_slowest_filter: list.slowest,
        list_slowest_filter_p50_ms: list.worst.p50,
        list_slowest_filter_p99_ms: list.worst.p99,
        facets_of_filter_p50_ms: facets.p50,
        facets_of_filter_p99_ms: facets.p99,
        facets_of_fleet_p50_ms: facetsOfAll.p50,
        facets_of_fleet_p99_ms: facetsOfAll.p99,
        timeline_p50_ms: timeline.p50,
        timeline_p99_ms: timeline.p99,
        summary_p50_ms: summary.p50,
        summary_p99_ms: summary.p99,
        preview_targets: previewed.targets,
        preview_configurations: previewed.configurations.length,
        preview_p50_ms: preview.p50,
        preview_p99_ms: preview.p99,
        impact_p50_ms: impact.p50,
        impact_p99_ms: impact.p99,
      },
      ratios: {},
      bars: [
        bar('printers.list, slowest filter', list.worst.p99, 50),
        bar('printers.facets', Math.max(facets.p99, facetsOfAll.p99), 200),
        bar('printers.timeline of 10,000 entries', timeline.p99, 50),
        bar('fleet.summary', summary.p99, 30),
        bar('campaigns.preview', preview.p99, 1_000),
        bar('catalog.impact', impact.p99, 2_000),
      ],
    };
  } finally {
    for (const client of staying) client.destroy();
    await product.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
