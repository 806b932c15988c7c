/**
 * The middle of the broker: what is read of a connection goes to the part that deals with it, and all its parts are
 * put together here. No sockets and no listeners; connections are given to it.
 */
import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { CONNACK, type ConnectPacket, type Packet } from '../mqtt/packet.ts';
import type { Identity } from './access/identity.ts';
import { AedesBroker } from './aedes.ts';
import { Admission } from './connection/admission.ts';
import type { Gate } from './connection/connect-queue.ts';
import { Packets } from './connection/packets.ts';
import { Allowances } from './connection/rate-limit.ts';
import { type Origin, Wire, type WireOwner } from './connection/wire.ts';
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
  gate: Gate;
  uplink: Uplink | undefined;
}

/** How often sessions that are away are looked through. */
const EXPIRE_MS = 1_000;

export class Hub implements WireOwner {
  readonly limits: BrokerLimits;
  readonly retained: RetainedStore;
  readonly monitor = new Monitor();
  readonly counters: Counters = this.monitor.counters;
  readonly router: Router;
  readonly sessions: Sessions;
  readonly connections = new Set<Wire>();
  readonly #gate: Gate;
  readonly #admission: Admission;
  readonly #publishing: Publishing;
  readonly #packets: Packets;
  readonly #allowances: Allowances;
  readonly #operators: Allowances;
  readonly #aedes = new AedesBroker();
  #dirty: Wire[] = [];
  #flushing = false;
  #expiredAt = 0;

  constructor(options: HubOptions) {
    const { limits, log, identity, retained, gate, uplink } = options;
    const { monitor } = this;
    this.limits = limits;
    this.retained = retained;
    this.#gate = gate;
    this.router = new Router({ limits, retained, monitor, open: identity === 'open' });
    this.#admission = new Admission({
      limits,
      log,
      identity,
      gate,
      monitor,
      now: this.now,
      letIn: (wire, packet) => this.#letIn(wire, packet),
      full: (wire) => this.sessions.full(wire),
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
    this.#operators = new Allowances({
      ...packets,
      publishesPerSecond: limits.operatorPublishesPerSecondMax,
      bytesPerSecond: limits.operatorBytesPerSecondMax,
      burstMs: limits.operatorBurstSeconds * 1_000,
    });
    this.#allowances = new Allowances({
      ...packets,
      publishesPerSecond: limits.printerPublishesPerSecondMax,
      bytesPerSecond: limits.printerBytesPerSecondMax,
      burstMs: limits.printerBurstSeconds * 1_000,
    });
    this.sessions = new Sessions({
      router: this.router,
      publishing: this.#publishing,
      gate,
      allowances: this.#allowances,
      operators: this.#operators,
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
    return this.#gate.waiting;
  }

  /** Sockets that have not said CONNECT yet. */
  get strangers(): number {
    return this.#gate.strangers;
  }

  /** Password checks that wait for their turn. */
  get waitingChecks(): number {
    return this.#admission.waiting;
  }

  /** A socket was turned away before it said a word. */
  turnedAway(reason: string, address: string): void {
    this.monitor.turnedAway(reason, address);
  }

  /** A `$SYS` value: delivered to who subscribed and kept for who will, never written to the backend. */
  routeSys(topic: string, value: string): void {
    const message = new Message(topic, Buffer.from(value), 0, false, undefined);
    this.retained.keep(topic, message.payload);
    void this.router.route(message);
  }

  now(): number {
    return performance.now();
  }

  /** Begins to serve a socket. */
  serve(socket: Duplex, origin: Origin): Wire {
    this.counters.socketsOpened++;
    const wire = new Wire(this, socket, origin);
    this.connections.add(wire);
    wire.start();
    return wire;
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

  dirty(wire: Wire): void {
    this.#dirty.push(wire);
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    // What becomes dirty while flushing waits for the next turn, so that reading gets its share.
    this.#flushing = false;
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const wire of dirty) wire.flush();
  }

  connect(wire: Wire, packet: ConnectPacket): void {
    this.counters.packetsReceived++;
    wire.origin.heard?.();
    if (packet.clientId === '') packet.clientId = `auto-${randomUUID()}`;
    wire.clientId = packet.clientId;
    wire.protocolLevel = packet.protocolVersion;
    wire.keepaliveMs = this.#keepalive(packet.keepalive) * 1_000;
    wire.clean = packet.clean;
    wire.sessionKey = packet.clientId;
    this.#admission.decide(wire, packet);
  }

  #letIn(wire: Wire, packet: ConnectPacket): void {
    const durable = this.sessions.register(wire);
    if (durable) {
      // Until then it isn't connected: it has no will, and nothing is delivered to it.
      durable.then(
        () => {
          if (wire.connected) this.#accept(wire, packet);
        },
        () => wire.deny(CONNACK.unavailable, 'storage-failed'),
      );
    } else this.#accept(wire, packet);
  }

  #accept(wire: Wire, packet: ConnectPacket): void {
    wire.will = packet.will;
    this.sessions.accept(wire);
  }

  packet(wire: Wire, packet: Packet): void {
    this.counters.packetsReceived++;
    this.#packets.handle(wire, packet);
  }

  #keepalive(seconds: number): number {
    const cap = this.limits.keepaliveSecondsMax;
    return cap > 0 && (seconds === 0 || seconds > cap) ? cap : seconds;
  }

  ended(wire: Wire): void {
    const { will } = wire;
    wire.will = undefined;
    if (will) this.#publishing.take(wire, will, () => {});
    this.sessions.unregister(wire);
  }

  gone(wire: Wire): void {
    this.connections.delete(wire);
    this.monitor.closed(endOf(wire));
  }

  refused(wire: Wire, reason: string): void {
    this.monitor.refused(wire, reason);
  }

  /** Ends every connection of `name`. */
  revoke(name: string, reason: string): number {
    this.#admission.rightsChanged(name);
    let ended = 0;
    for (const wire of [...this.connections]) {
      if (wire.principal?.name !== name) continue;
      wire.close(reason);
      ended++;
    }
    return ended;
  }

  /** Closes every connection; wills are published. */
  closeAll(): void {
    this.#admission.closed = true;
    for (const wire of [...this.connections]) wire.close('shutdown');
    this.#aedes.close();
  }

  /** Resolves when nothing is under way with the center any more. */
  async idle(): Promise<void> {
    while (this.#publishing.busy > 0) await new Promise<void>((resume) => setTimeout(resume, 5));
  }

  /** Looks for what time has overtaken. Called a few times a second. */
  tick(): void {
    const now = this.now();
    const { connectMsMax, stalledMsMax } = this.limits;
    for (const wire of this.connections) {
      if (wire.stalledSince > 0 && now - wire.stalledSince > stalledMsMax) wire.close('slow-consumer');
      else if (wire.awaitsConnectSince > 0 && now - wire.awaitsConnectSince > connectMsMax)
        wire.close('connect-timeout');
      // [MQTT-3.1.2-24]: silence for one and a half keepalives.
      else if (wire.keepaliveMs > 0 && wire.silentMs(now) >= wire.keepaliveMs * 1.5) wire.close('keepalive');
    }
    if (now - this.#expiredAt < EXPIRE_MS) return;
    this.#expiredAt = now;
    this.sessions.expire(now);
    this.#allowances.forget(now);
    this.#operators.forget(now);
  }
}
