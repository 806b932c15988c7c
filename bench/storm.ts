/**
 * A reconnect storm: N printers connect, subscribe to their downlinks and publish a retained structure of 1.5 kB with
 * QoS 1.
 *
 * (product) `platen up`: enrolled printers with passwords; a printer is done when its structure is acknowledged, which
 * means that it is in the database, and its verdict has come; (broker) our broker alone, open access, done at PUBACK,
 * which means that the structure is on disk; (mosquitto) the same without durability. The CPU of the product is that of
 * its own process; the CPU of Postgres is reported separately.
 *
 * In a real reconnect storm the server is already warm: each of the three first serves WARM_UP printers that do the
 * same and leave, and has SETTLE_MS to clean up after them. The measured printers are different ones that connect for
 * the first time, so that the product has cached neither their passwords nor their structures.
 *
 * A thousand simultaneous connects overflow mosquitto's listen backlog of 100, which no setting changes. Linux sends
 * such a connect again after a second, which shows in a storm of 1,000 more than mosquitto's own speed does, and a
 * storm of 10,000 may end with such a wait. How many connects were sent again is reported beside each rate.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { downlinkFilters, printerTopic } from '../schemas/topics.ts';
import { sampleStructure } from '../tests/harness/printer.ts';
import { startProduct } from '../tests/harness/product.ts';
import {
  connectBytes,
  LoadClient,
  pubackBytes,
  publishBytes,
  subscribeBytes,
} from './brokers/load-client.ts';
import {
  cpuSeconds,
  type Peer,
  type PeerName,
  pause,
  rssBytes,
  startPeer,
  treeCpuSeconds,
} from './brokers/peers.ts';
import type { BenchResult } from './result.ts';

const SIZES = [1_000, 10_000, 15_000];
const IDLE_CONNECTIONS = 10_000;
/** Printers in flight: a site's switch comes back and all of its printers connect at once. */
const UNDER_WAY_MAX = 1_000;
const STRUCTURE_BYTES = 1_500;
const LABEL_BYTES = 120;
const ENROL_AT_ONCE = 1_000;
/** Printers of the warm-up storm: a server that has been up has its code compiled. */
const WARM_UP = 2_000;
/** Between the two storms: cleaning up after those that left is not part of the second. */
const SETTLE_MS = 2_000;
const STORM_MS_MAX = 120_000;
/** Rounds of each size; figures are medians, and a ratio is the median of those within a round. */
const ROUNDS = 3;
const KIB = 1_024;

/** A structure of about STRUCTURE_BYTES that differs per printer: labels of at most 128 characters fill it up. */
function structureOf(name: string): Buffer {
  const document = sampleStructure({ session: name, labels: {} });
  document.apparatus.serial = name;
  const labels = document.labels as Record<string, string>;
  for (let n = 0; JSON.stringify(document).length < STRUCTURE_BYTES - LABEL_BYTES; n++) {
    labels[`label-${n}`] = 'x'.repeat(LABEL_BYTES - 20);
  }
  return Buffer.from(JSON.stringify(document));
}

/** The packets of one printer, encoded before the storm begins, because the generator shares the two cores. */
interface Script {
  name: string;
  connect: Buffer;
  subscribe: Buffer;
  structure: Buffer;
  /** Topic of the verdict that it waits for; undefined when none comes. */
  verdict: string | undefined;
}

function scriptOf(name: string, password?: string): Script {
  return {
    name,
    connect: connectBytes(name, password),
    subscribe: subscribeBytes(downlinkFilters(name), 1),
    structure: publishBytes(printerTopic.structure(name), structureOf(name), 1, true),
    verdict: password === undefined ? undefined : printerTopic.verdict(name),
  };
}

/** One printer's part in the storm; resolves after PUBACK and, from the product, the verdict. */
function printer(port: number, script: Script): { client: LoadClient; done: Promise<void> } {
  const client = new LoadClient(port);
  const { name, verdict } = script;
  let missing = verdict === undefined ? 1 : 2;
  const done = new Promise<void>((resolve, reject) => {
    const came = () => {
      if (--missing === 0) resolve();
    };
    client.onClose = () => {
      if (missing > 0) reject(new Error(`${name}: closed`));
    };
    client.onPacket = (first, chunk, start) => {
      if (first === 0x20) client.write(script.subscribe);
      else if (first === 0x90) client.write(script.structure);
      else if (first === 0x40) came();
      else if (first >> 4 === 3) {
        const end = start + 2 + chunk.readUInt16BE(start);
        if ((first & 6) !== 0) client.write(pubackBytes(chunk.readUInt16BE(end)));
        if (chunk.toString('latin1', start + 2, end) === verdict) came();
      }
    };
    client.write(script.connect);
  });
  return { client, done };
}

