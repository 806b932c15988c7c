/**
 * One client's connection. It reads: strict decoding, limits, pausing. It writes: everything of one turn of the event
 * loop in one write, with a bound on what the peer hasn't taken.
 */
import type { Duplex } from 'node:stream';
import { Decoder } from '../../mqtt/decode.ts';
import { connack, writeAcknowledgement } from '../../mqtt/encode.ts';
import {
  CONNACK,
  type ConnectPacket,
  type Packet,
  ProtocolError,
  TYPE,
  type Will,
} from '../../mqtt/packet.ts';
import type { Principal } from '../access/identity.ts';
import type { Handshakes } from '../aedes.ts';
import type { BrokerLimits } from '../limits.ts';
import { readShared } from '../listeners/shared-read.ts';
import type { Outlet, Session } from '../session/session.ts';
import type { PublishQueue } from './publish-queue.ts';
import { RateLimit } from './rate-limit.ts';

/** Where a connection comes from. */
export interface Origin {
  /** The listener: tcp, tls or ws. */
  listener: string;
  address: string;
  /** Common name of a client certificate that was verified. */
  certificateName: string | undefined;
  /** The enrolment that the certificate was issued for. */
  certificateEnrolment?: string | undefined;
  /** Called when its CONNECT was read: until then it is a stranger among strangers. */
  heard?(): void;
}

/** What the broker does for its connections. */
export interface ConnectionOwner {
  readonly limits: BrokerLimits;
  /** Milliseconds, monotonic. */
  now(): number;
  /** Has something to flush at the end of this turn. */
  dirty(connection: Connection): void;
  /** The connection is over: its will is published and its session suspended. Called once. */
  ended(connection: Connection): void;
  /** The socket is closed; called once. */
  gone(connection: Connection): void;
  /** CONNECT was read. Answered by `accepted`, or by a refusal that closes the connection. */
  connect(connection: Connection, packet: ConnectPacket): void;
  /** A packet of a connected client was read. @throws ProtocolError when it ends the connection */
  packet(connection: Connection, packet: Packet): void;
  /** CONNECT was refused for what it says. */
  refused(connection: Connection, reason: string): void;
  /** Bytes of payload of all clients that wait for their acknowledgement. */
  readonly inboundBytes: number;
  bytesReceived(bytes: number): void;
  bytesSent(bytes: number, packets: number): void;
}

/** Beyond this much, pieces are written one by one instead of being copied together. */
const JOIN_BYTES_MAX = 64 * 1024;
/** Packets that aren't publishes, and filters, that one connection has handled before others get their turn. */
const PACKETS_A_TURN = 200;
/** How far ahead a connection may be of the rates that hold for everybody. */
const RATE_BURST_MS = 250;
/** A peer that takes nothing must not hold a socket that is being closed. */
const LINGER_MS = 2_000;

/** PUBACKs that are written together. */
const ACKNOWLEDGEMENTS_TOGETHER = 32;

const HOLD = { connecting: 1, publishes: 2, output: 4, rate: 8, turn: 16 } as const;

export class Connection implements Outlet {
  readonly socket: Duplex;
  readonly origin: Origin;
  clientId = '';
  /** Of its session. An operator's client ids are its own, so the key has its name in it. */
  sessionKey = '';
  /** Undefined with open access, and before the client was authenticated. */
  principal: Principal | undefined;
  session: Session | undefined;
  publishQueue: PublishQueue | undefined;
  /** Why it ended, or is ending: a stable word. */
  reason: string | undefined;
  /** Since when the peer takes nothing while something waits; 0 when nothing waits. */
  stalledSince = 0;
  connected = false;
  /** Published when the connection ends without DISCONNECT. Set when CONNECT is accepted. */
  will: Will | undefined;
  /** Of its QoS 2 messages, from the first one on. */
  handshakes: Handshakes | undefined;
  /** Since when it owes its CONNECT; 0 once that came. */
  awaitsConnectSince: number;
  /** Of its CONNECT: 3 is MQTT 3.1, 4 is MQTT 3.1.1. */
  protocolLevel = 4;
  /** Whether the session ends with the connection. */
  clean = true;
  /** Whether CONNECT found a session to go on with. */
  sessionPresent = false;
  /** Longest silence that the client promised; 0: none. */
  keepaliveMs = 0;
  readonly #owner: ConnectionOwner;
  #decoder: Decoder | undefined;
  #outbox: Buffer[] = [];
  #outboxBytes = 0;
  /** The last piece of the outbox, while it holds nothing but PUBACKs and has room. */
  #acknowledgements: Buffer | undefined;
  #acknowledgementsBytes = 0;
  #packets = 0;
  #dirty = false;
  /** Why nothing is read at the moment, as bits. */
  #held = 0;
  #outstanding = 0;
  /** Bytes of those packets among them that aren't publishes. */
  #laterBytes = 0;
  #reading = false;
  /** When bytes came last. */
  #heardAt: number;
  /** What bounds its rates: those for everybody, those of a printer. */
  #rateLimits: readonly RateLimit[] = [];
  /** Since others had their turn. */
  #packetsThisTurn = 0;
  /** It is over, or ending: `close` was called. */
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

  /** Begins to read. */
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

  /** Whether it is over, or ending. */
  get closed(): boolean {
    return this.#closed;
  }

  get pendingBytes(): number {
    return this.socket.writableLength + this.#outboxBytes;
  }

  /** For how long nothing came: a long packet on a slow line is no silence. While the broker itself doesn't read, silence says nothing about the peer. */
  silentMs(now: number): number {
    return this.#held === 0 ? now - this.#heardAt : 0;
  }

