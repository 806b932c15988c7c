/**
 * The interface between the broker and the program that embeds it. The broker doesn't know which program that is; the
 * center's in-process link implements it.
 */
import type { Role } from '../schemas/roles.ts';

/** A publish that is passed to the center before it is acknowledged. */
export interface UplinkMessage {
  topic: string;
  payload: Buffer;
  /** Always false: the broker passes on what a client publishes, never a retained message. */
  replayed: false;
  publisher?: { name: string; role: Role };
  /** `gone`: its client has left and no session is kept, so nobody reads a reply. */
  source?: { readonly gone: boolean } | undefined;
}

/**
 * The outcome of a publish. One of the callbacks is called once, after `then` has returned. A promise qualifies; so
 * does something lighter where there are very many.
 */
export interface Answer {
  then(settled: (disposition: 'refused' | undefined) => void, failed: (error: unknown) => void): unknown;
}

/**
 * Handles one publish. It is acknowledged when the answer settles, which must mean that it is durable. On failure it is
 * not acknowledged and the connection ends. `refused`: acknowledged, but neither delivered nor retained.
 */
export type Uplink = (message: UplinkMessage) => Answer;

/** How the broker itself publishes. */
export interface PublishOptions {
  qos: 0 | 1;
  retain: boolean;
}
