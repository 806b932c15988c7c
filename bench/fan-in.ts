/** Many printers publish with QoS 1 to one subscriber: publishes acknowledged and delivered per second. */
import type { BenchResult } from './bench.ts';
import { cpuSeconds, type Peer, type PeerName, pause, startPeer } from './brokers/peers.ts';
import { LoadClient, publishBytes } from './mqtt/load-client.ts';

const PUBLISHERS = 50;
/** Publishes that a publisher has under way: it sends the next batch when all of one are acknowledged. */
const BATCH = 20;
const PAYLOAD_BYTES = 200;
const WARM_MS = 1_000;
const MEASURE_MS = 3_000;
/** The peers are measured in turn, so that what else the machine does meets all of them. */
const ROUNDS = 3;
const PEERS: PeerName[] = ['platen', 'mosquitto', 'aedes'];

interface FanIn {
  acknowledged_per_s: number;
  delivered_per_s: number;
  cpu_us: number;
}

async function measure(peer: Peer): Promise<FanIn> {
  const clients: LoadClient[] = [];
  let acknowledged = 0;
  let delivered = 0;
  const subscriber = new LoadClient(peer.port);
  clients.push(subscriber);
  await subscriber.open('subscriber');
  await subscriber.subscribe(['in/#'], 0);
  subscriber.onPacket = () => {
    delivered++;
  };
  for (let index = 0; index < PUBLISHERS; index++) {
    const client = new LoadClient(peer.port);
    clients.push(client);
    await client.open(`publisher-${index}`);
    const payload = Buffer.alloc(PAYLOAD_BYTES, 'x');
    const batch = Buffer.concat(
      Array.from({ length: BATCH }, (_, n) => publishBytes(`in/${index}`, payload, 1, false, n + 1)),
    );
    let open = 0;
    client.onPacket = (first) => {
      if (first !== 0x40) return;
      acknowledged++;
      if (--open > 0) return;
      open = BATCH;
      client.write(batch);
    };
    open = BATCH;
    client.write(batch);
  }
  await pause(WARM_MS);
  const before = { acknowledged, delivered, cpu: cpuSeconds(peer.pid), at: performance.now() };
  await pause(MEASURE_MS);
  const seconds = (performance.now() - before.at) / 1_000;
  const cpu = cpuSeconds(peer.pid) - before.cpu;
  const result = {
    acknowledged_per_s: (acknowledged - before.acknowledged) / seconds,
    delivered_per_s: (delivered - before.delivered) / seconds,
    cpu_us: (cpu / (acknowledged - before.acknowledged)) * 1e6,
  };
  for (const client of clients) client.destroy();
  return result;
}

export async function run(): Promise<BenchResult> {
  const runs: Record<PeerName, FanIn[]> = { platen: [], mosquitto: [], aedes: [] };
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of PEERS) {
      const peer = await startPeer(name);
      try {
        runs[name].push(await measure(peer));
      } finally {
        await peer.stop();
      }
    }
  }
  const figures: Record<string, number> = {};
  const middle = (name: PeerName): FanIn =>
    [...runs[name]].sort((a, b) => a.acknowledged_per_s - b.acknowledged_per_s)[ROUNDS >> 1] as FanIn;
  for (const name of PEERS) {
    const { acknowledged_per_s, delivered_per_s, cpu_us } = middle(name);
    figures[`${name}_acknowledged_per_s`] = Math.round(acknowledged_per_s);
    figures[`${name}_delivered_per_s`] = Math.round(delivered_per_s);
    figures[`${name}_cpu_us_per_publish`] = Math.round(cpu_us * 10) / 10;
  }
  const ratio = (name: PeerName) =>
    Math.round((middle('platen').acknowledged_per_s / middle(name).acknowledged_per_s) * 100) / 100;
  const ratios = { to_mosquitto: ratio('mosquitto'), to_stock_aedes: ratio('aedes') };
  return {
    figures,
    ratios,
    bars: [
      {
        name: "fan-in QoS 1, rate to mosquitto's",
        value: ratios.to_mosquitto,
        bar: '>= 1',
        met: ratios.to_mosquitto >= 1,
      },
    ],
  };
}
