/** Delivers messages to subscriptions and shared groups, and retains them. */
import type { QoS } from '../../mqtt/packet.ts';
import { mayReceive } from '../access/access.ts';
import type { BrokerLimits } from '../limits.ts';
import type { Monitor } from '../monitor.ts';
import type { Retained, RetainedStore } from '../retained/retained-store.ts';
import type { Session, SessionOwner } from '../session/session.ts';
import type { Message } from './message.ts';
import {
  parseShared,
  type SharedGroup,
  type Subscription,
  SubscriptionTree,
  type Visitor,
} from './subscription-tree.ts';

export interface RouterOptions {
  limits: BrokerLimits;
  retained: RetainedStore;
  monitor: Monitor;
  /** Open access: everybody may receive everything. */
  open: boolean;
}

const NOBODY: { plain: Session[]; shared: SharedGroup<Session>[] } = { plain: [], shared: [] };

/** Collects the recipients of a topic. One object serves all messages, because most have no recipient. */
class Recipients implements Visitor<Session> {
  #stamp = 0;
  #plain: Session[] = [];
  #shared: SharedGroup<Session>[] = [];

  of(tree: SubscriptionTree<Session>, topic: string): { plain: Session[]; shared: SharedGroup<Session>[] } {
    this.#stamp++;
    tree.match(topic, this);
    const plain = this.#plain;
    const shared = this.#shared;
    if (plain.length + shared.length === 0) return NOBODY;
    if (plain.length > 0) this.#plain = [];
    if (shared.length > 0) this.#shared = [];
    return { plain, shared };
  }

  plain({ subscriber, qos }: Subscription<Session>): void {
    if (subscriber.routeStamp !== this.#stamp) {
      subscriber.routeStamp = this.#stamp;
      subscriber.routeQos = qos;
      this.#plain.push(subscriber);
    } else if (qos > subscriber.routeQos) {
      // Overlapping subscriptions: one delivery, with the highest of their QoS [MQTT-3.3.5-1].
      subscriber.routeQos = qos;
    }
  }

  shared(group: SharedGroup<Session>): void {
    this.#shared.push(group);
  }
}

export class Router implements SessionOwner {
  readonly limits: BrokerLimits;
  readonly retained: RetainedStore;
  readonly tree = new SubscriptionTree<Session>();
  readonly #monitor: Monitor;
  readonly #open: boolean;
  readonly #recipients = new Recipients();
  readonly #queuedByUser = new Map<string, number>();
  #queuedBytes = 0;

  constructor(options: RouterOptions) {
    this.limits = options.limits;
    this.retained = options.retained;
    this.#monitor = options.monitor;
    this.#open = options.open;
  }

  /**
   * Retains and delivers. The promise, if any, settles when the retained document and the deliveries to kept sessions
   * are durable.
   */
  route(message: Message): Promise<void> | undefined {
    const durable = message.retain
      ? this.retained.set(message.topic, message.payload, message.qos)
      : undefined;
    const { plain, shared } = this.#recipients.of(this.tree, message.topic);
    let kept = false;
    for (const session of plain) {
      session.deliver(message, Math.min(message.qos, session.routeQos) as QoS);
      if (session.journal) kept = true;
    }
    for (const group of shared) kept = this.#deliverShared(group, message) || kept;
    // One group write holds all changes of this turn of the event loop.
    return durable ?? (kept && message.qos > 0 ? this.retained.pending : undefined);
  }

  /** A member of shared subscriptions left. Its unacknowledged messages go to the others. */
  redistribute(session: Session, only?: SharedGroup<Session>): void {
    let shares = false;
    for (const subscription of session.subscriptions.values()) {
      if (subscription.group !== '') shares = true;
    }
    if (!shares && !only) return;
    for (const { message, qos, group } of session.takeShared(only)) this.#deliverShared(group, message, qos);
  }

  /**
   * Adds a subscription, or changes the QoS of one in place, so that no message is missed in between [MQTT-3.8.4-3].
   * Returns whether anything changed.
   */
  subscribe(session: Session, filter: string, qos: QoS): boolean {
    const known = session.subscriptions.get(filter);
    if (known) {
      const changed = known.qos !== qos;
      known.qos = qos;
      return changed;
    }
    const shared = parseShared(filter);
    if (!shared) return false;
    const { principal } = session;
    const subscription: Subscription<Session> = {
      subscriber: session,
      filter: shared.filter,
      // A group belongs to its user. Another user with the same group name gets none of its messages.
      group: shared.group === '' || !principal ? shared.group : `${principal.name}\0${shared.group}`,
      qos,
      index: 0,
    };
    session.subscriptions.set(filter, subscription);
    this.tree.add(subscription);
    return true;
  }

  /** Removes all subscriptions of a session. */
  forget(session: Session): void {
    for (const subscription of session.subscriptions.values()) this.tree.remove(subscription);
    session.subscriptions.clear();
  }

  dropped(reason: string): void {
    this.#monitor.dropped(reason);
  }

  sent(message: Message | Retained): void {
    const { counters } = this.#monitor;
    counters.publishesSent++;
    counters.payloadBytesSent += message.payload.length;
  }

  /** Bytes in the queues of all sessions. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  queued({ principal }: Session, bytes: number): void {
    this.#queuedBytes += bytes;
    if (!principal) return;
    const now = (this.#queuedByUser.get(principal.name) ?? 0) + bytes;
    if (now > 0) this.#queuedByUser.set(principal.name, now);
    else this.#queuedByUser.delete(principal.name);
  }

  roomFor({ principal }: Session, bytes: number): boolean {
    const { queuedBytesPerUserMax, queuedBytesTotalMax } = this.limits;
    if (this.#queuedBytes + bytes > queuedBytesTotalMax) return false;
    if (!principal) return true;
    return (this.#queuedByUser.get(principal.name) ?? 0) + bytes <= queuedBytesPerUserMax;
  }

  mayReceive(session: Session, topic: string): boolean {
    if (this.#open) return true;
    const principal = session.principal;
    return principal !== undefined && mayReceive(principal, topic);
  }

  /**
   * Round robin over the connected members; an absent one queues the message when none is connected. Returns whether it
   * went to a kept session.
   */
  #deliverShared(group: SharedGroup<Session>, message: Message, qosMax: QoS = 2): boolean {
    const count = group.members.length;
    let absent: Subscription<Session> | undefined;
    for (let step = 0; step < count; step++) {
      const member = group.members[(group.turn + step) % count] as Subscription<Session>;
      if (member.subscriber.outlet) {
        group.turn = (group.turn + step + 1) % count;
        member.subscriber.deliver(message, Math.min(message.qos, member.qos, qosMax) as QoS, group);
        return member.subscriber.journal !== undefined;
      }
      if (!member.subscriber.clean) absent ??= member;
    }
    if (absent) {
      absent.subscriber.deliver(message, Math.min(message.qos, absent.qos, qosMax) as QoS, group);
      return absent.subscriber.journal !== undefined;
    }
    this.#monitor.dropped('no-shared-member');
    return false;
  }
}
