/** An embeddable MQTT 3.1.1 broker: `createBroker` makes the one that `platen up` and `platen broker` run. */
import { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Server as HttpServer } from 'node:http';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { PlatenError } from '../schemas/errors.ts';
import type { Identity } from './access/identity.ts';
import { ConnectQueue } from './connection/connect-queue.ts';
import { Descriptors } from './connection/descriptors.ts';
import type { Stranger } from './connection/strangers.ts';
import type { PublishOptions, Uplink } from './embedding.ts';
import { Hub } from './hub.ts';
import { type BrokerLimits, DEFAULT_LIMITS, OPEN_LIMITS } from './limits.ts';
import { type Endpoint, Sockets, type TlsEndpoint } from './listeners/sockets.ts';
import { attachWebSocket } from './listeners/web-socket.ts';
import { registerMetrics } from './metrics.ts';
import type { HubEvents } from './monitor.ts';
import type { RetainedBackend } from './retained/retained-backend.ts';
import { RetainedStore } from './retained/retained-store.ts';
import { Message } from './routing/message.ts';
import { SysPublisher } from './sys.ts';

export type { QoS } from '../mqtt/packet.ts';
export type { Credentials, Identity, Principal } from './access/identity.ts';
export type { PublishOptions, Uplink, UplinkMessage } from './embedding.ts';
export type { BrokerLimits } from './limits.ts';
export type { Endpoint, TlsEndpoint } from './listeners/sockets.ts';
export type { RefusedEvent, SessionEvent } from './monitor.ts';
export type { RetainedBackend, RetainedChange, RetainedDocument } from './retained/retained-backend.ts';

export interface BrokerOptions {
  tcp?: Endpoint;
  tls?: TlsEndpoint;
  limits?: Partial<BrokerLimits>;
  log: Logger;
  /** `open` allows everybody everything. It is refused unless every listener is on loopback. */
  identity: Identity | 'open';
  /** Makes retained documents and sessions durable. Without one they end with the process. */
  retained?: RetainedBackend;
  /**
   * Receives every publish that `parseTopic()` assigns to the center, in order for each client. Several may be in
   * flight at once. The acknowledgement waits for the answer. On rejection there is none, and the connection is closed.
   * `refused`: acknowledged, but neither delivered nor retained.
   */
  uplink?: Uplink;
  /** Addresses of load balancers that send PROXY protocol version 2. */
  trustedProxies?: string[];
  /** How often `$SYS` is published. 0: never. Default: 10,000. */
  sysMs?: number;
}

/** Current figures. The last three count from the start. */
export interface BrokerStats {
  connections: number;
  waitingConnections: number;
  clientsConnected: number;
  sessions: number;
  subscriptions: number;
  retained: number;
  retainedBytes: number;
  queuedMessages: number;
  queuedBytes: number;
  dropped: Record<string, number>;
  refused: Record<string, number>;
  closed: Record<string, number>;
}

/** Events: `session` (a client connected or disconnected) and `refused` (something was refused). */
export interface Broker extends EventEmitter<HubEvents> {
  /** The URLs of the listeners by name (`tcp`, `tls`). Filled by `listen`. */
  readonly addresses: Readonly<Record<string, string>>;
  /**
   * Reads retained documents and sessions from the backend. `listen` does that too. Call it first when publishing or
   * serving WebSockets before `listen`, because a later load would overwrite newer documents.
   */
  load(): Promise<void>;
  /** Loads, then listens. @throws PlatenError start/port */
  listen(): Promise<void>;
  /** Serves MQTT over WebSocket at `path` of an HTTP server. Upgrades at other paths are answered 404. */
  attachWebSocket(server: HttpServer, path: string): void;
  /** Publishes as the broker itself, without access check and uplink. Resolves when routed and, if retained, durable. */
  publish(topic: string, payload: string | Buffer, options: PublishOptions): Promise<void>;
  /** Whether any subscription matches `topic`. If not, only retained messages need to be published. */
  heard(topic: string): boolean;
  /** Resolves when every uplink is answered. */
  idle(): Promise<void>;
  /** Ends all connections of a name whose rights changed. Returns how many there were. */
  revoke(name: string, reason: string): number;
  /** Ends the connections of a removed printer and forgets its session. Resolves when that is durable. */
  forget(printer: string): Promise<void>;
  stats(): BrokerStats;
  /** Registers the broker's metrics. */
  metrics(registry: Registry): void;
  /** Why it can't serve fully at the moment; undefined when it can. Used for readiness. */
  fault(): string | undefined;
  /** Closes listeners and connections. Resolves when everything is written. */
  close(): Promise<void>;
}