/** The storm against the whole product. */
async function productStorm(count: number): Promise<Storm & { postgres_cpu_us_per_printer: number }> {
  const product = await startProduct();
  try {
    const operator = await product.operator();
    const catalog = readFileSync(new URL('../deploy/samples/catalog.json', import.meta.url), 'utf8');
    await operator.call('catalog.put', { document: JSON.parse(catalog) });
    const names = [...namesOf('warm', WARM_UP), ...namesOf('printer', count)];
    const scripts: Script[] = [];
    for (let at = 0; at < names.length; at += ENROL_AT_ONCE) {
      const reply = await operator.call('printers.enroll', {
        printers: names.slice(at, at + ENROL_AT_ONCE),
        again: true,
      });
      for (const item of reply['items'] as { printer: string; password: string }[]) {
        scripts.push(scriptOf(item.printer, item.password));
      }
    }
    const port = Number(new URL(product.mqtt).port);
    const pid = product.process.pid as number;
    const postmaster = readFileSync(join(product.data, 'postgres', 'cluster', 'postmaster.pid'), 'utf8');
    const server = Number(postmaster.split('\n')[0]);
    await storm({ pid, port }, scripts.splice(0, WARM_UP));
    await pause(SETTLE_MS);
    const before = treeCpuSeconds(server);
    const figures = await storm({ pid, port }, scripts);
    return {
      ...figures,
      postgres_cpu_us_per_printer: Math.round(((treeCpuSeconds(server) - before) / count) * 1e6),
    };
  } finally {
    await product.stop();
  }
}

function namesOf(kind: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${kind}-${index}`);
}

/** Runs `begin` `count` times, at most UNDER_WAY_MAX at once. @returns seconds it took */
async function crowd(count: number, begin: (index: number) => Promise<void>): Promise<number> {
  const started = performance.now();
  let next = 0;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`the storm isn't over after ${STORM_MS_MAX} ms`)),
      STORM_MS_MAX,
    );
  });
  const lane = async () => {
    while (next < count) await begin(next++);
  };
  await Promise.race([late, Promise.all(Array.from({ length: Math.min(UNDER_WAY_MAX, count) }, lane))]);
  clearTimeout(timer);
  return (performance.now() - started) / 1_000;
}

/** SYNs that Linux sent again since boot because nobody answered. */
function connectsSentAgain(): number {
  const [names = '', values = ''] = readFileSync('/proc/net/netstat', 'utf8').split('\n');
  return Number(values.split(' ')[names.split(' ').indexOf('TCPSynRetrans')]);
}

interface Storm {
  printers_per_s: number;
  /** Connects that waited for a second or more because the listener's backlog was full. */
  connects_sent_again: number;
  cpu_us_per_printer: number;
  /** CPU of the load generator: it runs on the same cores, and bounds the rate of anything that needs less than it. */
  generator_cpu_us_per_printer: number;
}

async function storm(on: { pid: number; port: number }, scripts: Script[]): Promise<Storm> {
  const count = scripts.length;
  const clients: LoadClient[] = [];
  const before = {
    broker: cpuSeconds(on.pid),
    generator: cpuSeconds(process.pid),
    sentAgain: connectsSentAgain(),
  };
  try {
    const seconds = await crowd(count, async (index) => {
      const { client, done } = printer(on.port, scripts[index] as Script);
      clients.push(client);
      await done;
    });
    return {
      printers_per_s: Math.round(count / seconds),
      connects_sent_again: connectsSentAgain() - before.sentAgain,
      cpu_us_per_printer: Math.round(((cpuSeconds(on.pid) - before.broker) / count) * 1e6),
      generator_cpu_us_per_printer: Math.round(((cpuSeconds(process.pid) - before.generator) / count) * 1e6),
    };
  } finally {
    for (const client of clients) client.destroy();
  }
}

