/**
 * Between a socket and an Aedes client. It reads: strict decoding, limits, pausing. It writes: everything of one turn
 * of the event loop in one write, with a bound on what the peer hasn't taken. To Aedes it is the connection.
 */
import type { Duplex } from 'node:stream';
import { Decoder } from '../../mqtt/decode.ts';
import { connack, writeAcknowledgement } from '../../mqtt/encode.ts';
import {
  CONNACK,
  type ConnectPacket,
  type Packet,
  ProtocolError,
  type PublishPacket,
  TYPE,
} from '../../mqtt/packet.ts';
import type { Principal } from '../access/identity.ts';
import type { AedesClient } from '../aedes/internals.ts';
import type { BrokerLimits } from '../limits.ts';
import { readShared } from '../listeners/shared-read.ts';
import type { Outlet, Session } from '../session/session.ts';
import type { Inbound } from './publish-queue.ts';
import { Allowance } from './rate-limit.ts';

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

/** What the broker does for its wires. */
export interface WireOwner {
  readonly limits: BrokerLimits;
  /** Milliseconds, monotonic. */
  now(): number;
  /** Has something to flush at the end of this turn. */
  dirty(wire: Wire): void;
  /** The socket is closed; called once. */
  gone(wire: Wire): void;
  /** CONNECT was read. Answered by `accepted`, or by a refusal that closes the wire. */
  connect(wire: Wire, packet: ConnectPacket): void;
  /** A packet was read and is allowed by the protocol; false: the broker has dealt with it, Aedes shall not see it. */
  packet(wire: Wire, packet: Packet): boolean;
  /** A publish with QoS 0 or 1; `done` is called when it may be acknowledged, or with an error that ends the wire. */
  publish(wire: Wire, packet: PublishPacket, done: (error?: Error | null) => void): void;
  /** A CONNECT that the broker refuses before Aedes sees it. */
  refused(wire: Wire, reason: string): void;
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

/** The Wire that took the place of a client's connection. */
export function wireOf(client: AedesClient): Wire {
  return client.conn as Wire;
}

/** PUBACKs that are written together. */
const ACKNOWLEDGEMENTS_TOGETHER = 32;

const HOLD = { connecting: 1, inbound: 2, output: 4, rate: 8, aedes: 16, turn: 32 } as const;

export class Wire implements Outlet {
  readonly socket: Duplex;
  readonly origin: Origin;
  clientId = '';
  /** Undefined with open access, and before the client was authenticated. */
  principal: Principal | undefined;
  session: Session | undefined;
  inbound: Inbound | undefined;
  /** Why it ended, or is ending: a stable word. */
  reason: string | undefined;
  /** Since when the peer takes nothing while something waits; 0 when nothing waits. */
  stalledSince = 0;
  connected = false;
  /** Of its CONNECT: 3 is MQTT 3.1, 4 is MQTT 3.1.1. */
  protocolLevel = 4;
  /** Whether the session ends with the connection. */
  clean = true;
  /** Whether CONNECT found a session to go on with. */
  sessionPresent = false;
  /** Longest silence that the client promised; 0: none. */
  keepaliveMs = 0;
  readonly #owner: WireOwner;
  #client: AedesClient | undefined;
  /** Aedes's own listener for packets. */
  #offer: ((packet: unknown) => void) | undefined;
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
  #allowances: readonly Allowance[] = [];
  /** Since others had their turn. */
  #packetsThisTurn = 0;
  #ended = false;

