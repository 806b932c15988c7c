/**
 * The link between the center and a broker, in both directions. There are two adapters: in process (the embedded broker
 * calls the center before it acknowledges), and an MQTT client of a foreign broker.
 */
import type { Role } from '../../schemas/roles.ts';

/** A publish that is meant for the center. */
export interface LinkMessage {
  topic: string;
  payload: Buffer;
  /** A retained message delivered because the center subscribed, not one published just now. */
  replayed: boolean;
  /** The publisher as authenticated by the broker; absent over a foreign broker, which has its own access list. */
  publisher?: { name: string; role: Role };
  /** The session that it came from; absent over a foreign broker. */
  source?: { readonly gone: boolean } | undefined;
}

export interface PublishOptions {
  qos: 0 | 1;
  retain: boolean;
}

/** The outcome of a message: reported once, and never before `then` has returned. A promise is one. */
export interface Handled {
  then(settled: (disposition: 'refused' | undefined) => void, failed: (error: unknown) => void): unknown;
}

/**
 * Handles one message. The result settles when the message is durable: only then may the broker acknowledge it. It
 * fails only when the message must not be acknowledged (the store is gone). A message refused for its content settles
 * with 'refused': it is acknowledged, because sending it again would not help, but neither delivered nor retained.
 */
export type LinkHandler = (message: LinkMessage) => Handled;

export interface Link {
  /** Starts receiving. */
  start(handler: LinkHandler): Promise<void>;
  /** Publishes; resolves when the broker has accepted it. An empty payload with `retain` clears the topic. */
  publish(topic: string, payload: string | Buffer, options: PublishOptions): Promise<void>;
  /** Whether a message that isn't retained has a subscriber on this topic; absent where that isn't known. */
  heard?(topic: string): boolean;
  /**
   * Ends the connection and the session of a removed printer, with its queue; absent over a foreign broker, which
   * manages its own sessions.
   */
  forget?(printer: string): Promise<void>;
  /** Stops receiving, and waits for what is under way. */
  stop(): Promise<void>;
}
