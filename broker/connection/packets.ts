/** Dispatches each packet after CONNECT to the part that handles it. */
import { PINGRESP } from '../../mqtt/encode.ts';
import { type AckPacket, type Packet, ProtocolError, type PublishPacket } from '../../mqtt/packet.ts';
import type { AedesBroker, Done, HandshakePacket, HandshakePeer } from '../aedes.ts';
import type { Counters } from '../monitor.ts';
import type { Publishing } from '../routing/publishing.ts';
import type { Subscribing } from '../routing/subscribing.ts';
import type { Connection } from './connection.ts';

export interface PacketsOptions {
  counters: Counters;
  publishing: Publishing;
  subscribing: Subscribing;
  aedes: AedesBroker;
}

export class Packets {
  readonly #options: PacketsOptions;

  constructor(options: PacketsOptions) {
    this.#options = options;
  }

  /** Handles one packet of a connected client. @throws ProtocolError for an acknowledgement of another QoS */
  handle(connection: Connection, packet: Packet): void {
    const { subscribing } = this.#options;
    switch (packet.cmd) {
      case 'publish':
        this.#publish(connection, packet);
        break;
      case 'subscribe':
        subscribing.subscribe(connection, packet);
        break;
      case 'unsubscribe':
        subscribing.unsubscribe(connection, packet);
        break;
      case 'puback':
        checkAcknowledgement(connection, packet);
        connection.session?.acknowledged(packet.messageId);
        break;
      case 'pubrec':
      case 'pubcomp':
        checkAcknowledgement(connection, packet);
        this.#handshake(connection, packet);
        break;
      case 'pubrel':
        this.#handshake(connection, packet);
        break;
      case 'pingreq':
        connection.send(PINGRESP);
        break;
      case 'disconnect':
        connection.disconnect();
        break;
      case 'connect':
        throw new ProtocolError('a second CONNECT [MQTT-3.1.0-2]');
    }
  }

  #publish(connection: Connection, packet: PublishPacket): void {
    const { counters, publishing } = this.#options;
    counters.publishesReceived++;
    counters.payloadBytesReceived += packet.payload.length;
    const { qos, messageId } = packet;
    if (qos === 2) {
      this.#handshake(connection, packet);
      return;
    }
    connection.answersLater(0);
    publishing.take(connection, packet, (error) => {
      if (!error && qos === 1) connection.acknowledge(messageId);
      connection.answered(0, error);
    });
  }

  #handshake(connection: Connection, packet: HandshakePacket): void {
    connection.answersLater(0);
    connection.handshakes ??= this.#options.aedes.open(
      new ConnectionPeer(connection, this.#options.publishing),
    );
    connection.handshakes.handle(packet, (error) => connection.answered(0, error));
  }
}

function checkAcknowledgement(connection: Connection, { cmd, messageId }: AckPacket): void {
  if (cmd === 'pubrel' || connection.session?.expects(cmd, messageId) !== false) return;
  throw new ProtocolError(`${cmd} for a message that can't have it [MQTT-4.8.0-1]`, 'wrong-acknowledgement');
}

/** A connection and its session in QoS 2 handshakes. An answer that waits for a write isn't sent if the write fails. */
class ConnectionPeer implements HandshakePeer {
  readonly #connection: Connection;
  readonly #publishing: Publishing;

  constructor(connection: Connection, publishing: Publishing) {
    this.#connection = connection;
    this.#publishing = publishing;
  }

  send(packet: Buffer): void {
    this.#connection.send(packet);
  }

  publish(packet: PublishPacket, done: Done): void {
    this.#publishing.take(this.#connection, packet, done);
  }

  isTaken(messageId: number): boolean {
    return this.#connection.session?.inboundQos2?.has(messageId) ?? false;
  }

  release(messageId: number): Promise<void> | undefined {
    return this.#closeOnFailure(this.#connection.session?.releaseInbound(messageId));
  }

  received(messageId: number): Promise<void> | undefined {
    return this.#closeOnFailure(this.#connection.session?.released(messageId));
  }

  completed(messageId: number): void {
    this.#connection.session?.acknowledged(messageId);
  }

  /** The client repeats its packet on its next connection. */
  #closeOnFailure(durable: Promise<void> | undefined): Promise<void> | undefined {
    return durable?.catch(() => this.#connection.close('storage-failed'));
  }
}