const TICK_MS = 200;
/** How often the connect queue advances while sockets wait. */
const PACE_MS = 10;
const SYS_MS = 10_000;
const LOOPBACK = /^(localhost|::1|127\.\d+\.\d+\.\d+)$/;

/** Creates a broker that doesn't listen yet. @throws PlatenError setting/open-access */
export async function createBroker(options: BrokerOptions): Promise<Broker> {
  if (options.identity === 'open') {
    for (const endpoint of [options.tcp, options.tls]) {
      if (endpoint && !LOOPBACK.test(endpoint.host)) {
        throw new PlatenError('setting/open-access', { listener: endpoint.host });
      }
    }
  }
  return new EmbeddedBroker(options);
}

class EmbeddedBroker extends EventEmitter<HubEvents> implements Broker {
  readonly #options: BrokerOptions;
  readonly #limits: BrokerLimits;
  readonly #hub: Hub;
  readonly #connectQueue: ConnectQueue;
  readonly #descriptors: Descriptors;
  /** The last descriptor fault that was logged. */
  #fault: string | undefined;
  readonly #retained: RetainedStore;
  readonly #sockets: Sockets;
  readonly #addresses: Record<string, string> = {};
  readonly #detach: (() => void)[] = [];
  readonly #timers: NodeJS.Timeout[] = [];
  #loaded: Promise<void> | undefined;