  send(bytes: Buffer): void {
    if (this.#ended) return;
    this.#packets++;
    this.#append(bytes);
  }

  #append(bytes: Buffer): void {
    if (this.#acknowledgements) this.#closeAcknowledgements();
    this.#outbox.push(bytes);
    this.#outboxBytes += bytes.length;
    this.#markDirty();
  }

  /** Sends PUBACK. They mostly come in rows: a buffer for each would cost more than all that is written into it. */
  acknowledge(id: number): void {
    if (this.#ended) return;
    this.#packets++;
    if (!this.#acknowledgements) {
      this.#acknowledgements = Buffer.allocUnsafe(4 * ACKNOWLEDGEMENTS_TOGETHER);
      this.#acknowledgementsBytes = 0;
      this.#outbox.push(this.#acknowledgements);
    }
    writeAcknowledgement(this.#acknowledgements, this.#acknowledgementsBytes, TYPE.puback, id);
    this.#acknowledgementsBytes += 4;
    this.#outboxBytes += 4;
    if (this.#acknowledgementsBytes === this.#acknowledgements.length) this.#acknowledgements = undefined;
    this.#markDirty();
  }

  #closeAcknowledgements(): void {
    const { length } = this.#outbox;
    this.#outbox[length - 1] = (this.#acknowledgements as Buffer).subarray(0, this.#acknowledgementsBytes);
    this.#acknowledgements = undefined;
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

  /** Writes what was collected in this turn. */
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
      // Whoever doesn't take its acknowledgements isn't read either.
      if (this.pendingBytes >= this.#owner.limits.outboundSocketBytesMax) this.#hold('output');
    } else if (this.session?.outlet === this && this.session.backlog) {
      this.session.pump();
    }
  }

  /** From now on what is read is charged to this account too. */
  addRateLimit(rateLimit: RateLimit | undefined): void {
    if (rateLimit) this.#rateLimits = [...this.#rateLimits, rateLimit];
  }

  /** The connection draws on no account any more. */
  releaseRateLimits(): void {
    for (const rateLimit of this.#rateLimits) rateLimit.holders--;
    this.#rateLimits = [];
  }

  /** Charges what was just read; beyond its rates the client isn't read until its time has come. */
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

  /** Charges a packet that is no publish, each filter as one. The answers to what was sent are free. */
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

  /** What was written still leaves, then the socket ends. */
  #closeSocket(): void {
    this.#write();
    this.#ended = true;
    this.#decoder = undefined;
    const socket = this.socket;
    if (socket.destroyed) return;
    if (this.stalledSince > 0) {
      // It takes nothing: waiting for it to take the rest would only keep the memory.
      socket.destroy();
      return;
    }
    // What still comes is read and thrown away: closing with unread bytes would reset the connection, and the peer
    // might never see what was written last.
    socket.removeAllListeners('data');
    socket.resume();
    socket.end();
    const linger = setTimeout(() => socket.destroy(), LINGER_MS).unref();
    // Else a closed socket, and the buffers that it read into, would be held for as long as it might have lingered.
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
    // Only who sends on while nothing may be read is stopped: in a storm nearly everybody waits for the answer.
    if (this.#held !== 0 && this.#decoder && this.#decoder.held > 0) this.socket.pause();
  }

  #decode(): void {
    // What is handled may release a hold: the loop that runs already goes on then.
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

  /** Whether CONNECT is for a protocol and with a client id that are taken; else it is refused. */
  #acceptable(packet: ConnectPacket): boolean {
    this.clientId = packet.clientId;
    if (!packet.supported) {
      // [MQTT-3.1.2-2]: return code 0x01, then the connection is closed.
      this.#refuse(CONNACK.protocol, 'protocol-version');
      return false;
    }
    // An empty id is one that the broker makes, and only for a clean session [MQTT-3.1.3-7], [MQTT-3.1.3-8].
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

  /** Answers CONNECT with a return code that isn't 0, then ends the connection [MQTT-3.2.2-5]. */
  deny(code: number, reason: string): void {
    this.send(connack(code, false));
    this.close(reason);
  }

  /** CONNECT is answered: what follows it is read, within the limits of a client that is known. */
  accepted(): void {
    const { packetBytesMax, topicBytesMax, topicLevelsMax } = this.#owner.limits;
    if (this.#decoder) {
      this.#decoder.limits = { packetBytesMax, topicBytesMax, topicLevelsMax };
      this.#decoder.level = this.protocolLevel;
    }
    this.#release('connecting');
  }

  /** A packet of about so many bytes is answered later: until `answered` it counts as under way. */
  answersLater(bytes: number): void {
    this.#outstanding++;
    this.#laterBytes += bytes;
  }

  /** What `answersLater` told of is answered. After an error the connection ends. */
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
   * Whether nothing more may be read until something is handled. The line is the client's: it also holds what earlier
   * connections left there, so that connecting again buys no room. A connection that has nothing under way itself would
   * never be told that the others' is done, so it may always have one packet.
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
    if (this.#outbox.length === 0 || this.socket.destroyed) return;
    if (this.#acknowledgements) this.#closeAcknowledgements();
    const pieces = this.#outbox;
    const bytes = this.#outboxBytes;
    this.#outbox = [];
    this.#outboxBytes = 0;
    this.#owner.bytesSent(bytes, this.#packets);
    this.#packets = 0;
    if (pieces.length === 1) {
      this.socket.write(pieces[0] as Buffer);
    } else if (bytes <= JOIN_BYTES_MAX) {
      this.socket.write(Buffer.concat(pieces, bytes));
    } else {
      this.socket.cork();
      for (const piece of pieces) this.socket.write(piece);
      this.socket.uncork();
    }
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
