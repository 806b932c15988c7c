/**
 * Aedes 1.2 runs the QoS 2 handshakes of both directions: PUBLISH and PUBREC, PUBREL and PUBCOMP (MQTT 4.3.3). This is
 * the only file that knows Aedes. A connection gets an Aedes client with its first QoS 2 packet, so most have none.
 *
 * The version is pinned exactly, because this file uses Aedes internals from `aedes.js`, `lib/client.js`,
 * `lib/write.js` and `lib/handlers/`. Compare them with this file before changing the version.
 */
import type { Duplex } from 'node:stream';
import { Aedes } from 'aedes';
import type { AckPacket, PublishPacket } from '../mqtt/packet.ts';

/** Called when a packet is handled: with an error, the connection must end. */
export type Done = (error?: Error | null) => void;

/** What a client sends as its part of a QoS 2 handshake. */
export type HandshakePacket = PublishPacket | AckPacket;

/** The connection and its session, as the handshakes see them. */
export interface HandshakePeer {
  /** Writes one whole packet. Ignored once the connection is over. */
  send(packet: Buffer): void;
  /** PUBLISH came. `done` is called when the broker has accepted it: PUBREC follows, or the connection ends. */
  publish(packet: PublishPacket, done: Done): void;
  /** Whether a publish with this identifier was accepted and not released yet. */
  isTaken(messageId: number): boolean;
  /** PUBREL came. PUBCOMP follows at once, or when the promise resolves. */
  release(messageId: number): Promise<void> | undefined;
  /** PUBREC came. PUBREL follows at once, or when the promise resolves. */
  received(messageId: number): Promise<void> | undefined;
  /** PUBCOMP came. */
  completed(messageId: number): void;
}

/** The handshakes of one connection. */
export interface Handshakes {
  handle(packet: HandshakePacket, done: Done): void;
  /** The connection is over: nothing more is written. */
  close(): void;
}

/** The embedded Aedes broker. */
export class AedesBroker {
  readonly #aedes = new HandshakeBroker({
    mq: new SilentEmitter(),
    persistence: new PeerPersistence(),
    // The broker bounds this itself (`inboundQos2Max`), over all connections of a session.
    maxInflightInbound: 0,
    // The heartbeat is for clusters of Aedes brokers.
    heartbeatInterval: DAY_MS,
    authorizePublish: (client, packet, done) => {
      // The whole publish is handled here and not in `publish`: only this hook is called in the order of arrival,
      // before Aedes waits for its persistence.
      peerOf(client as unknown as AedesClient).publish(packet as unknown as PublishPacket, done);
    },
  });

  async start(): Promise<void> {
    await this.#aedes.listen();
  }

  close(): void {
    this.#aedes.close();
  }

  /** Starts the handshakes of a connection whose CONNECT was accepted. */
  open(peer: HandshakePeer): Handshakes {
    const client = this.#aedes.handle(new PeerSocket(peer) as unknown as Duplex) as unknown as AedesClient;
    // CONNECT was handled before Aedes knew of the connection.
    if (client._connectTimer) clearTimeout(client._connectTimer);
    client._connectTimer = null;
    client.version = 4;
    // Not clean: otherwise Aedes sends PUBREL without asking the persistence whether it may.
    client.clean = false;
    client.connected = true;
    client.connackSent = true;
    return {
      handle(packet, done) {
        // At 0 Aedes handles a packet at once. Its own queue is for packets before CONNACK.
        client._parsingBatch = 0;
        client._nextBatch = done;
        client._parser.emit('packet', packet);
      },
      close: () => client.close(),
    };
  }
}

const DAY_MS = 24 * 3600 * 1000;

/** The parts of a client in use that the Aedes types don't declare (`lib/client.js`). */
interface AedesClient {
  conn: PeerSocket;
  clean: boolean;
  version: number;
  connected: boolean;
  connackSent: boolean;
  /** Ends a connection that sends no CONNECT. */
  _connectTimer: NodeJS.Timeout | null;
  /** Packets that are being handled. */
  _parsingBatch: number;
  /** Read again for each packet, and called when the packet was handled. */
  _nextBatch: Done;
  /** Emits `packet` to the client. */
  _parser: { emit(event: 'packet', packet: HandshakePacket): boolean };
  close(): void;
}

function peerOf(client: AedesClient): HandshakePeer {
  return client.conn.peer;
}

class HandshakeBroker extends Aedes {
  /** The router already delivered the message in `authorizePublish`; Aedes has nothing to add. */
  override publish(_packet: unknown, client: unknown, done?: unknown): void {
    const callback = typeof client === 'function' ? client : done;
    if (typeof callback === 'function') callback();
  }

  // Aedes caps its option at 100 levels, the most its own topic matcher can handle. The decoder has a separate limit.
  readonly maxTopicLevels = Number.MAX_SAFE_INTEGER;
}

/** Every packet of a handshake is this long. mqtt-packet writes it in three pieces. */
const PACKET_BYTES = 4;

/**
 * Stands in for the socket of Aedes. It passes whole packets to the peer and has no events: the connection reports its
 * own end.
 */
class PeerSocket {
  readonly peer: HandshakePeer;
  client: AedesClient | undefined;
  destroyed = false;
  #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(peer: HandshakePeer) {
    this.peer = peer;
  }

  write(piece: Buffer): boolean {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (this.#bytes < PACKET_BYTES) return true;
    this.peer.send(Buffer.concat(this.#pieces, this.#bytes));
    this.#pieces = [];
    this.#bytes = 0;
    return true;
  }

  cork(): void {}

  uncork(): void {}

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
    return false;
  }

  destroy(): this {
    this.destroyed = true;
    return this;
  }
}

interface Identified {
  messageId: number;
}

/** Replaces aedes-persistence: the session behind the connection knows the identifiers. */
class PeerPersistence {
  // Aedes checks that this is an async function.
  async setup(): Promise<void> {}

  /** PUBLISH or PUBREL came. Rejects when the identifier is unknown. */
  async incomingGetPacket(client: AedesClient, packet: Identified): Promise<Identified> {
    if (!peerOf(client).isTaken(packet.messageId)) throw new Error('unknown message identifier');
    return packet;
  }

  /** Called when PUBREL came before the broker had accepted its publish. The session has forgotten it by then. */
  async incomingStorePacket(): Promise<void> {}

  async incomingDelPacket(client: AedesClient, packet: Identified): Promise<void> {
    await peerOf(client).release(packet.messageId);
  }

  /** PUBREC came. */
  async outgoingUpdate(client: AedesClient, packet: Identified): Promise<void> {
    await peerOf(client).received(packet.messageId);
  }

  /** PUBCOMP came. */
  async outgoingClearMessageId(client: AedesClient, packet: Identified): Promise<void> {
    peerOf(client).completed(packet.messageId);
  }
}

/** Replaces mqemitter: Aedes delivers nothing here, so nobody listens. */
class SilentEmitter {
  readonly concurrency = 0;
  readonly current = 0;

  on(): this {
    return this;
  }

  removeListener(): this {
    return this;
  }

  emit(_packet: unknown, done?: () => void): this {
    done?.();
    return this;
  }

  close(done: () => void): this {
    setImmediate(done);
    return this;
  }
}
