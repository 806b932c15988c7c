/** One publisher, many subscribers of the same topic: deliveries per second, and the cost of one. */

import { LoadClient, pubackBytes, publishBytes } from './brokers/load-client.ts';
import { cpuSeconds, type Peer, type PeerName, pause, startPeer } from './brokers/peers.ts';
import type { BenchResult } from './result.ts';

const SUBSCRIBERS = 500;
const PAYLOAD_BYTES = 200;
/** Publishes in flight: the next goes out when one has reached every subscriber. */
const WINDOW = 10;
const WARM_MS = 1_000;
const MEASURE_MS = 3_000;
const ROUNDS = 3;
const PEERS: PeerName[] = ['platen', 'mosquitto', 'aedes'];

interface FanOut {
  delivered_per_s: number;
  cpu_us: number;
}

async function measure(peer: Peer, qos: 0 | 1): Promise<FanOut> {
  let delivered = 0;
  const publisher = new LoadClient(peer.port);
  const clients = [publisher];
  const bytes = publishBytes('out', Buffer.alloc(PAYLOAD_BYTES, 'x'), qos, false);
  const came = () => {
    if (++delivered % SUBSCRIBERS === 0) publisher.write(bytes);
  };
  for (let index = 0; index < SUBSCRIBERS; index++) {
    const client = new LoadClient(peer.port);
    clients.push(client);
    await client.open(`subscriber-${index}`);
    await client.subscribe(['out'], qos);
    client.onPacket = (first, chunk, start) => {
      if (first >> 4 !== 3) return;
      if (qos === 1) client.write(pubackBytes(chunk.readUInt16BE(start + 5)));
      came();
    };
  }
  await publisher.open('publisher');
  publisher.onPacket = () => {};
  for (let n = 0; n < WINDOW; n++) publisher.write(bytes);
  await pause(WARM_MS);
  const before = { delivered, cpu: cpuSeconds(peer.pid), at: performance.now() };
  await pause(MEASURE_MS);
  const count = delivered - before.delivered;
  const result = {
    delivered_per_s: count / ((performance.now() - before.at) / 1_000),
    cpu_us: ((cpuSeconds(peer.pid) - before.cpu) / count) * 1e6,
  };
  for (const client of clients) client.destroy();
  return result;
}

export async function run(): Promise<BenchResult> {
  const figures: Record<string, number> = {};
  const ratios: Record<string, number> = {};
  for (const qos of [0, 1] as const) {
    const runs: Record<PeerName, FanOut[]> = { platen: [], mosquitto: [], aedes: [] };
    for (let round = 0; round < ROUNDS; round++) {
      for (const name of PEERS) {
        const peer = await startPeer(name);
        try {
          runs[name].push(await measure(peer, qos));
        } finally {
          await peer.stop();
        }
      }
    }
    const middle = (name: PeerName): FanOut =>
      [...runs[name]].sort((a, b) => a.delivered_per_s - b.delivered_per_s)[ROUNDS >> 1] as FanOut;
    for (const name of PEERS) {
      figures[`qos${qos}_${name}_delivered_per_s`] = Math.round(middle(name).delivered_per_s);
      figures[`qos${qos}_${name}_cpu_us_per_delivery`] = Math.round(middle(name).cpu_us * 10) / 10;
      if (name === 'platen') continue;
      ratios[`qos${qos}_to_${name}`] =
        Math.round((middle('platen').delivered_per_s / middle(name).delivered_per_s) * 100) / 100;
    }
  }
  return { figures, ratios, bars: [] };
}
