/**
 * The interface of durable storage for retained documents. The broker holds all of them in memory; a backend makes them
 * survive a restart.
 */
import type { QoS } from '../../mqtt/packet.ts';

/** A retained document. */
export interface RetainedDocument {
  topic: string;
  payload: Buffer;
  qos: QoS;
}

/** A change to the document of one topic. `payload` undefined removes it. */
export interface RetainedChange {
  topic: string;
  payload: Buffer | undefined;
  qos: QoS;
}

/** Damage that a backend found in its own data. */
export interface BackendDamage {
  /** Places that were repaired. */
  repaired: number;
  /** Places where something was lost. */
  lost: number;
  lostBytes: number;
}

/**
 * Implemented by a file (`file-backend.ts`) and by the center's Postgres store. The broker calls `load` once, before it
 * listens. It makes one call of `write` at a time: changes that arrive meanwhile are collected for the next one (group
 * commit), at most one a topic.
 */
export interface RetainedBackend {
  /** Every document, in any order. */
  load(): AsyncIterable<RetainedDocument>;
  /** Resolves when all changes are durable. A rejection fails every publish that waits for one of them. */
  write(changes: RetainedChange[]): Promise<void>;
  /**
   * Whether the new document of a topic is durable already, so that nothing has to be written. Only called when no
   * change of the topic waits for `write`. Absent: never.
   */
  lasts?(topic: string): boolean;
  /** Damage found since the start, if the backend can tell. */
  readonly damage?: BackendDamage;
  /** Called once, after the last write. */
  close?(): Promise<void>;
}
