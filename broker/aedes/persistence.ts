/**
 * The place of aedes-persistence. Sessions, windows, queues and retained documents are the hub's; Aedes asks for them
 * here. What Aedes would collect and write itself (queued messages on connect, retained ones on subscribe) is written
 * by the session, which knows the window, therefore those streams are empty.
 */
import { Readable } from 'node:stream';
import type { AedesClient } from './internals.ts';

/** What the persistence asks of the hub. */
export interface SessionStore {
  /** Whether there is a session to go on with, for a client that wants one. */
  present(id: string): boolean;
  /** Answers the CONNECT of a clean session and begins its deliveries. */
  acceptClean(client: AedesClient): void;
  /** CONNACK is written: deliveries may begin. */
  begin(client: AedesClient): void;
  /** PUBACK or PUBCOMP came. */
  acknowledged(client: AedesClient, messageId: number): void;
  /** Whether a QoS 2 publish with this identifier was taken over and not yet released. */
  pendingQos2(client: AedesClient, messageId: number): boolean;
  /** PUBREL came. */
  releaseQos2(client: AedesClient, messageId: number): void;
}

interface Identified {
  messageId: number;
}

/** Aedes says "session present" when subscriptions are restored: this one stands for them and is never granted. */
const SESSION_PRESENT_FILTER = '$platen/session';

export class HubPersistence {
  readonly #store: SessionStore;

  constructor(store: SessionStore) {
    this.#store = store;
  }

  // Aedes checks that this is an async function.
  async setup(): Promise<void> {}

  async subscriptionsByClient(client: { id: string }): Promise<{ topic: string; qos: number }[]> {
    // A session without subscriptions is a session too [MQTT-3.2.2-2]; Aedes would deny it.
    return this.#store.present(client.id) ? [{ topic: SESSION_PRESENT_FILTER, qos: 0 }] : [];
  }

  async addSubscriptions(): Promise<void> {}

  async removeSubscriptions(): Promise<void> {}

  async cleanSubscriptions(): Promise<void> {}

  outgoingStream(client: AedesClient): Readable {
    this.#store.begin(client);
    return Readable.from([]);
  }

  async outgoingUpdate(): Promise<void> {}

  async outgoingClearMessageId(client: AedesClient, packet: Identified): Promise<void> {
    this.#store.acknowledged(client, packet.messageId);
  }

  createRetainedStreamCombi(): { pipe(): void } {
    return { pipe() {} };
  }

  async incomingGetPacket(client: AedesClient, packet: Identified): Promise<Identified> {
    if (!this.#store.pendingQos2(client, packet.messageId)) throw new Error('no such packet');
    return packet;
  }

  async incomingStorePacket(): Promise<void> {}

  async incomingDelPacket(client: AedesClient, packet: Identified): Promise<void> {
    this.#store.releaseQos2(client, packet.messageId);
  }

  /**
   * For a clean session, the last thing Aedes asks before CONNACK and an empty queue sent through a pipeline of three
   * streams: 100 µs of a storm for nothing. The hub ends CONNECT here instead, and Aedes is left waiting.
   */
  cleanIncoming(client: AedesClient): Promise<void> {
    // Also asked at the end of a clean session.
    if (!client.connecting || client.closed) return Promise.resolve();
    this.#store.acceptClean(client);
    return new Promise(() => {});
  }

  async putWill(): Promise<void> {}

  async delWill(): Promise<void> {}

  streamWill(): Readable {
    return Readable.from([]);
  }

  async destroy(): Promise<void> {}
}
