/** An application message on its way through the broker. */
import { publish } from '../../mqtt/encode.ts';
import type { QoS } from '../../mqtt/packet.ts';
import type { Principal } from '../access/identity.ts';

/** The session a message came from, as far as routing needs it. */
export interface MessageSource {
  /** Stores QoS 2 identifiers; undefined when the session isn't kept across a restart. */
  readonly journal: { putReceived(messageId: number): Promise<void> | undefined } | undefined;
  /** Its client has left, and the session isn't kept for it. */
  readonly gone: boolean;
}

/** One message. All its recipients share it, so only its cache ever changes. */
export class Message {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly publisher: Principal | undefined;
  /** True for a message that a client just published, false for a retained copy. */
  readonly replayed = false;
  /** The session that published it; undefined for wills and for the broker's own messages. */
  readonly source: MessageSource | undefined;
  /** Its QoS 2 identifier, for the journal of its source; 0 for other messages. */
  receipt = 0;
  #encoded: Buffer | undefined;

  constructor(
    topic: string,
    payload: Buffer,
    qos: QoS,
    retain: boolean,
    publisher: Principal | undefined,
    source?: MessageSource,
  ) {
    this.topic = topic;
    this.payload = payload;
    this.qos = qos;
    this.retain = retain;
    this.publisher = publisher;
    this.source = source;
  }

  /** The PUBLISH for QoS 0 subscribers, encoded once for all. */
  get encoded(): Buffer {
    this.#encoded ??= publish(this.topic, this.payload, 0, false, false, 0);
    return this.#encoded;
  }

  /** Its size as a queue counts it. */
  get bytes(): number {
    return this.topic.length + this.payload.length + 64;
  }
}