async function idleBytes(peer: Peer): Promise<number> {
  const before = rssBytes(peer.pid);
  const clients: LoadClient[] = [];
  await crowd(IDLE_CONNECTIONS, async (index) => {
    const client = new LoadClient(peer.port);
    clients.push(client);
    await client.open(`idle-${index}`);
  });
  await pause(2_000);
  const bytes = (rssBytes(peer.pid) - before) / IDLE_CONNECTIONS;
  for (const client of clients) client.destroy();
  return bytes;
}

const median = (values: number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] as number;

/** The storm against a broker alone; each run has a new process, so that nothing carries over from the last one. */
async function brokerStorm(name: PeerName, count: number): Promise<Storm> {
  const peer = await startPeer(name);
  try {
    await storm(
      peer,
      namesOf('warm', WARM_UP).map((name) => scriptOf(name)),
    );
    await pause(SETTLE_MS);
    return await storm(
      peer,
      namesOf('printer', count).map((name) => scriptOf(name)),
    );
  } finally {
    await peer.stop();
  }
}

interface Round {
  product: Awaited<ReturnType<typeof productStorm>>;
  broker: Storm;
  mosquitto: Storm;
}

/** All in turn, several times: a short stall of the disk then affects one of them in one round. */
async function rounds(count: number): Promise<Round[]> {
  const list: Round[] = [];
  for (let number = 1; number <= ROUNDS; number++) {
    const round: Round = {
      product: await productStorm(count),
      broker: await brokerStorm('platen', count),
      mosquitto: await brokerStorm('mosquitto', count),
    };
    list.push(round);
    const rates = Object.entries(round).map(([name, { printers_per_s }]) => `${name} ${printers_per_s}/s`);
    process.stderr.write(`${count} printers, round ${number}: ${rates.join(', ')}\n`);
  }
  return list;
}

/** @param args numbers of printers instead of the default ones, smallest first */
export async function run(args: string[]): Promise<BenchResult> {
  const asked = args.map(Number).filter((count) => Number.isInteger(count) && count > 0);
  const sizes = asked.length > 0 ? asked : SIZES;
  const figures: Record<string, number> = {};
  const ratios: Record<string, number> = {};
  const bars: BenchResult['bars'] = [];
  const cpu_us: Record<number, number> = {};
  for (const count of sizes) {
    const list = await rounds(count);
    for (const name of ['product', 'broker', 'mosquitto'] as const) {
      for (const figure of Object.keys((list[0] as Round)[name]) as (keyof Storm)[]) {
        figures[`${count}_${name}_${figure}`] = median(list.map((round) => round[name][figure]));
      }
    }
    cpu_us[count] = figures[`${count}_product_cpu_us_per_printer`] as number;
    const toMosquitto = (name: 'product' | 'broker') =>
      list.map((round) => round[name].printers_per_s / round.mosquitto.printers_per_s);
    ratios[`${count}_broker_rate_to_mosquitto`] = rounded(median(toMosquitto('broker')));
    const ratio = rounded(median(toMosquitto('product')));
    ratios[`${count}_product_rate_to_mosquitto`] = ratio;
    figures[`${count}_product_rate_to_mosquitto_least`] = rounded(Math.min(...toMosquitto('product')));
    figures[`${count}_product_rate_to_mosquitto_most`] = rounded(Math.max(...toMosquitto('product')));
    if (count >= 10_000) {
      bars.push({
        name: `${count} printers, durable and judged, rate to mosquitto's`,
        value: ratio,
        bar: '>= 0.5',
        met: ratio >= 0.5,
      });
    }
  }
  const [least = 0, most = 0] = [Math.min(...sizes), Math.max(...sizes)];
  const growth = rounded((cpu_us[most] as number) / (cpu_us[least] as number));
  ratios[`product_cpu_per_printer_${most}_to_${least}`] = growth;
  bars.push({
    name: `CPU per printer, ${most} to ${least}`,
    value: growth,
    bar: '<= 1.2',
    met: growth <= 1.2,
  });
  for (const name of ['platen', 'mosquitto'] as const) {
    const peer = await startPeer(name);
    try {
      const kib = rounded((await idleBytes(peer)) / KIB);
      figures[`${name}_idle_connection_KiB`] = kib;
      if (name === 'platen')
        bars.push({ name: 'KiB an idle connection', value: kib, bar: '<= 16', met: kib <= 16 });
    } finally {
      await peer.stop();
    }
  }
  return { figures, ratios, bars };
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