  constructor(owner: WireOwner, socket: Duplex, origin: Origin) {
    this.#owner = owner;
    this.socket = socket;
    this.origin = origin;
    this.#heardAt = owner.now();
    const { connectPacketBytesMax, topicBytesMax, topicLevelsMax } = owner.limits;
    const { publishesPerSecondMax, bytesPerSecondMax } = owner.limits;
    if (publishesPerSecondMax > 0 || bytesPerSecondMax > 0) {
      this.#allowances = [
        new Allowance({
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

  /** Begins to read for an Aedes client that was made with this as its connection. */
  attach(client: AedesClient): void {
    this.#offer = client._parser.listeners?.('packet')[0]?.bind({ client, _queue: null });
    client._nextBatch = (error) => this.#handled(error ?? undefined);
    client.pause = () => this.#hold('aedes');
    client.resume = () => this.#release('aedes');
    const { socket } = this;
    const shared = readShared(socket, (chunk) => {
      this.#read(chunk);
      this.#decoder?.keep();
    });
    if (!shared) socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('drain', () => this.#drained());
    socket.on('error', (error) => {
      // The end of a connection that is over already says nothing new.
      if (!client.closed) client.emit('error', error);
    });
    socket.on('end', () => client.close());
    socket.on('close', () => {
      client.close();
      this.#owner.gone(this);
    });
  }

  get client(): AedesClient | undefined {
    return this.#client;
  }

  /** Aedes names itself to its connection. */
  set client(client: AedesClient) {
    this.#client = client;
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
    this.#soil();
  }

  /** PUBACKs mostly come in rows: a buffer for each would cost more than all that is written into it. */
  #acknowledge(id: number): void {
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
    this.#soil();
  }

  #closeAcknowledgements(): void {
    const { length } = this.#outbox;
    this.#outbox[length - 1] = (this.#acknowledgements as Buffer).subarray(0, this.#acknowledgementsBytes);
    this.#acknowledgements = undefined;
  }

  fail(reason: string): void {
    this.reason ??= reason;
    this.#soil();
  }

  /** Ends the connection now, in order: Aedes publishes the will and unregisters the client. */
  close(reason: string): void {
    this.reason ??= reason;
    this.#client?.close();
    this.destroy();
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
  drawOn(allowance: Allowance | undefined): void {
    if (allowance) this.#allowances = [...this.#allowances, allowance];
  }

  /** The connection draws on no account any more. */
  letGo(): void {
    for (const allowance of this.#allowances) allowance.holders--;
    this.#allowances = [];
  }

  /** Charges what was just read; beyond its rates the client isn't read until its time has come. */
  #charge(publishes: number, bytes: number): void {
    const now = this.#heardAt;
    let wait = 0;
    for (const allowance of this.#allowances) wait = Math.max(wait, allowance.spend(publishes, bytes, now));
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
    for (const allowance of this.#allowances) wait = Math.max(wait, allowance.spendPackets(packets, now));
    this.#waitFor(wait);
    this.#packetsThisTurn += packets;
    if (this.#packetsThisTurn < PACKETS_A_TURN || this.#held & HOLD.turn) return;
    this.#hold('turn');
    setImmediate(() => {
      this.#packetsThisTurn = 0;
      this.#release('turn');
    });
  }

  // ---- The connection as Aedes sees it ------------------------------------------------------------------------

  write(piece: Buffer | string): boolean {
    if (this.#ended) return true;
    this.#append(typeof piece === 'string' ? Buffer.from(piece) : piece);
    return true;
  }

  /** mqtt-packet corks once for each packet that it writes; here everything is collected anyway. */
  cork(): void {
    this.#packets++;
  }

  uncork(): void {}

  get destroyed(): boolean {
    return this.#ended;
  }

  /** What was written still leaves, then the socket ends. */
  destroy(): this {
    if (this.#ended) return this;
    this.#write();
    this.#ended = true;
    this.#decoder = undefined;
    const socket = this.socket;
    if (socket.destroyed) return this;
    if (this.stalledSince > 0) {
      // It takes nothing: waiting for it to take the rest would only keep the memory.
      socket.destroy();
      return this;
    }
    // What still comes is read and thrown away: closing with unread bytes would reset the connection, and the peer
    // might never see what was written last.
    socket.removeAllListeners('data');
    socket.resume();
    socket.end();
    const linger = setTimeout(() => socket.destroy(), LINGER_MS).unref();
    // Else a closed socket, and the buffers that it read into, would be held for as long as it might have lingered.
    socket.once('close', () => clearTimeout(linger));
    return this;
  }

  /**
   * Aedes and Node's `finished` would put a dozen listeners on each socket, for what can be read, for errors and for
   * its end. The Wire reads itself, and tells Aedes of errors and the end: nobody else is heard.
   */
  setMaxListeners(): this {
    return this;
  }

  on(): this {
    return this;
  }

  once(): this {
    return this;
  }

  removeListener(): this {
    return this;
  }

  removeAllListeners(): this {
    return this;
  }

  emit(): boolean {
    // Aedes emits `drain` to free what waits for it; nothing of its writing waits here.
    return false;
  }

  // ---- Reading ------------------------------------------------------------------------------------------------

  #read(chunk: Buffer): void {
    if (!this.#decoder) return;
    this.#owner.bytesReceived(chunk.length);
    this.#heardAt = this.#owner.now();
    if (this.#allowances.length > 0) this.#charge(0, chunk.length);
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
      this.#violated(error);
    } finally {
      this.#reading = false;
    }
  }

  #handle(packet: Packet): void {
    const client = this.#client as AedesClient;
    if (packet.cmd === 'connect' && !this.connected) {
      if (!this.#acceptable(packet)) return;
      this.#hold('connecting');
      this.#owner.connect(this, packet);
      return;
    }
    if (packet.cmd !== 'publish') this.#chargePacket(packet);
    else if (this.#allowances.length > 0) this.#charge(1, 0);
    if (!this.#owner.packet(this, packet)) return;
    this.#outstanding++;
    if (packet.cmd === 'publish' && packet.qos < 2 && this.connected) {
      this.#publish(client, packet);
    } else {
      // Aedes handles a packet at once when no other is being handled; the order is kept here.
      client._parsingBatch = 0;
      this.#offer?.(packet);
    }
    if (this.#full()) this.#hold('inbound');
  }

  /**
   * Not left to Aedes: for each publish it has a chain of callbacks, a packet written piece by piece and a turn of the
   * event loop of its own, which was a fifth of what taking an entry in cost.
   */
  #publish(client: AedesClient, packet: PublishPacket): void {
    if (client._keepaliveInterval > 0) client._keepaliveTimer?.refresh();
    const { qos, messageId } = packet;
    this.#owner.publish(this, packet, (error) => {
      if (!error && qos === 1) this.#acknowledge(messageId);
      this.#handled(error ?? undefined);
    });
  }

  /** What Aedes doesn't refuse, or not with the return code that the standard asks for. */
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

  #violated(error: ProtocolError): void {
    this.reason ??= error.reason;
    this.#client?.emit('error', error);
    this.destroy();
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

  /** A packet of about so many bytes is answered by the broker later: until `answered` it counts as under way. */
  answersLater(bytes: number): void {
    this.#outstanding++;
    this.#laterBytes += bytes;
    if (this.#full()) this.#hold('inbound');
  }

  /** What `answersLater` told of is answered. */
  answered(bytes: number): void {
    this.#laterBytes -= bytes;
    this.#handled(undefined);
  }

  #handled(error: Error | undefined): void {
    if (error) {
      this.#client?.emit('error', error);
      return;
    }
    this.#outstanding--;
    if (this.#held & HOLD.inbound && !this.#full()) this.#release('inbound');
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
    const line = this.inbound;
    return line !== undefined && (line.length >= inboundInFlightMax || line.bytes >= inboundInFlightBytesMax);
  }

  // ---- Writing ------------------------------------------------------------------------------------------------

  #soil(): void {
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
