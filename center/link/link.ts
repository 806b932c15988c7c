/**
 * The link between the center and a broker: what the center hears, and how it speaks. There are two adapters: in
 * process (the embedded broker calls the center before it acknowledges) and an MQTT client of a foreign broker.
 */
import type { Role } from '../../schemas/roles.ts';

/** A publish that is meant for the center. */
export interface LinkMessage {
  topic: string;
  payload: Buffer;
  /** A retained message delivered because the center subscribed, not because somebody spoke just now. */
  replayed: boolean;
  /** Who the broker says published it; absent over a foreign broker, which enforces its own access list. */
  publisher?: { name: string; role: Role };
}

export interface PublishOptions {
  qos: 0 | 1;
  retain: boolean;
}

/** What becomes of a message: told once, and never before `then` has returned. A promise is one. */
export interface Handled {
  then(settled: (disposition: 'refused' | undefined) => void, failed: (error: unknown) => void): unknown;
}

/**
 * Handles one message. What is returned settles when the message is durable: only then may the broker acknowledge it.
 * It fails only when the message must not be acknowledged (the store is gone); a message that is refused for its
 * content settles with 'refused' (it is acknowledged, because sending it again would not mend it, but neither
 * delivered nor retained).
 */
export type LinkHandler = (message: LinkMessage) => Handled;

export interface Link {
  /** Begins to hear. */
  start(handler: LinkHandler): Promise<void>;
  /** Publishes; resolves when the broker has taken it over. An empty payload with `retain` empties the topic. */
  publish(topic: string, payload: string | Buffer, options: PublishOptions): Promise<void>;
  /** Whether a message of this topic that isn't retained would reach anybody; absent where that isn't known. */
  heard?(topic: string): boolean;
  /**
   * Ends the connection of a printer that was removed, and its session with what waits in it; absent where that is a
   * foreign broker's business.
   */
  forget?(printer: string): Promise<void>;
  /** Stops hearing, waits for what is under way. */
  stop(): Promise<void>;
}
