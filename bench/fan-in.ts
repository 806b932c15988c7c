/**
 * Many printers publish with QoS 1 to one subscriber: publishes acknowledged and delivered per second. Each message is
 * another one, and what arrives is checked: content, QoS, order of each publisher, order of PUBACK [MQTT-4.6.0-2];
 * when the load ends, everything that was acknowledged must have arrived.
 */

import { LoadClient, pubackBytes, publishBytes } from './brokers/load-client.ts';
import { cpuSeconds, type Peer, type PeerName, pause, startPeer } from './brokers/peers.ts';
import type { BenchResult } from './result.ts';

const PUBLISHERS = 50;
const PAYLOAD_BYTES = 200;
const WARM_MS = 1_000;
const MEASURE_MS = 3_000;
/** After the load: for what is still under way to the subscriber. */
const ARRIVE_MS = 5_000;
/** The peers are measured in turn, so that what else the machine does meets all of them. */
const ROUNDS = 3;
const PEERS: PeerName[] = ['platen', 'mosquitto', 'aedes'];

/** How the load comes. */
interface Shape {
  /** Before the names of its figures. */
  prefix: string;
  name: string;
  /** Publishes that a publisher has under way: it sends the next batch, in one write, when all of one are acknowledged. */
  batch: number;
  /** Of the subscription. */
  qos: 0 | 1;
}

/**
 * Batches in one write are what a printer sends that comes back with a full memory, and they are kind to a broker that
 * reads and writes many packets at once. One by one is the other end: a way to the broker and back for each message.
 */
const SHAPES: Shape[] = [
  { prefix: '', name: '20 at once', batch: 20, qos: 0 },
  { prefix: 'single_', name: 'one by one, delivered with QoS 1', batch: 1, qos: 1 },
];

interface FanIn {
  acknowledged_per_s: number;
  delivered_per_s: number;
  cpu_us: number;
  /** Acknowledged and never delivered. */
  lost: number;
  /** Deliveries with other content or QoS than they must have, or not in order; PUBACKs not in order. */
  wrong: number;
}

const FILLER = Buffer.alloc(PAYLOAD_BYTES - 4, 'x');
/** All topics are equally long. */
const topicOf = (publisher: number): string => `in/${String(publisher).padStart(2, '0')}`;
const TOPIC_BYTES = topicOf(0).length;

/** Checks what arrives. */
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
      // What came in one chunk is acknowledged in one write.
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
  // Until nothing has come for a while, and nothing is missing.
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

/** The round with the middle rate. */
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
