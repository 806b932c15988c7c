/**
 * An MQTT 3.1.1 broker to embed: `createBroker` gives the one that `platen up` and `platen broker` run.
 */
import { EventEmitter, once } from 'node:events';
import type { Server as HttpServer, IncomingMessage } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { createWebSocketStream, WebSocketServer } from 'ws';
import type { PublishOptions } from '../center/link.ts';
import { PlatenError, reasonOf } from '../schemas/errors.ts';
import { Hub, type HubEvents, type Uplink } from './hub.ts';
import type { Identity } from './identity.ts';
import { type BrokerLimits, DEFAULT_LIMITS, OPEN_LIMITS } from './limits.ts';
import { Message } from './message.ts';
import type { QoS, RetainedBackend } from './retained-backend.ts';
import { RetainedStore } from './topics/retained-store.ts';

export type { RefusedEvent, SessionEvent, Uplink } from './hub.ts';
export type { Credentials, Identity, Principal } from './identity.ts';
export type { BrokerLimits } from './limits.ts';
export type { QoS, RetainedBackend, RetainedChange, RetainedDocument } from './retained-backend.ts';

/** Where a listener listens; port 0 takes a free one. */
export interface Endpoint {
  host: string;
  port: number;
}

export interface BrokerOptions {
  tcp?: Endpoint;
  limits?: Partial<BrokerLimits>;
  log: Logger;
  /** `open` lets anyone publish and subscribe anything; refused unless every listener is on loopback. */
  identity: Identity | 'open';
  /** Makes retained documents last; without one they are gone with the process. */
  retained?: RetainedBackend;
  /**
   * Every publish that `parseTopic()` says is for the center, in the order of each client; several may be in flight
   * together. Awaited before the acknowledgement. A rejection: no acknowledgement, the connection is closed.
   * `refused`: acknowledged, but neither delivered nor retained.
   */
  uplink?: Uplink;
}

/** What there is at the moment. */
export interface BrokerStats {
  connections: number;
  sessions: number;
  subscriptions: number;
  retained: number;
  retainedBytes: number;
}

/** Events: `session` (a client came or went), `refused` (something was refused, somebody disconnected for it). */
export interface Broker extends EventEmitter<HubEvents> {
  /** Where the listeners listen, by name (`tcp`, `tls`), as URLs; filled by `listen`. */
  readonly addresses: Readonly<Record<string, string>>;
  /** Loads the retained documents, then listens. Rejects with `start/port` when a port can't be had. */
  listen(): Promise<void>;
  /** Serves MQTT over WebSocket at `path` of an HTTP server; upgrades elsewhere are left to others. */
  attachWebSocket(server: HttpServer, path: string): void;
  /** Publishes as the broker itself: no access check, no uplink. Resolves when routed and, if retained, durable. */
  publish(topic: string, payload: string | Buffer, options: PublishOptions): Promise<void>;
  /** Ends every live connection of a name, because its rights changed. Returns how many there were. */
  revoke(name: string, reason: string): number;
  stats(): BrokerStats;
  /** Registers the broker's metrics. */
  metrics(registry: Registry): void;
  /** Ends listeners and connections; resolves when all is written. */
  close(): Promise<void>;
}

const TICK_MS = 500;

/** Makes a broker. It doesn't listen yet. */
export async function createBroker(options: BrokerOptions): Promise<Broker> {
  return new EmbeddedBroker(options);
}

class EmbeddedBroker extends EventEmitter<HubEvents> implements Broker {
  readonly #options: BrokerOptions;
  readonly #log: Logger;
  readonly #hub: Hub;
  readonly #retained: RetainedStore;
  readonly #servers: Server[] = [];
  readonly #addresses: Record<string, string> = {};
  readonly #detach: (() => void)[] = [];
  #ticking: NodeJS.Timeout | undefined;

