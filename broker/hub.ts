/**
 * Wires the parts of the broker together and owns its connections. It receives sockets; it opens none and doesn't
 * listen.
 */
import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { CONNACK, type ConnectPacket, type Packet } from '../mqtt/packet.ts';
import type { Identity } from './access/identity.ts';
import { AedesBroker } from './aedes.ts';
import { Admission } from './connection/admission.ts';
import type { ConnectQueue } from './connection/connect-queue.ts';
import { Connection, type ConnectionOwner, type Origin } from './connection/connection.ts';
import { Packets } from './connection/packets.ts';
import { RateLimits } from './connection/rate-limit.ts';
import type { Uplink } from './embedding.ts';
import type { BrokerLimits } from './limits.ts';
import { type Counters, Monitor } from './monitor.ts';
import type { RetainedStore } from './retained/retained-store.ts';
import { Message } from './routing/message.ts';
import { Publishing } from './routing/publishing.ts';
import { Router } from './routing/router.ts';
import { Subscribing } from './routing/subscribing.ts';
import { endOf, Sessions } from './session/sessions.ts';

export interface HubOptions {
  limits: BrokerLimits;
  log: Logger;
  identity: Identity | 'open';
  retained: RetainedStore;
  connectQueue: ConnectQueue;
  uplink: Uplink | undefined;
}

/** How often absent sessions are checked for expiry. */
const EXPIRE_MS = 1_000;

export class Hub implements ConnectionOwner {
  readonly limits: BrokerLimits;
  readonly retained: RetainedStore;
  readonly monitor = new Monitor();
  readonly counters: Counters = this.monitor.counters;
  readonly router: Router;
  readonly sessions: Sessions;
  readonly connections = new Set<Connection>();
  readonly #connectQueue: ConnectQueue;
  readonly #admission: Admission;
  readonly #publishing: Publishing;
  readonly #packets: Packets;
  readonly #printerRates: RateLimits;
  readonly #operatorRates: RateLimits;
  readonly #aedes = new AedesBroker();
  #dirty: Connection[] = [];
  #flushing = false;
  #expiredAt = 0;

