/**
 * Publishes over a foreign broker, and again after a lost connection. A broker ends the connection over a message that
 * it doesn't accept (one above its size limit, for example), and repeating it would end every new connection. So what
 * was under way when a connection ended is sent again one message at a time, and a message that ends its connection
 * each time is set aside.
 */
import mqtt, { type MqttClient } from 'mqtt';
import { reasonOf } from '../../schemas/errors.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { PublishOptions } from './link.ts';
import type { ReceiverLog } from './mqtt-receiver.ts';

const RECONNECT_MS = 500;
/** How long a stop waits for what is under way. */
const DRAIN_MS_MAX = 5_000;

interface Pending {
  topic: string;
  payload: string | Buffer;
  options: PublishOptions;
  /** Sent on the current connection. */
  sent: boolean;
  /** Under way when a connection ended: it is sent alone. */
  suspect: boolean;
  /** Number of connections that ended while only this message was under way. */
  tries: number;
  resolve(): void;
  reject(error: Error): void;
}

export class MqttPublisher {
  readonly #url: string;
  readonly #clientId: string;
  readonly #log: ReceiverLog;
  /** Not acknowledged by the broker yet, in order of publishing. */
  readonly #pending = new Set<Pending>();
  #client: MqttClient | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #drained: (() => void) | undefined;
  #setAside = 0;

  constructor(url: string, clientId: string, log: ReceiverLog) {
    this.#url = url;
    this.#clientId = clientId;
    this.#log = log;
  }

  get connected(): boolean {
    return this.#client?.connected ?? false;
  }

  get setAside(): number {
    return this.#setAside;
  }

  /** Connects. @throws when the broker can't be reached or refuses us */
  async start(): Promise<void> {
    const client = await mqtt.connectAsync(
      this.#url,
      { clientId: this.#clientId, clean: true, protocolVersion: 4, reconnectPeriod: 0 },
      false,
    );
    if (this.#stopped) {
      await client.endAsync(true);
      return;
    }
    this.#client = client;
    client.on('error', (error) =>
      this.#log.warn({ reason: reasonOf(error) }, 'cannot publish to the broker'),
    );
    client.once('close', () => this.#lost(client));
    this.#sendNext();
  }

  /** Resolves when the broker has it; rejects when it was set aside or the queue is full. */
  publish(topic: string, payload: string | Buffer, options: PublishOptions): Promise<void> {
    if (options.qos === 0) {
      // Not while a suspect is sent alone: another message would blur which one ends the connection.
      const client = this.#suspects() ? undefined : this.#client;
      if (!client?.connected) return Promise.resolve();
      return client.publishAsync(topic, payload, options).then(() => undefined);
    }
    if (this.#pending.size >= CENTER_LIMITS.link_publishing_max) {
      return Promise.reject(
        new Error(`more than ${CENTER_LIMITS.link_publishing_max} messages wait for the broker`),
      );
    }
    return new Promise((resolve, reject) => {
      const pending = { topic, payload, options, sent: false, suspect: false, tries: 0, resolve, reject };
      const alone = this.#suspects();
      this.#pending.add(pending);
      if (!alone) this.#send(pending);
    });
  }

  /** Whether the oldest message is tried alone. */
  #suspects(): boolean {
    for (const { suspect } of this.#pending) return suspect;
    return false;
  }

  #sendNext(): void {
    for (const pending of this.#pending) {
      if (!pending.sent) this.#send(pending);
      // Later messages have to wait, so that the culprit is known if the connection ends.
      if (pending.suspect) return;
    }
  }

  #send(pending: Pending): void {
    const client = this.#client;
    if (!client?.connected) return;
    pending.sent = true;
    const { topic, payload, options } = pending;
    client.publish(topic, payload, options, (error) => {
      // The result from an ended connection doesn't count: the message is sent again on the next one.
      if (client !== this.#client || (error && !client.connected) || !this.#pending.delete(pending)) return;
      if (error) pending.reject(error);
      else pending.resolve();
      if (pending.suspect) this.#sendNext();
      if (this.#pending.size === 0) this.#drained?.();
    });
  }

  #lost(client: MqttClient): void {
    if (client !== this.#client) return;
    this.#client = undefined;
    client.end(true);
    const underWay = [...this.#pending].filter(({ sent }) => sent);
    const [only] = underWay;
    if (only?.suspect) this.#failedAlone(only);
    for (const pending of underWay) {
      pending.sent = false;
      pending.suspect = true;
    }
    this.#connectLater();
  }

  #failedAlone(pending: Pending): void {
    pending.tries += 1;
    if (pending.tries < CENTER_LIMITS.publish_tries_max) return;
    this.#pending.delete(pending);
    this.#setAside += 1;
    const { topic, payload, tries } = pending;
    this.#log.warn(
      { topic, bytes: Buffer.byteLength(payload), tries },
      'a message over which the broker ends the connection was set aside',
    );
    pending.reject(new Error(`the broker ended ${tries} connections over it`));
  }

  #connectLater(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.start().catch(() => this.#connectLater());
    }, RECONNECT_MS);
  }

  /** Waits a while for what is under way, then disconnects. */
  async stop(): Promise<void> {
    if (this.#pending.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, DRAIN_MS_MAX);
        this.#drained = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#stopped = true;
    clearTimeout(this.#timer);
    const client = this.#client;
    this.#client = undefined;
    for (const pending of this.#pending) pending.reject(new Error('the center is being stopped'));
    this.#pending.clear();
    await client?.endAsync(!client.connected);
  }
}
