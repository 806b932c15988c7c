/**
 * MQTT 3.1.1 over raw sockets, for thousands of agents in one process. PUBLISH is encoded by hand with cached topics, and
 * one timer serves the keep-alive of all connections. It does only what an agent needs: QoS 1 out, QoS 0 and 1 in, clean
 * sessions.
 */
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { connackReason } from '../agent/mqtt-transport.ts';
import {
  type Connection,
  type ConnectionEvents,
  ConnectionRefused,
  type ConnectOptions,
  type Transport,
} from '../agent/transport.ts';
import { PlatenError } from '../schemas/errors.ts';
import { connectPacket, FrameReader, PACKET, publishPacket, subscribePacket } from './packets.ts';

/** Largest packet from the broker. A larger one ends the connection. */
const PACKET_BYTES_MAX = 1024 * 1024;
const SWEEP_MS = 1_000;
const PINGREQ = Buffer.from([PACKET.pingreq, 0]);
const DISCONNECT = Buffer.from([PACKET.disconnect, 0]);

/** Counts over all connections of a transport. */
export interface TransportCounts {
  packetsIn: number;
  packetsOut: number;
  bytesIn: number;
  bytesOut: number;
  /** Publishes that were sent. */
  published: number;
  acknowledged: number;
}

export interface RawTransport extends Transport {
  readonly counts: TransportCounts;
  /** Calls `observer` with the milliseconds between each publish and its acknowledgement. */
  onLatency(observer: (ms: number) => void): void;
  /** Stops the keep-alive timer. */
  close(): void;
}

interface Endpoint {
  open(): Socket;
}

function endpointOf(url: string, ca: string | undefined): Endpoint {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const host = parsed?.hostname.replace(/^\[|\]$/g, '') ?? '';
  if (parsed?.protocol === 'mqtt:') {
    const port = Number(parsed.port || 1883);
    return { open: () => connectTcp({ host, port, noDelay: true }) };
  }
  if (parsed?.protocol === 'mqtts:') {
    const port = Number(parsed.port || 8883);
    // An IP address is not a valid server name (RFC 6066, section 3). The certificate is checked against the address
    // instead.
    const servername = isIP(host) === 0 ? host : '';
    return { open: () => connectTls({ host, port, ca, servername }) };
  }
  throw new PlatenError('setting/invalid', {
    name: 'url',
    reason: `"${url}" is not an mqtt:// or mqtts:// address`,
    hint: 'For example mqtt://127.0.0.1:1883',
  });
}

class RawConnection implements Connection {
  readonly #socket: Socket;
  readonly #options: ConnectOptions;
  readonly #events: ConnectionEvents;
  readonly #owner: RawOwner;
  readonly #reader = new FrameReader(PACKET_BYTES_MAX);
  readonly #unacknowledged = new Map<number, { at: number; done: () => void }>();
  #packetId = 1;
  #accepted = false;
  #open = true;
  #reason: Error | undefined;
  #startedAt = performance.now();
  #lastOut = 0;
  #lastIn = 0;

