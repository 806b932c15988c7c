/**
 * `$SYS` topics with mosquitto's names (mosquitto(8), "Broker status"), so that existing monitoring works. Values are
 * decimal text; loads are per minute, averaged over 1, 5 and 15 minutes.
 */
import type { Hub } from './hub.ts';

const MINUTES = [1, 5, 15] as const;

/** The values behind `$SYS` at one moment. */
export interface SysSample {
  uptimeSeconds: number;
  clientsConnected: number;
  clientsTotal: number;
  clientsMaximum: number;
  clientsExpired: number;
  subscriptions: number;
  sharedSubscriptions: number;
  retained: number;
  stored: number;
  storedBytes: number;
  inFlight: number;
  heapBytes: number;
  heapBytesMax: number;
  bytesReceived: number;
  bytesSent: number;
  packetsReceived: number;
  packetsSent: number;
  publishesReceived: number;
  publishesSent: number;
  publishesDropped: number;
  payloadBytesReceived: number;
  payloadBytesSent: number;
  connects: number;
  sockets: number;
}

/** Exponential averages, computed as mosquitto does. */
export class Loads {
  readonly #averages = new Map<string, number>();
  #last: Map<string, number> | undefined;

  /** Adds the counters after `elapsedSeconds`. Returns the load topics with their values. */
  advance(counters: Record<string, number>, elapsedSeconds: number): [string, string][] {
    const topics: [string, string][] = [];
    for (const [name, value] of Object.entries(counters)) {
      const perMinute = this.#last ? ((value - (this.#last.get(name) ?? 0)) / elapsedSeconds) * 60 : 0;
      for (const minutes of MINUTES) {
        const topic = `$SYS/broker/load/${name}/${minutes}min`;
        const decay = Math.exp(-elapsedSeconds / (60 * minutes));
        const average = (this.#averages.get(topic) ?? 0) * decay + perMinute * (1 - decay);
        this.#averages.set(topic, average);
        topics.push([topic, average.toFixed(2)]);
      }
    }
    this.#last = new Map(Object.entries(counters));
    return topics;
  }
}

/** The topics of a sample, without loads. */
export function sysTopics(sample: SysSample, version: string): [string, string][] {
  const values: Record<string, string | number> = {
    version: `platen version ${version}`,
    uptime: `${Math.floor(sample.uptimeSeconds)} seconds`,
    'clients/total': sample.clientsTotal,
    'clients/connected': sample.clientsConnected,
    'clients/disconnected': sample.clientsTotal - sample.clientsConnected,
    'clients/active': sample.clientsConnected,
    'clients/inactive': sample.clientsTotal - sample.clientsConnected,
    'clients/maximum': sample.clientsMaximum,
    'clients/expired': sample.clientsExpired,
    'subscriptions/count': sample.subscriptions,
    'shared_subscriptions/count': sample.sharedSubscriptions,
    'retained messages/count': sample.retained,
    'messages/inflight': sample.inFlight,
    'messages/stored': sample.stored,
    'store/messages/count': sample.stored,
    'store/messages/bytes': sample.storedBytes,
    'heap/current': sample.heapBytes,
    'heap/maximum': sample.heapBytesMax,
    'bytes/received': sample.bytesReceived,
    'bytes/sent': sample.bytesSent,
    'messages/received': sample.packetsReceived,
    'messages/sent': sample.packetsSent,
    'publish/messages/received': sample.publishesReceived,
    'publish/messages/sent': sample.publishesSent,
    'publish/messages/dropped': sample.publishesDropped,
    'publish/bytes/received': sample.payloadBytesReceived,
    'publish/bytes/sent': sample.payloadBytesSent,
  };
  return Object.entries(values).map(([name, value]) => [`$SYS/broker/${name}`, String(value)]);
}

/** Publishes `$SYS` values that changed. */
export class SysPublisher {
  readonly #hub: Hub;
  readonly #version: string;
  readonly #publish: (topic: string, value: string) => void;
  readonly #loads = new Loads();
  readonly #published = new Map<string, string>();
  readonly #started: number;
  #last: number;
  #clientsMaximum = 0;
  #heapBytesMax = 0;

  constructor(hub: Hub, version: string, publish: (topic: string, value: string) => void) {
    this.#hub = hub;
    this.#version = version;
    this.#publish = publish;
    this.#started = hub.now();
    this.#last = this.#started;
  }

  tick(): void {
    const now = this.#hub.now();
    const sample = this.#sample(now);
    const elapsedSeconds = Math.max(0.001, (now - this.#last) / 1_000);
    this.#last = now;
    const loads = this.#loads.advance(
      {
        'messages/received': sample.packetsReceived,
        'messages/sent': sample.packetsSent,
        'publish/received': sample.publishesReceived,
        'publish/sent': sample.publishesSent,
        'publish/dropped': sample.publishesDropped,
        'bytes/received': sample.bytesReceived,
        'bytes/sent': sample.bytesSent,
        sockets: sample.sockets,
        connections: sample.connects,
      },
      elapsedSeconds,
    );
    for (const [topic, value] of [...sysTopics(sample, this.#version), ...loads]) {
      if (this.#published.get(topic) === value) continue;
      this.#published.set(topic, value);
      this.#publish(topic, value);
    }
  }

  #sample(now: number): SysSample {
    const hub = this.#hub;
    const { counters } = hub;
    const queued = hub.sessions.queued();
    const heapBytes = process.memoryUsage.rss();
    this.#heapBytesMax = Math.max(this.#heapBytesMax, heapBytes);
    this.#clientsMaximum = Math.max(this.#clientsMaximum, hub.sessions.connected);
    return {
      uptimeSeconds: (now - this.#started) / 1_000,
      clientsConnected: hub.sessions.connected,
      clientsTotal: hub.sessions.size,
      clientsMaximum: this.#clientsMaximum,
      clientsExpired: counters.dropped.get('session-expired') ?? 0,
      subscriptions: hub.router.tree.size,
      sharedSubscriptions: hub.router.tree.shared,
      retained: hub.retained.size,
      stored: queued.messages + hub.retained.size,
      storedBytes: queued.bytes + hub.retained.bytes,
      inFlight: queued.inFlight,
      heapBytes,
      heapBytesMax: this.#heapBytesMax,
      bytesReceived: counters.bytesReceived,
      bytesSent: counters.bytesSent,
      packetsReceived: counters.packetsReceived,
      packetsSent: counters.packetsSent,
      publishesReceived: counters.publishesReceived,
      publishesSent: counters.publishesSent,
      publishesDropped: [...counters.dropped.values()].reduce((sum, count) => sum + count, 0),
      payloadBytesReceived: counters.payloadBytesReceived,
      payloadBytesSent: counters.payloadBytesSent,
      connects: counters.connectsAccepted,
      sockets: counters.socketsOpened,
    };
  }
}
