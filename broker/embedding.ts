/**
 * What the broker and the program that embeds it say to each other. The broker knows nothing of who that is; the
 * center's link in process fits this shape.
 */
import type { Role } from '../schemas/roles.ts';

/** A publish that the broker hands over before it acknowledges it. */
export interface UplinkMessage {
  topic: string;
  payload: Buffer;
  /** False: the broker hands over what a client said just now, never what it retained. */
  replayed: false;
  publisher?: { name: string; role: Role };
}

/**
 * What becomes of a publish: told once, and never before `then` has returned. A promise is one; where there are very
 * many, something lighter does too.
 */
export interface Answer {
  then(settled: (disposition: 'refused' | undefined) => void, failed: (error: unknown) => void): unknown;
}

/**
 * Takes one publish. Settles when it is durable: only then is it acknowledged. A failure: it is not acknowledged and
 * the connection ends. `refused`: acknowledged, but neither delivered nor retained.
 */
export type Uplink = (message: UplinkMessage) => Answer;

/** How the broker itself publishes. */
export interface PublishOptions {
  qos: 0 | 1;
  retain: boolean;
}
