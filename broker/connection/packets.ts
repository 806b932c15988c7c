/** What a client sends after CONNECT, packet by packet: who deals with it and what answers it. */
import { PINGRESP } from '../../mqtt/encode.ts';
import { type AckPacket, type Packet, ProtocolError, type PublishPacket } from '../../mqtt/packet.ts';
import type { AedesBroker, Done, HandshakePacket, HandshakePeer } from '../aedes.ts';
import type { Counters } from '../monitor.ts';
import type { Publishing } from '../routing/publishing.ts';
import type { Subscribing } from '../routing/subscribing.ts';
import type { Wire } from './wire.ts';

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
  handle(wire: Wire, packet: Packet): void {
    const { subscribing } = this.#options;
    switch (packet.cmd) {
      case 'publish':
        this.#publish(wire, packet);
        break;
      case 'subscribe':
        subscribing.subscribe(wire, packet);
        break;
      case 'unsubscribe':
        subscribing.unsubscribe(wire, packet);
        break;
      case 'puback':
        checkAcknowledgement(wire, packet);
        wire.session?.acknowledged(packet.messageId);
        break;
      case 'pubrec':
      case 'pubcomp':
        checkAcknowledgement(wire, packet);
        this.#handshake(wire, packet);
        break;
      case 'pubrel':
        this.#handshake(wire, packet);
        break;
      case 'pingreq':
        wire.send(PINGRESP);
        break;
      case 'disconnect':
        wire.disconnect();
        break;
      case 'connect':
        throw new ProtocolError('a second CONNECT [MQTT-3.1.0-2]');
    }
  }

  #publish(wire: Wire, packet: PublishPacket): void {
    const { counters, publishing } = this.#options;
    counters.publishesReceived++;
    counters.payloadBytesReceived += packet.payload.length;
    const { qos, messageId } = packet;
    if (qos === 2) {
      this.#handshake(wire, packet);
      return;
    }
    wire.answersLater(0);
    publishing.take(wire, packet, (error) => {
      if (!error && qos === 1) wire.acknowledge(messageId);
      wire.answered(0, error);
    });
  }

  #handshake(wire: Wire, packet: HandshakePacket): void {
    wire.answersLater(0);
    wire.handshakes ??= this.#options.aedes.open(new WirePeer(wire, this.#options.publishing));
    wire.handshakes.handle(packet, (error) => wire.answered(0, error));
  }
}

function checkAcknowledgement(wire: Wire, { cmd, messageId }: AckPacket): void {
  if (cmd === 'pubrel' || wire.session?.expects(cmd, messageId) !== false) return;
  throw new ProtocolError(`${cmd} for a message that can't have it [MQTT-4.8.0-1]`, 'wrong-acknowledgement');
}

/** One connection in its QoS 2 handshakes. What a write to the disk must precede isn't sent when that write fails. */
class WirePeer implements HandshakePeer {
  readonly #wire: Wire;
  readonly #publishing: Publishing;

  constructor(wire: Wire, publishing: Publishing) {
    this.#wire = wire;
    this.#publishing = publishing;
  }

  send(packet: Buffer): void {
    this.#wire.send(packet);
  }

  publish(packet: PublishPacket, done: Done): void {
    this.#publishing.take(this.#wire, packet, done);
  }

  isTaken(messageId: number): boolean {
    return this.#wire.session?.inboundQos2?.has(messageId) ?? false;
  }

  release(messageId: number): Promise<void> | undefined {
    return this.#closeOnFailure(this.#wire.session?.releaseInbound(messageId));
  }

  received(messageId: number): Promise<void> | undefined {
    return this.#closeOnFailure(this.#wire.session?.released(messageId));
  }

  completed(messageId: number): void {
    this.#wire.session?.acknowledged(messageId);
  }

  /** The client repeats its packet on its next connection. */
  #closeOnFailure(durable: Promise<void> | undefined): Promise<void> | undefined {
    return durable?.catch(() => this.#wire.close('storage-failed'));
  }
}
