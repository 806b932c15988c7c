/**
 * The place of aedes-persistence. Sessions, windows, queues and retained documents are the hub's, which also answers
 * every CONNECT itself: to Aedes every client has a clean session, so it asks for little and keeps nothing.
 */
import { Readable } from 'node:stream';
import type { AedesClient } from './internals.ts';

/** What the persistence asks of the hub. */
export interface SessionStore {
  /** PUBACK or PUBCOMP came. */
  acknowledged(client: AedesClient, messageId: number): void;
  /** Whether a QoS 2 publish with this identifier was taken over and not yet released. */
  pendingQos2(client: AedesClient, messageId: number): boolean;
  /** PUBREL came. Resolves when that is durable: PUBCOMP follows. */
  releaseQos2(client: AedesClient, messageId: number): Promise<void>;
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

  async addSubscriptions(): Promise<void> {}

  async removeSubscriptions(): Promise<void> {}

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
    await this.#store.releaseQos2(client, packet.messageId);
  }

  /** Asked at the end of a connection; identifiers of QoS 2 end with their session. */
  async cleanIncoming(): Promise<void> {}

  async delWill(): Promise<void> {}

  streamWill(): Readable {
    return Readable.from([]);
  }

  async destroy(): Promise<void> {}
}
