/**
 * Many printers publish with QoS 1 to one subscriber: publishes acknowledged and delivered per second. Every message is
 * different. Content, QoS, order per publisher and order of PUBACKs [MQTT-4.6.0-2] are checked, and everything
 * acknowledged must have arrived at the end.
 */

import { LoadClient, pubackBytes, publishBytes } from './brokers/load-client.ts';
import { cpuSeconds, type Peer, type PeerName, pause, startPeer } from './brokers/peers.ts';
import type { BenchResult } from './result.ts';

const PUBLISHERS = 50;
const PAYLOAD_BYTES = 200;
const WARM_MS = 1_000;
const MEASURE_MS = 3_000;
/** Time after the load for messages still on their way to the subscriber. */
const ARRIVE_MS = 5_000;
/** Brokers take turns, so that other load on the machine affects all of them. */
const ROUNDS = 3;
const PEERS: PeerName[] = ['platen', 'mosquitto', 'aedes'];

interface Shape {
  /** Prefix of the names of its figures. */
  prefix: string;
  name: string;
  /** Publishes in flight per publisher: it sends the next batch in one write when the whole batch is acknowledged. */
  batch: number;
  /** QoS of the subscription. */
  qos: 0 | 1;
}

/**
 * A printer that reconnects with a full log memory sends batches in one write, which favours a broker that reads and
 * writes many packets at once. One message at a time is the other extreme: a round trip for each.
 */
const SHAPES: Shape[] = [
  { prefix: '', name: '20 at once', batch: 20, qos: 0 },
  { prefix: 'single_', name: 'one by one, delivered with QoS 1', batch: 1, qos: 1 },
];

interface FanIn {
  acknowledged_per_s: number;
  delivered_per_s: number;
  cpu_us: number;
  /** Acknowledged but never delivered. */
  lost: number;
  /** Deliveries with wrong content or QoS or out of order, and PUBACKs out of order. */
  wrong: number;
}

const FILLER = Buffer.alloc(PAYLOAD_BYTES - 4, 'x');
/** All topics have the same length. */
const topicOf = (publisher: number): string => `in/${String(publisher).padStart(2, '0')}`;
const TOPIC_BYTES = topicOf(0).length;

/** Checks deliveries. */
class Arrivals {
  delivered = 0;
  wrong = 0;
  readonly #last = new Array<number>(PUBLISHERS).fill(0);
  readonly #qos: 0 | 1;
  #acknowledgements: Buffer[] = [];

