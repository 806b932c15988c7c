/**
 * The middle of the broker: what is read of a connection goes to the part that deals with it, and all its parts are
 * put together here. No sockets and no listeners; connections are given to it.
 */
import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { Aedes, AedesOptions } from 'aedes';
import type { Logger } from 'pino';
import { acknowledgement } from '../mqtt/encode.ts';
import {
  CONNACK,
  type ConnectPacket,
  type Packet,
  ProtocolError,
  type PublishPacket,
  TYPE,
} from '../mqtt/packet.ts';
import type { Identity } from './access/identity.ts';
import { QuietEmitter } from './aedes/emitter.ts';
import { begin, createAedes, type Handle, known, letIn } from './aedes/fleet-aedes.ts';
import type { AedesClient } from './aedes/internals.ts';
import { HubPersistence } from './aedes/persistence.ts';
import { Admission } from './connection/admission.ts';
import type { Gate } from './connection/connect-queue.ts';
import { Allowances } from './connection/rate-limit.ts';
import { type Origin, Wire, type WireOwner, wireOf } from './connection/wire.ts';
import type { Uplink } from './embedding.ts';
import type { BrokerLimits } from './limits.ts';
import { type Counters, Monitor } from './monitor.ts';
import type { RetainedStore } from './retained/retained-store.ts';
import { Message } from './routing/message.ts';
import { type Publication, Publishing } from './routing/publishing.ts';
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

const DAY_MS = 24 * 3600 * 1000;
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
  readonly #subscribing: Subscribing;
  readonly #allowances: Allowances;
  readonly #operators: Allowances;
  readonly #aedes: Aedes;
  readonly #handle: Handle;
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
      letIn: (wire, client) => this.#letIn(wire, client),
      full: (wire, client) => this.sessions.full(wire, client.id),
    });
    this.#publishing = new Publishing({ log, router: this.router, monitor, uplink });
    this.#subscribing = new Subscribing(this.router, monitor);
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
    const { aedes, handle } = createAedes(this.#aedesOptions(), this.sessions);
    this.#aedes = aedes;
    this.#handle = handle;
    aedes.on('connectionError', (client) => {
      const wire = wireOf(client as unknown as AedesClient);
      wire.reason ??= wire.clientId === '' ? 'connect-timeout' : 'connect-failed';
    });
  }

  #aedesOptions(): AedesOptions {
    const limits = this.limits;
    return {
      mq: new QuietEmitter(),
      persistence: new HubPersistence(this.sessions),
      concurrency: 8,
      connectTimeout: limits.connectMsMax,
      // The Wire has its own bound on what isn't taken, and its own time.
      drainTimeout: 0,
      // Only for clusters of Aedes, and for wills left by a crashed one.
      heartbeatInterval: DAY_MS,
      maxClientsIdLength: limits.clientIdBytesMax,
      maxInflightInbound: 0,
      authorizePublish: (client, packet, done) => {
        if (client) {
          const wire = wireOf(client as unknown as AedesClient);
          this.#publishing.take(wire, packet as unknown as Publication, done);
        } else done(null);
      },
    };
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
    wire.attach(this.#handle(wire));
    return wire;
  }

  async start(): Promise<void> {
    await this.#aedes.listen();
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
    const client = wire.client as AedesClient;
    begin(client, packet);
    this.#admission.decide(wire, client, packet);
  }

  #letIn(wire: Wire, client: AedesClient): void {
    const durable = this.sessions.register(wire, client.id);
    known(client);
    if (durable) {
      // Until then it isn't connected: it has no will, and nothing is delivered to it.
      durable.then(
        () => {
          if (wire.connected) this.#accept(wire, client);
        },
        () => wire.deny(CONNACK.unavailable, 'storage-failed'),
      );
    } else this.#accept(wire, client);
  }

  #accept(wire: Wire, client: AedesClient): void {
    letIn(client);
    this.sessions.accept(wire);
  }

  packet(wire: Wire, packet: Packet): boolean {
    this.counters.packetsReceived++;
    switch (packet.cmd) {
      case 'publish':
        this.counters.publishesReceived++;
        this.counters.payloadBytesReceived += packet.payload.length;
        return true;
      case 'subscribe':
        // Not left to Aedes: it drops a filter that is named twice and with it a return code [MQTT-3.8.4-5], forgets
        // the QoS, and makes a stream and several closures for each filter, which is half the cost of a storm.
        if (wire.connected) this.#subscribing.subscribe(wire, packet);
        return !wire.connected;
      case 'unsubscribe':
        if (wire.connected) this.#subscribing.unsubscribe(wire, packet);
        return !wire.connected;
      case 'puback':
      case 'pubrec':
      case 'pubcomp':
        if (wire.session?.expects(packet.cmd, packet.messageId) === false) {
          throw new ProtocolError(
            `${packet.cmd} for a message that can't have it [MQTT-4.8.0-1]`,
            'wrong-acknowledgement',
          );
        }
        return packet.cmd !== 'pubrec' || !this.#received(wire, packet.messageId);
      default:
        return true;
    }
  }

  /** PUBREC came. Returns whether PUBREL is sent here, once that is durable; else Aedes sends it at once. */
  #received(wire: Wire, id: number): boolean {
    const durable = wire.session?.released(id);
    durable?.then(
      () => wire.send(acknowledgement(TYPE.pubrel, id)),
      () => wire.close('storage-failed'),
    );
    return durable !== undefined;
  }

  publish(wire: Wire, packet: PublishPacket, done: (error?: Error | null) => void): void {
    this.#publishing.take(wire, packet, done);
  }

  #keepalive(seconds: number): number {
    const cap = this.limits.keepaliveSecondsMax;
    return cap > 0 && (seconds === 0 || seconds > cap) ? cap : seconds;
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
    const { stalledMsMax } = this.limits;
    for (const wire of this.connections) {
      if (wire.stalledSince > 0 && now - wire.stalledSince > stalledMsMax) wire.close('slow-consumer');
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
