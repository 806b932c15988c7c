/**
 * Accepts publishes and wills: checks rights and QoS 2 identifiers, asks the center, then routes. The acknowledgement
 * waits for all of that.
 */
import type { Logger } from 'pino';
import type { PublishPacket, Will } from '../../mqtt/packet.ts';
import { reasonOf } from '../../schemas/errors.ts';
import { parseTopic } from '../../schemas/topics.ts';
import { mayPublish } from '../access/access.ts';
import type { Principal } from '../access/identity.ts';
import type { Connection } from '../connection/connection.ts';
import { type Acknowledge, PublishQueue, type PublishQueueOwner } from '../connection/publish-queue.ts';
import type { Answer, Uplink } from '../embedding.ts';
import type { Monitor } from '../monitor.ts';
import type { Session } from '../session/session.ts';
import { Message } from './message.ts';
import type { Router } from './router.ts';

export interface PublishingOptions {
  log: Logger;
  router: Router;
  monitor: Monitor;
  uplink: Uplink | undefined;
}

export class Publishing implements PublishQueueOwner {
  readonly #log: Logger;
  readonly #router: Router;
  readonly #monitor: Monitor;
  readonly #uplink: Uplink | undefined;
  #bytes = 0;
  /** The non-empty queues, by client. */
  readonly #queues = new Map<string, PublishQueue>();

  constructor(options: PublishingOptions) {
    this.#log = options.log;
    this.#router = options.router;
    this.#monitor = options.monitor;
    this.#uplink = options.uplink;
  }

  /** The queue of a client. It outlives the client's connections. */
  queueOf(key: string): PublishQueue {
    return this.#queues.get(key) ?? new PublishQueue(this, key);
  }

  /** How many clients wait for an acknowledgement. */
  get busy(): number {
    return this.#queues.size;
  }

  /** Payload bytes of all clients that wait for an acknowledgement. */
  get bytes(): number {
    return this.#bytes;
  }

  held(bytes: number): void {
    this.#bytes += bytes;
  }

  queueChanged(queue: PublishQueue): void {
    if (queue.length > 0) this.#queues.set(queue.key, queue);
    else if (this.#queues.get(queue.key) === queue) this.#queues.delete(queue.key);
  }

  /**
   * Routes a message. For a QoS 2 publish of a kept session its identifier becomes durable before PUBREC, in the same
   * group write as the deliveries. If it were written earlier, a crash in between would lose the message: the
   * retransmission would look like a duplicate.
   */
  route(message: Message): Promise<void> | undefined {
    const routed = this.#router.route(message);
    const journal = message.receipt > 0 ? message.source?.journal : undefined;
    return journal?.putReceived(message.receipt) ?? routed;
  }

  /**
   * Accepts a publish or a will. `done` is called once it is handed to the center and routed; with an error when it
   * must not be acknowledged and the connection must end.
   */
  take(connection: Connection, packet: PublishPacket | Will, done: (error?: Error) => void): void {
    const queue = connection.publishQueue;
    const { principal } = connection;
    const { topic, qos } = packet;
    if (!queue) {
      done(new Error('not connected'));
      return;
    }
    const messageId = 'cmd' in packet && qos === 2 ? packet.messageId : 0;
    const acknowledge = this.#acknowledge(connection, topic, messageId, done);
    if (principal && !mayPublish(principal, topic)) {
      this.#monitor.refused(connection, 'publish-not-authorized', { topic });
      connection.reason ??= 'publish-not-authorized';
      done(new Error('not authorized'));
      return;
    }
    if (messageId > 0) {
      const fate = this.#registerQos2(connection.session as Session, messageId);
      if (fate === 'full') {
        connection.reason ??= 'qos2-window';
        done(new Error('too many QoS 2 publishes await PUBREL'));
        return;
      }
      if (fate === 'again') {
        // A duplicate before PUBREL: acknowledged again, not routed again [MQTT-4.3.3-2].
        queue.push(undefined, acknowledge, undefined);
        return;
      }
    }
    // $SYS belongs to the broker, whatever else a client may publish.
    if (topic.startsWith('$SYS/') || topic.startsWith('$share/')) {
      this.#monitor.dropped('reserved-topic');
      queue.push(undefined, acknowledge, undefined);
      return;
    }
    const retain = packet.retain && this.#mayRetain(topic, packet.payload.length, principal);
    const source = 'cmd' in packet ? connection.session : undefined;
    const message = new Message(topic, packet.payload, qos, retain, principal, source);
    message.receipt = messageId;
    queue.push(message, acknowledge, this.#ask(message));
  }

  /** `messageId` is that of a QoS 2 publish; 0 for all others. */
  #acknowledge(
    connection: Connection,
    topic: string,
    messageId: number,
    done: (error?: Error) => void,
  ): Acknowledge {
    return (error) => {
      if (error) {
        // The client sends it again, and it must not be taken for a duplicate.
        if (messageId > 0) connection.session?.releaseInbound(messageId)?.catch(() => {});
        connection.reason ??= 'uplink-failed';
        this.#log.error({ topic, reason: reasonOf(error) }, 'a publish failed and was not acknowledged');
      }
      done(error);
    };
  }

  /** Whether the identifier of a QoS 2 publish is new, already received, or over the limit. */
  #registerQos2(session: Session, id: number): 'new' | 'again' | 'full' {
    session.inboundQos2 ??= new Set();
    if (session.inboundQos2.has(id)) return 'again';
    if (session.inboundQos2.size >= this.#router.limits.inboundQos2Max) return 'full';
    session.inboundQos2.add(id);
    return 'new';
  }

  /** State is retained, requests and events never are (wire contract, general rules). */
  #mayRetain(topic: string, bytes: number, principal: Principal | undefined): boolean {
    if (this.#router.retained.full(topic, bytes)) {
      this.#monitor.dropped('retained-full');
      return false;
    }
    if (!principal) return true;
    const parsed = parseTopic(topic);
    return parsed?.from === 'printer' && (parsed.kind === 'structure' || parsed.kind === 'presence');
  }

  /** Hands a message to the center if it is meant for it. */
  #ask(message: Message): Answer | undefined {
    if (!this.#uplink) return undefined;
    const parsed = parseTopic(message.topic);
    if (!parsed) return undefined;
    if (isPublished(message)) return this.#uplink(message);
    // With open access nobody is authenticated, so the name in the topic is trusted.
    const { topic, payload, qos, retain } = message;
    const named: Principal =
      parsed.from === 'printer'
        ? { name: parsed.printer, role: 'printer' }
        : { name: parsed.operator, role: 'viewer' };
    return this.#uplink(new Message(topic, payload, qos, retain, named, undefined) as Published);
  }
}

type Published = Message & { publisher: Principal };

function isPublished(message: Message): message is Published {
  return message.publisher !== undefined;
}