  constructor(socket: Socket, options: ConnectOptions, events: ConnectionEvents, owner: RawOwner) {
    this.#socket = socket;
    this.#options = options;
    this.#events = events;
    this.#owner = owner;
    socket.on('error', (error) => {
      this.#reason ??= error;
    });
    socket.on('close', () => this.#closed());
    socket.on('data', (chunk) => this.#data(chunk));
    this.#write(connectPacket(options));
  }

  publish(topic: string, payload: string, retain: boolean, acknowledged: () => void): void {
    if (!this.#open) return;
    const id = this.#nextId();
    this.#unacknowledged.set(id, { at: performance.now(), done: acknowledged });
    this.#owner.counts.published++;
    this.#write(publishPacket(topic, payload, retain, id));
  }

  end(): void {
    this.#open = false;
    this.#owner.connections.delete(this);
    this.#socket.end(DISCONNECT);
  }

  cut(): void {
    this.#reason ??= new Error('the connection was cut');
    this.#socket.resetAndDestroy();
  }

  /**
   * Keep-alive [MQTT-3.1.2-24]: sends a ping after half the interval and gives up after one and a half without a
   * packet.
   */
  sweep(now: number): void {
    const keepalive = this.#options.keepalive * 1_000;
    if (!this.#accepted) {
      if (now - this.#startedAt > this.#options.timeoutMs)
        this.#fail(new Error('the broker does not answer'));
    } else if (now - this.#lastIn > keepalive * 1.5) {
      this.#fail(new Error('the broker stopped answering'));
    } else if (now - this.#lastOut > keepalive / 2 || now - this.#lastIn > keepalive / 2) {
      this.#write(PINGREQ);
    }
  }

  #nextId(): number {
    do {
      this.#packetId = this.#packetId === 0xffff ? 1 : this.#packetId + 1;
    } while (this.#unacknowledged.has(this.#packetId));
    return this.#packetId;
  }

  #write(packet: Buffer): void {
    this.#lastOut = performance.now();
    this.#owner.counts.packetsOut++;
    this.#owner.counts.bytesOut += packet.length;
    this.#socket.write(packet);
  }

  #fail(reason: Error): void {
    this.#reason ??= reason;
    this.#socket.destroy();
  }

  #closed(): void {
    this.#owner.connections.delete(this);
    this.#unacknowledged.clear();
    if (!this.#open) return;
    this.#open = false;
    this.#events.closed(this.#reason ?? new Error('the broker closed the connection'));
  }

  #data(chunk: Buffer): void {
    this.#lastIn = performance.now();
    this.#owner.counts.bytesIn += chunk.length;
    // All answers to one chunk are sent in one write.
    this.#socket.cork();
    try {
      this.#reader.push(chunk, (type, flags, body) => this.#packet(type, flags, body));
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.#socket.uncork();
    }
  }

  #packet(type: number, flags: number, body: Buffer): void {
    if (!this.#open) return;
    this.#owner.counts.packetsIn++;
    switch (type) {
      case PACKET.connack: {
        const code = body[1] ?? 0xff;
        if (code !== 0) {
          this.#fail(new ConnectionRefused(code, connackReason(code)));
          return;
        }
        this.#accepted = true;
        this.#write(subscribePacket(this.#options.filters, this.#nextId()));
        this.#events.connected();
        return;
      }
      case PACKET.suback:
        if (body.subarray(2).includes(0x80)) {
          this.#fail(new ConnectionRefused(0x80, 'the broker refuses a subscription'));
        }
        return;
      case PACKET.puback: {
        const id = body.readUInt16BE(0);
        const waiting = this.#unacknowledged.get(id);
        if (!waiting) return;
        this.#unacknowledged.delete(id);
        this.#owner.counts.acknowledged++;
        this.#owner.latency?.(performance.now() - waiting.at);
        waiting.done();
        return;
      }
      case PACKET.publish: {
        const length = body.readUInt16BE(0);
        const topic = body.toString('utf8', 2, 2 + length);
        const qos = (flags >> 1) & 3;
        const start = 2 + length + (qos > 0 ? 2 : 0);
        if (qos === 1) {
          const ack = Buffer.from([PACKET.puback, 2, body[2 + length] ?? 0, body[3 + length] ?? 0]);
          this.#write(ack);
        }
        this.#events.message(topic, body.subarray(start));
        return;
      }
      default:
    }
  }
}

interface RawOwner {
  counts: TransportCounts;
  connections: Set<RawConnection>;
  latency: ((ms: number) => void) | undefined;
}

/**
 * A transport for many agents.
 * @throws PlatenError setting/invalid unless the URL is mqtt:// or mqtts://
 */
export function rawTransport(url: string, ca?: string): RawTransport {
  const endpoint = endpointOf(url, ca);
  const owner: RawOwner = {
    counts: { packetsIn: 0, packetsOut: 0, bytesIn: 0, bytesOut: 0, published: 0, acknowledged: 0 },
    connections: new Set(),
    latency: undefined,
  };
  const timer = setInterval(() => {
    const now = performance.now();
    for (const connection of owner.connections) connection.sweep(now);
  }, SWEEP_MS);
  timer.unref();
  return {
    counts: owner.counts,
    connect(options, events) {
      const connection = new RawConnection(endpoint.open(), options, events, owner);
      owner.connections.add(connection);
      return connection;
    },
    onLatency(observer) {
      owner.latency = observer;
    },
    close: () => clearInterval(timer),
  };
}
