/**
 * Where retained documents last. The broker holds all of them in memory; a backend makes them survive a restart.
 */

/** A retained document. */
import type { QoS } from '../../mqtt/packet.ts';
export interface RetainedDocument {
  topic: string;
  payload: Buffer;
  qos: QoS;
}

/** A change of one topic's document; `payload` undefined: the topic holds none any more. */
export interface RetainedChange {
  topic: string;
  payload: Buffer | undefined;
  qos: QoS;
}

/** Damage that a backend found in what it had written. */
export interface BackendDamage {
  /** Places that were put right. */
  repaired: number;
  /** Places where something was lost. */
  lost: number;
  lostBytes: number;
}

/**
 * Implemented by a file (`file-backend.ts`) and by the center's Postgres store. The broker calls `load` once, before
 * it listens, and never calls `write` again before the last call has settled: changes that come meanwhile are
 * collected into the next one (group commit), at most one a topic.
 */
export interface RetainedBackend {
  /** Every document, in any order. */
  load(): AsyncIterable<RetainedDocument>;
  /** Resolves when every change is durable. A rejection fails every publish that waits for one of these changes. */
  write(changes: RetainedChange[]): Promise<void>;
  /**
   * Whether the document that a topic gets is durable already, so that nothing has to be written and nobody has to
   * wait. Asked only when no change of the topic waits for `write`; absent: never.
   */
  lasts?(topic: string): boolean;
  /** What was found damaged since the start, where that can be told. */
  readonly damage?: BackendDamage;
  /** Called once, after the last write. */
  close?(): Promise<void>;
}
