/**
 * The link to the embedded broker: the broker calls the center before it acknowledges a publish, the center publishes
 * straight into the broker.
 */
import type { Link, LinkHandler, LinkMessage, PublishOptions } from './link.ts';

/** What the link needs of a broker. */
export interface PublishingBroker {
  publish(topic: string, payload: string | Buffer, options: PublishOptions): Promise<void>;
  heard(topic: string): boolean;
  forget(name: string): Promise<void>;
  /** Resolves when every message that it handed over is answered. */
  idle(): Promise<void>;
}

export class InProcessLink implements Link {
  #broker: PublishingBroker | undefined;
  #handler: LinkHandler | undefined;

  /** Sets the broker. It is created after the link, because `uplink` is its hook. */
  attach(broker: PublishingBroker): void {
    this.#broker = broker;
  }

  /** The broker's hook: settles when the message is durable, rejects when it must not be acknowledged. */
  readonly uplink = (message: LinkMessage): ReturnType<LinkHandler> => {
    if (!this.#handler) return Promise.reject(new Error('the center does not listen yet'));
    return this.#handler(message);
  };

  start(handler: LinkHandler): Promise<void> {
    this.#handler = handler;
    return Promise.resolve();
  }

  publish(topic: string, payload: string | Buffer, options: PublishOptions): Promise<void> {
    if (!this.#broker) return Promise.reject(new Error('the broker is not attached yet'));
    return this.#broker.publish(topic, payload, options);
  }

  heard(topic: string): boolean {
    return this.#broker?.heard(topic) ?? false;
  }

  async forget(name: string): Promise<void> {
    await this.#broker?.forget(name);
  }

  async stop(): Promise<void> {
    this.#handler = undefined;
    await this.#broker?.idle();
  }
}
