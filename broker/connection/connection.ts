/**
 * One client's connection. Reading: strict decoding, limits, pausing. Writing: one write per turn of the event loop,
 * with a bound on the bytes that the peer hasn't read.
 */
import type { Duplex } from 'node:stream';
import { Decoder } from '../../mqtt/decode.ts';
import { connack } from '../../mqtt/encode.ts';
import { CONNACK, type ConnectPacket, type Packet, ProtocolError, type Will } from '../../mqtt/packet.ts';
import type { Principal } from '../access/identity.ts';
import type { Handshakes } from '../aedes.ts';
import type { BrokerLimits } from '../limits.ts';
import { readShared } from '../listeners/shared-read.ts';
import type { Outlet, Session } from '../session/session.ts';
import { Outbox } from './outbox.ts';
import type { PublishQueue } from './publish-queue.ts';
import { RateLimit } from './rate-limit.ts';

/** Where a connection came from. */
export interface Origin {
  /** The listener: tcp, tls or ws. */
  listener: string;
  address: string;
  /** Common name of the verified client certificate. */
  certificateName: string | undefined;
  /** The enrolment the certificate was issued for. */
  certificateEnrolment?: string | undefined;
  /** Called when CONNECT was read: the socket is no longer a stranger. */
  heard?(): void;
}

/** What the broker does for its connections. */
export interface ConnectionOwner {
  readonly limits: BrokerLimits;
  /** Milliseconds, monotonic. */
  now(): number;
  /** The connection has something to flush at the end of this turn of the event loop. */
  dirty(connection: Connection): void;
  /** The connection is over: its will is published and its session suspended. Called once. */
  ended(connection: Connection): void;
  /** The socket is closed; called once. */
  gone(connection: Connection): void;
  /** CONNECT was read. The broker calls `accepted`, or refuses and closes the connection. */
  connect(connection: Connection, packet: ConnectPacket): void;
  /** A packet of a connected client was read. @throws ProtocolError when it must end the connection */
  packet(connection: Connection, packet: Packet): void;
  /** CONNECT was refused: its version or its client id. */
  refused(connection: Connection, reason: string): void;
  /** Payload bytes of all clients that wait for an acknowledgement. */
  readonly inboundBytes: number;
  bytesReceived(bytes: number): void;
  bytesSent(bytes: number, packets: number): void;
}

/** Packets other than PUBLISH, plus filters, that one connection may use before others get their turn. */
const PACKETS_A_TURN = 200;
/** The burst for the rates that apply to every client. */
const RATE_BURST_MS = 250;
/** How long a closing socket waits for its peer to read the rest. */
const LINGER_MS = 2_000;

const HOLD = { connecting: 1, publishes: 2, output: 4, rate: 8, turn: 16 } as const;

export class Connection implements Outlet {
  readonly socket: Duplex;
  readonly origin: Origin;
  clientId = '';
  /** The key of its session: the client id, prefixed with the principal's name. */
  sessionKey = '';
  /** Undefined with open access, and before authentication. */
  principal: Principal | undefined;
  session: Session | undefined;
  publishQueue: PublishQueue | undefined;
  /** Why it ended, or is about to: a stable word (docs/reference/broker.md). */
  reason: string | undefined;
  /** Since when the peer has read nothing although output waits; 0 when none waits. */
  stalledSince = 0;
  connected = false;
  /** Published when the connection ends without DISCONNECT. Set when CONNECT is accepted. */
  will: Will | undefined;
  /** The QoS 2 handshakes, from the first QoS 2 packet on. */
  handshakes: Handshakes | undefined;
  /** When it opened, until CONNECT comes; then 0. */
  awaitsConnectSince: number;
  /** 3 is MQTT 3.1, 4 is MQTT 3.1.1. */
  protocolLevel = 4;
  /** Whether the session ends with the connection. */
  clean = true;
  /** Whether CONNECT resumed a session. */
  sessionPresent = false;
  /** The keepalive of CONNECT; 0: none. */
  keepaliveMs = 0;
  readonly #owner: ConnectionOwner;
  #decoder: Decoder | undefined;
  readonly #outbox = new Outbox();
  #dirty = false;
  /** Why reading is paused: bits of HOLD. */
  #held = 0;
  /** Packets that were read but not answered yet. */
  #outstanding = 0;
  /** The bytes of those that are not publishes. */
  #laterBytes = 0;
  #reading = false;
  /** When bytes last arrived. */
  #heardAt: number;
  /** The limit of this connection, and that of its printer or operator. */
  #rateLimits: readonly RateLimit[] = [];
  /** Packets since other connections had their turn. */
  #packetsThisTurn = 0;
  /** The connection is closing. */
  #closed = false;
  /** Nothing more is written. */
  #ended = false;