  constructor(options: HubOptions) {
    const { limits, log, identity, retained, connectQueue, uplink } = options;
    const { monitor } = this;
    this.limits = limits;
    this.retained = retained;
    this.#connectQueue = connectQueue;
    this.router = new Router({ limits, retained, monitor, open: identity === 'open' });
    this.#admission = new Admission({
      limits,
      log,
      identity,
      connectQueue,
      monitor,
      now: this.now,
      admit: (connection, packet) => this.#admit(connection, packet),
      full: (connection) => this.sessions.full(connection),
    });
    this.#publishing = new Publishing({ log, router: this.router, monitor, uplink });
    this.#packets = new Packets({
      counters: this.counters,
      publishing: this.#publishing,
      subscribing: new Subscribing(this.router, monitor),
      aedes: this.#aedes,
    });
    const packets = {
      packetsPerSecond: limits.packetsPerSecondMax,
      packetBurstMs: limits.packetBurstSeconds * 1_000,
    };
    this.#operatorRates = new RateLimits({
      ...packets,
      publishesPerSecond: limits.operatorPublishesPerSecondMax,
      bytesPerSecond: limits.operatorBytesPerSecondMax,
      burstMs: limits.operatorBurstSeconds * 1_000,
    });
    this.#printerRates = new RateLimits({
      ...packets,
      publishesPerSecond: limits.printerPublishesPerSecondMax,
      bytesPerSecond: limits.printerBytesPerSecondMax,
      burstMs: limits.printerBurstSeconds * 1_000,
    });
    this.sessions = new Sessions({
      router: this.router,
      publishing: this.#publishing,
      connectQueue,
      printerRates: this.#printerRates,
      operatorRates: this.#operatorRates,
      monitor,
      now: this.now,
      date: Date.now,
      log,
    });
  }

  get inboundBytes(): number {
    return this.#publishing.bytes;
  }

  get waitingConnections(): number {
    return this.#connectQueue.waiting;
  }

  /** Sockets that have not sent CONNECT yet. */
  get strangers(): number {
    return this.#connectQueue.strangers;
  }

  /** Password checks in the queue. */
  get waitingChecks(): number {
    return this.#admission.waiting;
  }

  /** A socket was turned away before it sent a byte. */
  turnedAway(reason: string, address: string): void {
    this.monitor.turnedAway(reason, address);
  }

  /** Delivers a `$SYS` value and retains it in memory; it is never written to the backend. */
  routeSys(topic: string, value: string): void {
    const message = new Message(topic, Buffer.from(value), 0, false, undefined);
    this.retained.keep(topic, message.payload);
    void this.router.route(message);
  }

  now(): number {
    return performance.now();
  }

  /** Serves a socket. */
  serve(socket: Duplex, origin: Origin): Connection {
    this.counters.socketsOpened++;
    const connection = new Connection(this, socket, origin);
    this.connections.add(connection);
    connection.start();
    return connection;
  }

  async start(): Promise<void> {
    await this.#aedes.start();
  }

  bytesReceived(bytes: number): void {
    this.counters.bytesReceived += bytes;
  }

  bytesSent(bytes: number, packets: number): void {
    this.counters.bytesSent += bytes;
    this.counters.packetsSent += packets;
  }

  dirty(connection: Connection): void {
    this.#dirty.push(connection);
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    // Connections that become dirty meanwhile wait for the next turn, so that reading gets its share.
    this.#flushing = false;
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const connection of dirty) connection.flush();
  }

  connect(connection: Connection, packet: ConnectPacket): void {
    this.counters.packetsReceived++;
    connection.origin.heard?.();
    if (packet.clientId === '') packet.clientId = `auto-${randomUUID()}`;
    connection.clientId = packet.clientId;
    connection.protocolLevel = packet.protocolVersion;
    connection.keepaliveMs = this.#keepalive(packet.keepalive) * 1_000;
    connection.clean = packet.clean;
    connection.sessionKey = packet.clientId;
    this.#admission.decide(connection, packet);
  }

  #admit(connection: Connection, packet: ConnectPacket): void {
    const durable = this.sessions.register(connection);
    if (durable) {
      // Until then the client isn't connected: it has no will, and nothing is delivered to it.
      durable.then(
        () => {
          if (connection.connected) this.#accept(connection, packet);
        },
        () => connection.deny(CONNACK.unavailable, 'storage-failed'),
      );
    } else this.#accept(connection, packet);
  }

  #accept(connection: Connection, packet: ConnectPacket): void {
    connection.will = packet.will;
    this.sessions.accept(connection);
  }

  packet(connection: Connection, packet: Packet): void {
    this.counters.packetsReceived++;
    this.#packets.handle(connection, packet);
  }

  #keepalive(seconds: number): number {
    const cap = this.limits.keepaliveSecondsMax;
    return cap > 0 && (seconds === 0 || seconds > cap) ? cap : seconds;
  }

  ended(connection: Connection): void {
    const { will } = connection;
    connection.will = undefined;
    if (will) this.#publishing.take(connection, will, () => {});
    this.sessions.unregister(connection);
  }

  gone(connection: Connection): void {
    this.connections.delete(connection);
    this.monitor.closed(endOf(connection));
  }

  refused(connection: Connection, reason: string): void {
    this.monitor.refused(connection, reason);
  }

  /** Ends every connection of `name`. Returns how many there were. */
  revoke(name: string, reason: string): number {
    this.#admission.rightsChanged(name);
    let ended = 0;
    for (const connection of [...this.connections]) {
      if (connection.principal?.name !== name) continue;
      connection.close(reason);
      ended++;
    }
    return ended;
  }

  /** Closes every connection. Wills are published. */
  closeAll(): void {
    this.#admission.closed = true;
    for (const connection of [...this.connections]) connection.close('shutdown');
    this.#aedes.close();
  }

  /** Resolves when no publish waits for the center. */
  async idle(): Promise<void> {
    while (this.#publishing.busy > 0) await new Promise<void>((resume) => setTimeout(resume, 5));
  }

  /** Closes connections that timed out, and expires sessions. Called a few times a second. */
  tick(): void {
    const now = this.now();
    const { connectMsMax, stalledMsMax } = this.limits;
    for (const connection of this.connections) {
      if (connection.stalledSince > 0 && now - connection.stalledSince > stalledMsMax)
        connection.close('slow-consumer');
      else if (connection.awaitsConnectSince > 0 && now - connection.awaitsConnectSince > connectMsMax)
        connection.close('connect-timeout');
      // [MQTT-3.1.2-24]: silence for one and a half keepalives.
      else if (connection.keepaliveMs > 0 && connection.silentMs(now) >= connection.keepaliveMs * 1.5)
        connection.close('keepalive');
    }
    if (now - this.#expiredAt < EXPIRE_MS) return;
    this.#expiredAt = now;
    this.sessions.expire(now);
    this.#printerRates.prune(now);
    this.#operatorRates.prune(now);
  }
}