  constructor(subscriber: LoadClient, qos: 0 | 1) {
    this.#qos = qos;
    subscriber.onPacket = (first, chunk, start, end) => {
      if (first >> 4 !== 3) return;
      this.#take(first, chunk, start, end);
      if (qos === 0) return;
      // Everything that came in one chunk is acknowledged in one write.
      if (this.#acknowledgements.length === 0) {
        queueMicrotask(() => {
          subscriber.write(Buffer.concat(this.#acknowledgements));
          this.#acknowledgements = [];
        });
      }
      this.#acknowledgements.push(pubackBytes(chunk.readUInt16BE(start + 2 + TOPIC_BYTES)));
    };
  }

  #take(first: number, chunk: Buffer, start: number, end: number): void {
    this.delivered++;
    const payloadAt = start + 2 + TOPIC_BYTES + (this.#qos === 1 ? 2 : 0);
    const publisher = ((chunk[start + 5] as number) - 48) * 10 + (chunk[start + 6] as number) - 48;
    const right =
      ((first >> 1) & 3) === this.#qos &&
      end - payloadAt === PAYLOAD_BYTES &&
      chunk.readUInt32BE(payloadAt) === (this.#last[publisher] as number) + 1 &&
      chunk.compare(FILLER, 0, FILLER.length, payloadAt + 4, end) === 0;
    if (right) (this.#last[publisher] as number)++;
    else this.wrong++;
  }
}

async function measure(peer: Peer, { batch, qos }: Shape): Promise<FanIn> {
  const subscriber = new LoadClient(peer.port);
  const clients = [subscriber];
  await subscriber.open('subscriber');
  await subscriber.subscribe(['in/#'], qos);
  const arrivals = new Arrivals(subscriber, qos);
  let acknowledged = 0;
  let wrong = 0;
  let ending = false;
  for (let index = 0; index < PUBLISHERS; index++) {
    const client = new LoadClient(peer.port);
    clients.push(client);
    await client.open(`publisher-${index}`);
    const payload = Buffer.concat([Buffer.alloc(4), FILLER]);
    const packets = Array.from({ length: batch }, (_, n) =>
      publishBytes(topicOf(index), payload, 1, false, n + 1),
    );
    const packetBytes = (packets[0] as Buffer).length;
    const template = Buffer.concat(packets);
    let sent = 0;
    const send = () => {
      const bytes = Buffer.from(template);
      for (let end = packetBytes; end <= bytes.length; end += packetBytes) {
        bytes.writeUInt32BE(++sent, end - PAYLOAD_BYTES);
      }
      client.write(bytes);
    };
    let next = 1;
    client.onPacket = (first, chunk, start) => {
      if (first !== 0x40) return;
      if (chunk.readUInt16BE(start) !== next) wrong++;
      acknowledged++;
      next = next === batch ? 1 : next + 1;
      if (next === 1 && !ending) send();
    };
    send();
  }
  await pause(WARM_MS);
  const before = {
    acknowledged,
    delivered: arrivals.delivered,
    cpu: cpuSeconds(peer.pid),
    at: performance.now(),
  };
  await pause(MEASURE_MS);
  const seconds = (performance.now() - before.at) / 1_000;
  const cpu = cpuSeconds(peer.pid) - before.cpu;
  const count = acknowledged - before.acknowledged;
  const delivered_per_s = (arrivals.delivered - before.delivered) / seconds;
  ending = true;
  const until = performance.now() + ARRIVE_MS;
  // Wait until nothing more is acknowledged and nothing is missing.
  for (let settled = -1; performance.now() < until; await pause(100)) {
    if (settled === acknowledged && arrivals.delivered >= acknowledged) break;
    settled = acknowledged;
  }
  for (const client of clients) client.destroy();
  return {
    acknowledged_per_s: count / seconds,
    delivered_per_s,
    cpu_us: (cpu / count) * 1e6,
    lost: Math.max(0, acknowledged - arrivals.delivered),
    wrong: wrong + arrivals.wrong,
  };
}

/** The round with the median rate. */
function middle(rounds: FanIn[]): FanIn {
  return [...rounds].sort((a, b) => a.acknowledged_per_s - b.acknowledged_per_s)[ROUNDS >> 1] as FanIn;
}

async function compare(shape: Shape): Promise<BenchResult> {
  const runs: Record<PeerName, FanIn[]> = { platen: [], mosquitto: [], aedes: [] };
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of PEERS) {
      const peer = await startPeer(name);
      try {
        runs[name].push(await measure(peer, shape));
      } finally {
        await peer.stop();
      }
    }
  }
  const { prefix } = shape;
  const figures: Record<string, number> = {};
  const total = (name: PeerName, what: 'lost' | 'wrong') =>
    runs[name].reduce((sum, one) => sum + one[what], 0);
  for (const name of PEERS) {
    const { acknowledged_per_s, delivered_per_s, cpu_us } = middle(runs[name]);
    figures[`${prefix}${name}_acknowledged_per_s`] = Math.round(acknowledged_per_s);
    figures[`${prefix}${name}_delivered_per_s`] = Math.round(delivered_per_s);
    figures[`${prefix}${name}_cpu_us_per_publish`] = Math.round(cpu_us * 10) / 10;
    figures[`${prefix}${name}_lost`] = total(name, 'lost');
    figures[`${prefix}${name}_wrong`] = total(name, 'wrong');
  }
  const ratio = (name: PeerName) =>
    Math.round((middle(runs.platen).acknowledged_per_s / middle(runs[name]).acknowledged_per_s) * 100) / 100;
  const toMosquitto = ratio('mosquitto');
  const faults = total('platen', 'lost') + total('platen', 'wrong');
  return {
    figures,
    ratios: { [`${prefix}to_mosquitto`]: toMosquitto, [`${prefix}to_stock_aedes`]: ratio('aedes') },
    bars: [
      {
        name: `fan-in QoS 1, ${shape.name}: rate to mosquitto's`,
        value: toMosquitto,
        bar: '>= 1',
        met: toMosquitto >= 1,
      },
      { name: `fan-in QoS 1, ${shape.name}: lost or wrong`, value: faults, bar: '= 0', met: faults === 0 },
    ],
  };
}

export async function run(): Promise<BenchResult> {
  const [first, second] = [await compare(SHAPES[0] as Shape), await compare(SHAPES[1] as Shape)];
  return {
    figures: { ...first.figures, ...second.figures },
    ratios: { ...first.ratios, ...second.ratios },
    bars: [...first.bars, ...second.bars],
  };
}
