/**
 * How long a message takes from publisher to subscriber while other subscribers are flooded, and how that changes when
 * one of them stops reading. Only the one that stalls should notice.
 */

import { LoadClient, publishBytes, quantile } from './brokers/load-client.ts';
import { type Peer, type PeerName, pause, startPeer } from './brokers/peers.ts';
import type { BenchResult } from './result.ts';

const PROBES_PER_S = 500;
const MEASURE_MS = 6_000;
const WARM_MS = 1_000;
const FLOOD_BYTES = 4_096;
/** 2,000 messages of 4 kB per second: 8 MB/s to a subscriber that reads, or doesn't. */
const FLOOD_PER_S = 2_000;
const TICK_MS = 2;
const ROUNDS = 3;
const PEERS: PeerName[] = ['platen', 'mosquitto', 'aedes'];

interface Latency {
  p50_ms: number;
  p99_ms: number;
}

async function measure(peer: Peer, stalled: boolean): Promise<Latency> {
  const clients = await Promise.all(
    ['probe', 'echo', 'flooder', 'flooded'].map(async (name) => {
      const client = new LoadClient(peer.port);
      await client.open(name);
      return client;
    }),
  );
  const [probe, echo, flooder, flooded] = clients as [LoadClient, LoadClient, LoadClient, LoadClient];
  await echo.subscribe(['probe'], 0);
  await flooded.subscribe(['flood'], 0);
  const latencies: number[] = [];
  let measuring = false;
  echo.onPacket = (_first, chunk, start) => {
    if (measuring) latencies.push(performance.now() - chunk.readDoubleBE(start + 7));
  };
  flooded.onPacket = () => {};
  flooder.onPacket = () => {};
  const flood = publishBytes('flood', Buffer.alloc(FLOOD_BYTES), 0, false);
  if (stalled) flooded.socket.pause();
  const stamp = Buffer.alloc(8);
  const debt = { probes: 0, floods: 0 };
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    debt.probes += ((now - last) / 1_000) * PROBES_PER_S;
    debt.floods += ((now - last) / 1_000) * FLOOD_PER_S;
    last = now;
    for (; debt.floods >= 1; debt.floods--) flooder.write(flood);
    for (; debt.probes >= 1; debt.probes--) {
      stamp.writeDoubleBE(performance.now());
      probe.write(publishBytes('probe', stamp, 0, false));
    }
  }, TICK_MS);
  await pause(WARM_MS);
  measuring = true;
  await pause(MEASURE_MS);
  clearInterval(timer);
  for (const client of clients) client.destroy();
  const values = Float64Array.from(latencies);
  return { p50_ms: quantile(values, 0.5), p99_ms: quantile(values, 0.99) };
}

export async function run(): Promise<BenchResult> {
  const figures: Record<string, number> = {};
  const ratios: Record<string, number> = {};
  const runs = new Map<string, Latency[]>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of PEERS) {
      for (const stalled of [false, true]) {
        const peer = await startPeer(name);
        try {
          const key = `${name}_${stalled ? 'stalled' : 'reading'}`;
          runs.set(key, [...(runs.get(key) ?? []), await measure(peer, stalled)]);
        } finally {
          await peer.stop();
        }
      }
    }
  }
  const p99: Record<string, number> = {};
  for (const [key, latencies] of runs) {
    const middle = [...latencies].sort((a, b) => a.p99_ms - b.p99_ms)[ROUNDS >> 1] as Latency;
    figures[`${key}_p50_ms`] = Math.round(middle.p50_ms * 1_000) / 1_000;
    figures[`${key}_p99_ms`] = Math.round(middle.p99_ms * 1_000) / 1_000;
    p99[key] = middle.p99_ms;
  }
  for (const name of PEERS) {
    const ratio = (p99[`${name}_stalled`] ?? Number.NaN) / (p99[`${name}_reading`] ?? Number.NaN);
    ratios[`${name}_p99_stalled_to_reading`] = Math.round(ratio * 100) / 100;
  }
  const ratio = ratios['platen_p99_stalled_to_reading'] as number;
  return {
    figures,
    ratios,
    bars: [{ name: 'p99 of a bystander, one stalled to none', value: ratio, bar: '<= 2', met: ratio <= 2 }],
  };
}