  constructor(owner: ConnectionOwner, socket: Duplex, origin: Origin) {
    this.#owner = owner;
    this.socket = socket;
    this.origin = origin;
    this.#heardAt = owner.now();
    this.awaitsConnectSince = this.#heardAt;
    const { connectPacketBytesMax, topicBytesMax, topicLevelsMax } = owner.limits;
    const { publishesPerSecondMax, bytesPerSecondMax } = owner.limits;
    if (publishesPerSecondMax > 0 || bytesPerSecondMax > 0) {
      this.#rateLimits = [
        new RateLimit({
          publishesPerSecond: publishesPerSecondMax,
          bytesPerSecond: bytesPerSecondMax,
          burstMs: RATE_BURST_MS,
          packetsPerSecond: 0,
          packetBurstMs: 0,
        }),
      ];
    }
    this.#decoder = new Decoder({ packetBytesMax: connectPacketBytesMax, topicBytesMax, topicLevelsMax });
  }

  /** Starts reading. */
  start(): void {
    const { socket } = this;
    const shared = readShared(socket, (chunk) => {
      this.#read(chunk);
      this.#decoder?.keep();
    });
    if (!shared) socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('drain', () => this.#drained());
    socket.on('error', () => this.#end());
    socket.on('end', () => this.#end());
    socket.on('close', () => {
      this.#end();
      this.#owner.gone(this);
    });
  }

  /** Whether it is closing. */
  get closed(): boolean {
    return this.#closed;
  }

  get pendingBytes(): number {
    return this.socket.writableLength + this.#outbox.bytes;
  }

  /**
   * How long nothing has arrived. Part of a packet counts: a long packet on a slow network is not silence. 0 while
   * reading is paused, because then silence says nothing about the peer.
   */
  silentMs(now: number): number {
    return this.#held === 0 ? now - this.#heardAt : 0;
  }

  /** Sends one whole packet at the end of this turn of the event loop. */
  send(packet: Buffer): void {
    if (this.#ended) return;
    this.#outbox.push(packet);
    this.#markDirty();
  }

  /** Sends PUBACK. */
  acknowledge(id: number): void {
    if (this.#ended) return;
    this.#outbox.acknowledge(id);
    this.#markDirty();
  }

  fail(reason: string): void {
    this.reason ??= reason;
    this.#markDirty();
  }

  /** Ends the connection now: publishes its will, suspends its session, writes what was collected. */
  close(reason: string): void {
    this.reason ??= reason;
    this.#end();
  }

  /** DISCONNECT came: the will is discarded [MQTT-3.14.4-3]. */
  disconnect(): void {
    this.reason = 'disconnected';
    this.will = undefined;
    this.#end();
  }

  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#owner.ended(this);
    this.handshakes?.close();
    this.#closeSocket();
  }

  /** Writes what this turn of the event loop collected. */
  flush(): void {
    this.#dirty = false;
    if (this.#ended) return;
    if (this.reason !== undefined) {
      this.close(this.reason);
      return;
    }
    this.#write();
    if (this.session?.outlet === this) this.session.release();
    if (this.socket.writableLength > 0 && this.socket.writableNeedDrain) {
      if (this.stalledSince === 0) this.stalledSince = this.#owner.now();
      // A peer that doesn't read its acknowledgements isn't read either.
      if (this.pendingBytes >= this.#owner.limits.outboundSocketBytesMax) this.#hold('output');
    } else if (this.session?.outlet === this && this.session.backlog) {
      this.session.pump();
    }
  }

  /** Charges incoming data to this limit too. */
  addRateLimit(rateLimit: RateLimit | undefined): void {
    if (rateLimit) this.#rateLimits = [...this.#rateLimits, rateLimit];
  }

  /** The connection is over: its limits no longer count it. */
  releaseRateLimits(): void {
    for (const rateLimit of this.#rateLimits) rateLimit.holders--;
    this.#rateLimits = [];
  }

  /** Charges incoming data. A client that exceeds its rates isn't read for a while. */
  #charge(publishes: number, bytes: number): void {
    const now = this.#heardAt;
    let wait = 0;
    for (const rateLimit of this.#rateLimits) wait = Math.max(wait, rateLimit.charge(publishes, bytes, now));
    this.#waitFor(wait);
  }

  #waitFor(ms: number): void {
    if (ms === 0 || this.#held & HOLD.rate) return;
    this.#hold('rate');
    setTimeout(() => this.#release('rate'), ms).unref();
  }

  /** Charges a packet other than PUBLISH, each filter as one. Acknowledgements that are awaited are free. */
  #chargePacket(packet: Packet): void {
    let packets = 1;
    if (packet.cmd === 'subscribe') packets += packet.subscriptions.length;
    else if (packet.cmd === 'unsubscribe') packets += packet.unsubscriptions.length;
    else if (packet.cmd === 'disconnect' || this.session?.awaits(packet)) return;
    const now = this.#heardAt;
    let wait = 0;
    for (const rateLimit of this.#rateLimits) wait = Math.max(wait, rateLimit.chargePackets(packets, now));
    this.#waitFor(wait);
    this.#packetsThisTurn += packets;
    if (this.#packetsThisTurn < PACKETS_A_TURN || this.#held & HOLD.turn) return;
    this.#hold('turn');
    setImmediate(() => {
      this.#packetsThisTurn = 0;
      this.#release('turn');
    });
  }

  /** Flushes, then ends the socket. */
  #closeSocket(): void {
    this.#write();
    this.#ended = true;
    this.#decoder = undefined;
    const socket = this.socket;
    if (socket.destroyed) return;
    if (this.stalledSince > 0) {
      // The peer doesn't read; waiting for it would only hold memory.
      socket.destroy();
      return;
    }
    // Data that still arrives is read and discarded: closing with unread bytes would reset the connection, and the peer
    // might never see the last write.
    socket.removeAllListeners('data');
    socket.resume();
    socket.end();
    const linger = setTimeout(() => socket.destroy(), LINGER_MS).unref();
    // Otherwise the timer would hold the closed socket and its buffers.
    socket.once('close', () => clearTimeout(linger));
  }

  // ---- Reading ------------------------------------------------------------------------------------------------

  #read(chunk: Buffer): void {
    if (!this.#decoder) return;
    this.#owner.bytesReceived(chunk.length);
    this.#heardAt = this.#owner.now();
    if (this.#rateLimits.length > 0) this.#charge(0, chunk.length);
    this.#decoder.push(chunk);
    this.#decode();
    // Stops reading only if the peer keeps sending while paused: in a storm nearly every client just waits for its
    // answer.
    if (this.#held !== 0 && this.#decoder && this.#decoder.held > 0) this.socket.pause();
  }

  #decode(): void {
    // Handling a packet may end a pause; the running loop then continues.
    if (this.#reading) return;
    this.#reading = true;
    try {
      while (this.#held === 0 && this.#decoder) {
        const packet = this.#decoder.next();
        if (!packet) break;
        this.#handle(packet);
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.close(error.reason);
    } finally {
      this.#reading = false;
    }
  }

  #handle(packet: Packet): void {
    if (!this.connected) {
      if (packet.cmd !== 'connect') throw new ProtocolError(`${packet.cmd} before CONNECT [MQTT-3.1.0-1]`);
      this.awaitsConnectSince = 0;
      if (!this.#acceptable(packet)) return;
      this.#hold('connecting');
      this.#owner.connect(this, packet);
      return;
    }
    if (packet.cmd !== 'publish') this.#chargePacket(packet);
    else if (this.#rateLimits.length > 0) this.#charge(1, 0);
    this.#owner.packet(this, packet);
    if (this.#full()) this.#hold('publishes');
  }

  /** Whether the protocol and the client id are acceptable; else CONNECT is refused. */
  #acceptable(packet: ConnectPacket): boolean {
    this.clientId = packet.clientId;
    if (!packet.supported) {
      // [MQTT-3.1.2-2]: return code 0x01, then the connection is closed.
      this.#refuse(CONNACK.protocol, 'protocol-version');
      return false;
    }
    // The broker generates an id if it is empty, but only for a clean session [MQTT-3.1.3-7], [MQTT-3.1.3-8].
    const bad =
      packet.clientId === ''
        ? !packet.clean || packet.protocolVersion === 3
        : Buffer.byteLength(packet.clientId) > this.#owner.limits.clientIdBytesMax;
    if (bad) {
      this.#refuse(CONNACK.identifier, 'client-id');
      return false;
    }
    return true;
  }

  #refuse(code: number, reason: string): void {
    this.#owner.refused(this, reason);
    this.deny(code, reason);
  }

  /** Answers CONNECT with a return code other than 0, then ends the connection [MQTT-3.2.2-5]. */
  deny(code: number, reason: string): void {
    this.send(connack(code, false));
    this.close(reason);
  }

  /** CONNECT was accepted: reading continues, within the limits of a known client. */
  accepted(): void {
    const { packetBytesMax, topicBytesMax, topicLevelsMax } = this.#owner.limits;
    if (this.#decoder) {
      this.#decoder.limits = { packetBytesMax, topicBytesMax, topicLevelsMax };
      this.#decoder.level = this.protocolLevel;
    }
    this.#release('connecting');
  }

  /** A packet is answered later. Until `answered` it counts as in flight, with about this many bytes. */
  answersLater(bytes: number): void {
    this.#outstanding++;
    this.#laterBytes += bytes;
  }

  /** A packet that `answersLater` announced is answered. After an error the connection ends. */
  answered(bytes: number, error?: Error | null): void {
    this.#laterBytes -= bytes;
    if (error) {
      this.#end();
      return;
    }
    this.#outstanding--;
    if (this.#held & HOLD.publishes && !this.#full()) this.#release('publishes');
  }

  /**
   * Whether reading must wait until something is answered. The queue is the client's: it also holds what earlier
   * connections left there, so reconnecting buys no room. A connection with nothing in flight itself would never be
   * woken, so it may always have one packet.
   */
  #full(): boolean {
    const { inboundInFlightMax, inboundInFlightBytesMax, inboundInFlightBytesTotalMax } = this.#owner.limits;
    if (this.#outstanding === 0) return false;
    if (this.#owner.inboundBytes >= inboundInFlightBytesTotalMax) return true;
    if (this.#outstanding >= inboundInFlightMax || this.#laterBytes >= inboundInFlightBytesMax) return true;
    const queue = this.publishQueue;
    return (
      queue !== undefined && (queue.length >= inboundInFlightMax || queue.bytes >= inboundInFlightBytesMax)
    );
  }

  // ---- Writing ------------------------------------------------------------------------------------------------

  #markDirty(): void {
    if (this.#dirty) return;
    this.#dirty = true;
    this.#owner.dirty(this);
  }

  #write(): void {
    const { bytes, packets } = this.#outbox;
    if (bytes === 0 || this.socket.destroyed) return;
    this.#owner.bytesSent(bytes, packets);
    this.#outbox.writeTo(this.socket);
  }

  #drained(): void {
    this.stalledSince = 0;
    if (this.#held & HOLD.output) this.#release('output');
    if (this.session?.outlet === this) this.session.pump();
  }

  #hold(why: keyof typeof HOLD): void {
    this.#held |= HOLD[why];
  }

  #release(why: keyof typeof HOLD): void {
    if (this.#held === 0) return;
    this.#held &= ~HOLD[why];
    if (this.#held !== 0 || this.#ended) return;
    this.#heardAt = this.#owner.now();
    this.#decode();
    if (this.#held === 0 && this.socket.isPaused()) this.socket.resume();
  }
}