  constructor(options: BrokerOptions) {
    super();
    this.#options = options;
    this.#log = options.log;
    const open = options.identity === 'open';
    const limits = { ...DEFAULT_LIMITS, ...(open ? OPEN_LIMITS : {}), ...options.limits };
    this.#retained = new RetainedStore(limits, options.retained);
    this.#hub = new Hub({
      limits,
      log: options.log,
      identity: options.identity,
      retained: this.#retained,
      uplink: options.uplink,
    });
    this.#hub.on('session', (event) => this.emit('session', event));
    this.#hub.on('refused', (event) => this.emit('refused', event));
  }

  get addresses(): Readonly<Record<string, string>> {
    return this.#addresses;
  }

  async listen(): Promise<void> {
    await this.#retained.load();
    await this.#hub.start();
    this.#ticking = setInterval(() => this.#hub.tick(), TICK_MS);
    this.#ticking.unref();
    const { tcp } = this.#options;
    if (tcp) {
      const server = createServer({ noDelay: true }, (socket) => this.#accept(socket, 'tcp'));
      this.#addresses.tcp = await this.#listen(server, tcp, 'mqtt', 'PLATEN_MQTT_PORT');
    }
  }

  attachWebSocket(server: HttpServer, path: string): void {
    const sockets = new WebSocketServer({
      noServer: true,
      // The protocol is called mqtt [MQTT-6.0.0-3], [MQTT-6.0.0-4]; mqttv3.1 is what MQTT 3.1 clients ask for.
      handleProtocols: (offered) => ['mqtt', 'mqttv3.1'].find((name) => offered.has(name)) ?? false,
      maxPayload: this.#hub.limits.packetBytesMax,
      perMessageDeflate: false,
    });
    const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      const { pathname } = new URL(request.url ?? '/', 'http://localhost');
      if (pathname !== path) return;
      sockets.handleUpgrade(request, socket, head, (webSocket) => {
        // Control packets travel in binary frames [MQTT-6.0.0-1].
        webSocket.on('message', (_, binary) => {
          if (!binary) webSocket.terminate();
        });
        const stream = createWebSocketStream(webSocket);
        this.#adopt(stream, 'ws', request.socket.remoteAddress ?? '');
      });
    };
    server.on('upgrade', upgrade);
    this.#detach.push(() => {
      server.off('upgrade', upgrade);
      sockets.close();
    });
  }

  async publish(topic: string, payload: string | Buffer, options: PublishOptions): Promise<void> {
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
    const retain = options.retain && !this.#retained.full(topic, bytes.length);
    await this.#hub.route(new Message(topic, bytes, options.qos as QoS, retain, undefined));
  }

  revoke(name: string, reason: string): number {
    return this.#hub.revoke(name, reason);
  }

  stats(): BrokerStats {
    const hub = this.#hub;
    return {
      connections: hub.connections.size,
      sessions: hub.sessions.size,
      subscriptions: hub.tree.size,
      retained: this.#retained.size,
      retainedBytes: this.#retained.bytes,
    };
  }

  metrics(_registry: Registry): void {}

  async close(): Promise<void> {
    clearInterval(this.#ticking);
    for (const detach of this.#detach) detach();
    const closing = this.#servers.map((server) => new Promise<void>((done) => server.close(() => done())));
    this.#hub.closeAll();
    await Promise.all(closing);
    await this.#hub.idle();
    await this.#retained.close();
  }

  #accept(socket: Socket, listener: string): void {
    this.#adopt(socket, listener, socket.remoteAddress ?? '');
  }

  #adopt(transport: Duplex, listener: string, address: string): void {
    this.#hub.serve(transport, {
      listener,
      address: address.replace(/^::ffff:/, ''),
      certificateName: undefined,
    });
  }

  async #listen(server: Server, endpoint: Endpoint, scheme: string, setting: string): Promise<string> {
    const { host, port } = endpoint;
    server.listen({ host, port, backlog: 4096 });
    try {
      await once(server, 'listening');
    } catch (error) {
      throw new PlatenError('start/port', { port, host, reason: reasonOf(error), setting }, { cause: error });
    }
    server.on('error', (error) => this.#log.error({ err: error }, 'listener failed'));
    this.#servers.push(server);
    const address = server.address() as AddressInfo;
    return `${scheme}://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
  }
}