  constructor(options: BrokerOptions) {
    super();
    this.#options = options;
    const open = options.identity === 'open';
    const limits = { ...DEFAULT_LIMITS, ...(open ? OPEN_LIMITS : {}), ...options.limits };
    this.#limits = limits;
    this.#retained = new RetainedStore(limits, options.retained);
    this.#descriptors = new Descriptors({
      reserve: limits.descriptorsReserve,
      now: () => performance.now(),
      sockets: () => this.#connectQueue.sockets,
    });
    this.#connectQueue = new ConnectQueue(limits, performance.now(), {
      clients: () => this.#hub.sessions.connected,
      room: () => this.#descriptors.room,
    });
    this.#hub = new Hub({
      limits,
      log: options.log,
      identity: options.identity,
      retained: this.#retained,
      connectQueue: this.#connectQueue,
      uplink: options.uplink,
    });
    this.#hub.monitor.on('session', (event) => this.emit('session', event));
    this.#hub.monitor.on('refused', (event) => this.emit('refused', event));
    this.#sockets = new Sockets({
      log: options.log,
      connectQueue: this.#connectQueue,
      now: () => this.#hub.now(),
      connectMsMax: limits.connectMsMax,
      trustedProxies: new Set(options.trustedProxies),
      serve: (socket, origin) => this.#hub.serve(socket, origin),
      turnedAway: (reason, address) => this.#hub.turnedAway(reason, address),
    });
  }

  get addresses(): Readonly<Record<string, string>> {
    return this.#addresses;
  }

  load(): Promise<void> {
    this.#loaded ??= this.#retained.load().then((records) => this.#hub.sessions.restore(records));
    return this.#loaded;
  }

  async listen(): Promise<void> {
    const { tcp, tls } = this.#options;
    await this.load();
    await this.#hub.start();
    this.#every(TICK_MS, () => {
      this.#hub.tick();
      this.#logFault();
    });
    this.#every(PACE_MS, () => {
      if (this.#connectQueue.waiting > 0) this.#connectQueue.advance(this.#hub.now());
    });
    this.#startSys();
    if (tcp) this.#addresses['tcp'] = await this.#sockets.tcp(tcp);
    if (tls) this.#addresses['tls'] = await this.#sockets.tls(tls);
  }

  attachWebSocket(server: HttpServer, path: string): void {
    const detach = attachWebSocket(server, {
      path,
      frameBytesMax: this.#limits.packetBytesMax,
      strangerBytesMax: this.#limits.connectPacketBytesMax,
      serve: (socket, origin) => this.#hub.serve(socket, origin),
      wrongPath: (address) => this.#hub.turnedAway('web-socket-path', address),
      enter: (address, begin, turnAway, socket) => {
        let entered = true;
        let stranger: Stranger | undefined;
        this.#connectQueue.enter(
          {
            address,
            get gone() {
              return socket.destroyed;
            },
            begin: () => {
              stranger = this.#connectQueue.stranger(address, (reason) => {
                this.#hub.turnedAway(reason, address);
                socket.destroy();
              });
              begin(() => stranger?.leave());
            },
            turnAway: (reason) => {
              entered = false;
              this.#hub.turnedAway(reason, address);
              turnAway();
            },
          },
          this.#hub.now(),
        );
        socket.on('close', () => {
          stranger?.leave();
          if (entered) this.#connectQueue.leave(address);
        });
      },
    });
    this.#detach.push(detach);
  }

  async publish(topic: string, payload: string | Buffer, options: PublishOptions): Promise<void> {
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
    const retain = options.retain && !this.#retained.full(topic, bytes.length);
    await this.#hub.router.route(new Message(topic, bytes, options.qos, retain, undefined));
  }

  idle(): Promise<void> {
    return this.#hub.idle();
  }

  heard(topic: string): boolean {
    return this.#hub.router.tree.matches(topic);
  }

  revoke(name: string, reason: string): number {
    return this.#hub.revoke(name, reason);
  }

  forget(printer: string): Promise<void> {
    this.#hub.revoke(printer, 'removed');
    return this.#hub.sessions.forget(printer);
  }

  stats(): BrokerStats {
    const hub = this.#hub;
    const queued = hub.sessions.queued();
    return {
      connections: hub.connections.size,
      waitingConnections: hub.waitingConnections,
      clientsConnected: hub.sessions.connected,
      sessions: hub.sessions.size,
      subscriptions: hub.router.tree.size,
      retained: this.#retained.size,
      retainedBytes: this.#retained.bytes,
      queuedMessages: queued.messages,
      queuedBytes: queued.bytes,
      dropped: Object.fromEntries(hub.counters.dropped),
      refused: Object.fromEntries(hub.counters.refused),
      closed: Object.fromEntries(hub.counters.closed),
    };
  }

  metrics(registry: Registry): void {
    registerMetrics(registry, this.#hub);
  }

  fault(): string | undefined {
    return this.#descriptors.fault;
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    for (const detach of this.#detach) detach();
    const closing = this.#sockets.close();
    this.#hub.closeAll();
    await closing;
    await this.#hub.idle();
    await this.#retained.close();
  }

  /** Logs once when descriptors run out, and once when there is room again. */
  #logFault(): void {
    const fault = this.#descriptors.fault;
    if ((fault === undefined) === (this.#fault === undefined)) return;
    this.#fault = fault;
    const { log } = this.#options;
    if (fault === undefined) log.warn('file descriptors are available again: new connections are accepted');
    else log.error({ reason: fault }, 'file descriptors are running out: new connections are turned away');
  }

  #every(ms: number, work: () => void): void {
    const timer = setInterval(work, ms);
    timer.unref();
    this.#timers.push(timer);
  }

  #startSys(): void {
    const every = this.#options.sysMs ?? SYS_MS;
    if (every === 0) return;
    const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    const publisher = new SysPublisher(this.#hub, version, (topic, value) => {
      this.#hub.routeSys(topic, value);
    });
    publisher.tick();
    this.#every(every, () => publisher.tick());
  }
}
