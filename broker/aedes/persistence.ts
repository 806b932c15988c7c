/**
 * The place of aedes-persistence. Sessions, windows, queues and retained documents are the hub's, which also ends
 * every CONNECT itself: to Aedes every client has a clean session, so it asks for little and keeps nothing.
 */
import { Readable } from 'node:stream';
import type { AedesClient } from './internals.ts';

/** What the persistence asks of the hub. */
export interface SessionStore {
  /** Answers CONNECT and begins the deliveries of the session. */
  accept(client: AedesClient): void;
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

export class HubPersistence {
  readonly #store: SessionStore;

  constructor(store: SessionStore) {
    this.#store = store;
  }

  // Aedes checks that this is an async function.
  async setup(): Promise<void> {}

  async subscriptionsByClient(): Promise<never[]> {
    return [];
  }

  async addSubscriptions(): Promise<void> {}

  async removeSubscriptions(): Promise<void> {}

  async cleanSubscriptions(): Promise<void> {}

  outgoingStream(): Readable {
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
   * The last thing Aedes asks before CONNACK and an empty queue sent through a pipeline of three streams: 100 µs of a
   * storm for nothing. It would also deny a session without subscriptions [MQTT-3.2.2-2] and tell MQTT 3.1 of one,
   * whose CONNACK has no place for it. The hub ends CONNECT here instead, and Aedes is left waiting.
   */
  cleanIncoming(client: AedesClient): Promise<void> {
    // Also asked at the end of a session.
    if (!client.connecting || client.closed) return Promise.resolve();
    this.#store.accept(client);
    return new Promise(() => {});
  }

  async putWill(): Promise<void> {}

  async delWill(): Promise<void> {}

  streamWill(): Readable {
    return Readable.from([]);
  }

  async destroy(): Promise<void> {}
}
