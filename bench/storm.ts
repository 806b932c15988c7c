/**
 * A reconnect storm: N printers connect, subscribe to their downlinks and publish a retained structure of 1.5 kB with
 * QoS 1; a printer is done when its structure is acknowledged. Ours has it on disk then, mosquitto in memory.
 */
import { downlinkFilters, printerTopic } from '../schemas/topics.ts';
import type { BenchResult } from './bench.ts';
import { cpuSeconds, type Peer, type PeerName, pause, rssBytes, startPeer } from './brokers/peers.ts';
import { connectBytes, LoadClient, publishBytes, subscribeBytes } from './mqtt/load-client.ts';

const SIZES = [1_000, 10_000, 15_000];
const IDLE_CONNECTIONS = 10_000;
/** Printers under way at the same time: a site's switch comes back, everybody connects at once. */
const UNDER_WAY_MAX = 1_000;
const STRUCTURE_BYTES = 1_500;
const STORM_MS_MAX = 120_000;
const REPEATS = 1;
const KIB = 1_024;

/** One printer's storm; resolves when PUBACK came. */
function printer(port: number, name: string): { client: LoadClient; done: Promise<void> } {
  const client = new LoadClient(port);
  const structure = Buffer.alloc(STRUCTURE_BYTES, `{"printer":"${name}"}`);
  const done = new Promise<void>((resolve, reject) => {
    client.onClose = () => reject(new Error(`${name}: closed`));
    client.onPacket = (first) => {
      if (first === 0x20) client.write(subscribeBytes(downlinkFilters(name), 1));
      else if (first === 0x90) client.write(publishBytes(printerTopic.structure(name), structure, 1, true));
      else if (first === 0x40) resolve();
    };
    client.write(connectBytes(name));
  });
  return { client, done };
}

/** Runs `count` starts of `begin`, at most UNDER_WAY_MAX at the same time; gives the seconds they took. */
async function crowd(count: number, begin: (index: number) => Promise<void>): Promise<number> {
  const started = performance.now();
  let next = 0;
  const timer = setTimeout(() => {
    throw new Error(`the storm isn't over after ${STORM_MS_MAX} ms`);
  }, STORM_MS_MAX);
  const lane = async () => {
    while (next < count) await begin(next++);
  };
  await Promise.all(Array.from({ length: Math.min(UNDER_WAY_MAX, count) }, lane));
  clearTimeout(timer);
  return (performance.now() - started) / 1_000;
}

interface Storm {
  printers_per_s: number;
  cpu_us_per_printer: number;
}

async function storm(peer: Peer, count: number): Promise<Storm> {
  const clients: LoadClient[] = [];
  const cpuBefore = cpuSeconds(peer.pid);
  const seconds = await crowd(count, async (index) => {
    const { client, done } = printer(peer.port, `printer-${index}`);
    clients.push(client);
    await done;
  });
  const cpu = cpuSeconds(peer.pid) - cpuBefore;
  for (const client of clients) client.destroy();
  return { printers_per_s: count / seconds, cpu_us_per_printer: (cpu / count) * 1e6 };
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

/** Each run has a broker of its own, so that none has the warmth or the rubbish of the one before. */
async function measure(name: PeerName, count: number): Promise<Storm> {
  const runs: Storm[] = [];
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const peer = await startPeer(name);
    try {
      // The first hundred compile the code paths; a broker that was up before the storm has them compiled.
      await storm(peer, 100);
      runs.push(await storm(peer, count));
    } finally {
      await peer.stop();
    }
  }
  return {
    printers_per_s: Math.round(median(runs.map((run) => run.printers_per_s))),
    cpu_us_per_printer: Math.round(median(runs.map((run) => run.cpu_us_per_printer))),
  };
}

export async function run(): Promise<BenchResult> {
  const figures: Record<string, number> = {};
  const ratios: Record<string, number> = {};
  const bars: BenchResult['bars'] = [];
  const ours: Record<number, Storm> = {};
  for (const count of SIZES) {
    const mine = await measure('platen', count);
    const theirs = await measure('mosquitto', count);
    ours[count] = mine;
    figures[`platen_${count}_printers_per_s`] = mine.printers_per_s;
    figures[`platen_${count}_cpu_us_per_printer`] = mine.cpu_us_per_printer;
    figures[`mosquitto_${count}_printers_per_s`] = theirs.printers_per_s;
    figures[`mosquitto_${count}_cpu_us_per_printer`] = theirs.cpu_us_per_printer;
    const ratio = round(mine.printers_per_s / theirs.printers_per_s);
    ratios[`${count}_rate_to_mosquitto`] = ratio;
    if (count >= 10_000) {
      bars.push({
        name: `${count} printers, rate to mosquitto's`,
        value: ratio,
        bar: '>= 0.5',
        met: ratio >= 0.5,
      });
    }
  }
  const growth = round(
    (ours[15_000] as Storm).cpu_us_per_printer / (ours[1_000] as Storm).cpu_us_per_printer,
  );
  ratios['cpu_per_printer_15000_to_1000'] = growth;
  bars.push({ name: 'CPU per printer, 15,000 to 1,000', value: growth, bar: '<= 1.2', met: growth <= 1.2 });
  for (const name of ['platen', 'mosquitto'] as const) {
    const peer = await startPeer(name);
    try {
      const kib = round((await idleBytes(peer)) / KIB);
      figures[`${name}_idle_connection_KiB`] = kib;
      if (name === 'platen')
        bars.push({ name: 'KiB an idle connection', value: kib, bar: '<= 16', met: kib <= 16 });
    } finally {
      await peer.stop();
    }
  }
  return { figures, ratios, bars };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
