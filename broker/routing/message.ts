/** What travels through the broker. */

import { publish } from '../../mqtt/encode.ts';
import type { QoS } from '../../mqtt/packet.ts';
import type { Principal } from '../access/identity.ts';

/** The session that a message came from, as far as routing needs it. */
export interface MessageSource {
  /** Remembers a QoS 2 identifier; undefined when the session isn't kept over a restart. */
  readonly journal: { putReceived(messageId: number): Promise<void> | undefined } | undefined;
}

/** One application message. Shared by everybody it is delivered to, so it is never changed but for its caches. */
export class Message {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly publisher: Principal | undefined;
  /** The center is handed the message itself: it is what a client said just now. */
  readonly replayed = false;
  /** The session whose connection published it; undefined for wills and for the broker's own. */
  readonly source: MessageSource | undefined;
  /** Identifier under which its source sent it with QoS 2, for the journal; 0 where nothing has to be remembered. */
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

  /** The PUBLISH that all QoS 0 subscribers get: encoded once. */
  get encoded(): Buffer {
    this.#encoded ??= publish(this.topic, this.payload, 0, false, false, 0);
    return this.#encoded;
  }

  /** Bytes it counts in a queue. */
  get bytes(): number {
    return this.topic.length + this.payload.length + 64;
  }
}
