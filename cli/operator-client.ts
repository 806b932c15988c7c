/**
 * An operator's MQTT client: sends a request and waits for its one reply. Used by commands that talk to a running
 * center, and by tests.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import mqtt, { type MqttClient } from 'mqtt';
import { sendAtOnce } from '../base/no-delay.ts';
import { PlatenError, reasonOf } from '../schemas/errors.ts';
import { isMethod, METHOD_ROLES } from '../schemas/roles.ts';
import { opsTopic, replyPrefix } from '../schemas/topics.ts';
import type { AdminCredentials, OperatorReply } from '../schemas/types.ts';
import { checkSchema } from '../schemas/validate.ts';

export interface OperatorClientOptions {
  url: string;
  username: string;
  password: string;
  /** How long to wait for the connection and for each reply. */
  timeout_ms?: number;
}

const TIMEOUT_MS = 30_000;

/** Reads `admin.json` (or a file like it). */
export function readCredentials(file: string): AdminCredentials {
  try {
    return checkSchema('admin', JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    throw new PlatenError('setting/invalid', {
      name: file,
      reason: reasonOf(error),
      hint: 'The first start of `platen up` writes it; give --data or --credentials to name another one.',
    });
  }
}

interface PendingRequest {
  resolve(reply: OperatorReply): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout;
  method: string;
  /** The broker acknowledged the request: if the connection ends now, it was not refused. */
  taken: boolean;
}

/** Why the connection ended before the reply, as far as known. */
function endedOver(method: string, taken: boolean, username: string): string {
  if (taken || !isMethod(method) || METHOD_ROLES[method] === 'viewer') {
    return `the connection to the broker was lost before ${method} was answered. Is platen running?`;
  }
  const role = METHOD_ROLES[method];
  return `the broker refused ${method} and ended the connection: it needs the role ${role}, which ${username} seems not to have. Ask an administrator`;
}

export class OperatorClient {
  readonly #client: MqttClient;
  readonly #username: string;
  readonly #timeout_ms: number;
  readonly #waiting = new Map<string, PendingRequest>();
  /** It never connects again. */
  #lost = false;

  private constructor(client: MqttClient, username: string, timeout_ms: number) {
    this.#client = client;
    this.#username = username;
    this.#timeout_ms = timeout_ms;
    client.on('message', (topic, payload) => {
      const id = topic.slice(topic.lastIndexOf('/') + 1);
      const waiting = this.#waiting.get(id);
      if (!waiting || !topic.startsWith(replyPrefix(username))) return;
      clearTimeout(waiting.timer);
      this.#waiting.delete(id);
      waiting.resolve(checkSchema('operator-reply', JSON.parse(payload.toString('utf8'))));
    });
    // In MQTT 3.1.1 a broker can refuse a publish only by closing the connection.
    client.on('close', () => {
      this.#lost = true;
      for (const { reject, timer, method, taken } of this.#waiting.values()) {
        clearTimeout(timer);
        reject(new Error(endedOver(method, taken, username)));
      }
      this.#waiting.clear();
    });
  }

  /** @throws when the broker can't be reached or refuses the credentials */
  static async connect(options: OperatorClientOptions): Promise<OperatorClient> {
    const timeout_ms = options.timeout_ms ?? TIMEOUT_MS;
    let client: MqttClient;
    try {
      client = await mqtt.connectAsync(
        options.url,
        {
          username: options.username,
          password: options.password,
          clientId: `${options.username}-${randomUUID().slice(0, 8)}`,
          connectTimeout: timeout_ms,
          reconnectPeriod: 0,
        },
        false,
      );
    } catch (error) {
      throw new Error(
        `${options.url} can't be reached as ${options.username}: ${reasonOf(error)}. Is platen running?`,
        {
          cause: error,
        },
      );
    }
    sendAtOnce(client);
    const operator = new OperatorClient(client, options.username, timeout_ms);
    await client.subscribeAsync(`${replyPrefix(options.username)}+`, { qos: 1 });
    return operator;
  }

  /** Sends one request; resolves with its reply, whatever its status. */
  request(method: string, params: Record<string, unknown> = {}): Promise<OperatorReply> {
    // mqtt.js would queue the publish for a connection that never comes, and the reply would time out.
    if (this.#lost) {
      return Promise.reject(
        new Error(`the connection to the broker was lost before ${method} was sent. Is platen running?`),
      );
    }
    const id = randomUUID();
    const reply = new Promise<OperatorReply>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Error(`no reply to ${method} within ${this.#timeout_ms / 1_000} s`));
      }, this.#timeout_ms);
      this.#waiting.set(id, { resolve, reject, timer, method, taken: false });
    });
    const topic = opsTopic.request(this.#username, method);
    // Not awaited: a refused publish is never acknowledged; then waiting for the reply fails.
    this.#client.publish(topic, JSON.stringify({ id, params }), { qos: 1 }, (error) => {
      const waiting = this.#waiting.get(id);
      if (waiting && !error) waiting.taken = true;
    });
    return reply;
  }

  /**
   * The data of a reply.
   * @throws Error with code, message and hint when the reply is an error
   */
  async call(method: string, params: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const reply = await this.request(method, params);
    if (reply.status === 'error') {
      throw new Error(
        `${method}: ${reply.error?.message} [${reply.error?.code}]\n  ${reply.error?.hint ?? ''}`,
      );
    }
    return (reply.data ?? {}) as Record<string, unknown>;
  }

  /** Subscribes to a topic filter until `close`. */
  async subscribe(
    filter: string,
    listener: (topic: string, payload: Buffer, retained: boolean) => void,
  ): Promise<void> {
    this.#client.on('message', (topic, payload, packet) => {
      if (!topic.startsWith(replyPrefix(this.#username))) listener(topic, payload, packet.retain);
    });
    await this.#client.subscribeAsync(filter, { qos: 1 });
  }

  close(): Promise<void> {
    // Without a connection mqtt.js would wait for the acknowledgements forever.
    return this.#client.endAsync(!this.#client.connected);
  }
}
