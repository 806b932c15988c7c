/** SUBSCRIBE and UNSUBSCRIBE (3.8 to 3.11): rights, answers, and what follows them. */
import { maySubscribe } from '../access.ts';
import type { Wire } from '../aedes/wire.ts';
import type { Principal } from '../identity.ts';
import { acknowledgement, suback } from '../packets/encode.ts';
import { type SubscribePacket, TYPE, type UnsubscribePacket } from '../packets/packet.ts';
import type { QoS } from '../retained-backend.ts';
import type { Session } from '../session.ts';
import { parseShared, type Subscription } from '../topics/subscription-tree.ts';
import type { Monitor } from './monitor.ts';
import type { Router } from './router.ts';

/** In open mode conformance suites need one filter that is refused: this is the one that Eclipse Paho's asks for. */
const OPEN_REFUSED_FILTER = 'test/nosubscribe';
const REFUSED = 0x80;

export class Subscribing {
  readonly #router: Router;
  readonly #monitor: Monitor;

  constructor(router: Router, monitor: Monitor) {
    this.#router = router;
    this.#monitor = monitor;
  }

  /** Answers SUBSCRIBE. */
  subscribe(wire: Wire, packet: SubscribePacket): void {
    const session = wire.session as Session;
    // One packet can hold tens of thousands of filters: all are counted, one for each reason is told.
    const told = new Set<string>();
    const codes = packet.subscriptions.map(({ topic, qos }) => {
      const reason = this.#refusal(wire, session, topic);
      if (reason !== undefined) {
        if (told.has(reason)) this.#monitor.refusedAgain(reason);
        else this.#monitor.refused(wire, reason, { topic });
        told.add(reason);
        return REFUSED;
      }
      this.#add(session, topic, qos, wire.principal);
      return qos;
    });
    wire.send(suback(packet.messageId, codes));
    packet.subscriptions.forEach(({ topic }, index) => {
      // Retained documents follow SUBACK [MQTT-3.3.1-6]; not for a shared subscription: each member would get all.
      const code = codes[index] as number;
      if (code !== REFUSED && !topic.startsWith('$share/')) session.replay(topic, code as QoS);
    });
  }

  /** Answers UNSUBSCRIBE. */
  unsubscribe(wire: Wire, packet: UnsubscribePacket): void {
    const session = wire.session as Session;
    const { tree } = this.#router;
    for (const filter of packet.unsubscriptions) {
      const subscription = session.subscriptions.get(filter);
      if (!subscription) continue;
      const { group } = subscription;
      const shared = group === '' ? undefined : tree.group(subscription.filter, group);
      session.subscriptions.delete(filter);
      tree.remove(subscription);
      if (shared) this.#router.redistribute(session, shared);
    }
    wire.send(acknowledgement(TYPE.unsuback, packet.messageId));
  }

  /** Why `wire` may not subscribe; undefined when it may. */
  #refusal(wire: Wire, session: Session, filter: string): string | undefined {
    const { principal } = wire;
    const allowed = principal ? maySubscribe(principal, filter) : filter !== OPEN_REFUSED_FILTER;
    if (!allowed || !parseShared(filter)) return 'subscribe-not-authorized';
    const full = session.subscriptions.size >= this.#router.limits.subscriptionsMax;
    return full && !session.subscriptions.has(filter) ? 'subscriptions' : undefined;
  }

  #add(session: Session, filter: string, qos: QoS, principal: Principal | undefined): void {
    const known = session.subscriptions.get(filter);
    if (known) {
      // Replaced in place: no message is missed in between [MQTT-3.8.4-3].
      known.qos = qos;
      return;
    }
    const shared = parseShared(filter);
    if (!shared) return;
    const subscription: Subscription<Session> = {
      subscriber: session,
      filter: shared.filter,
      // A group is its user's own: whoever else names it doesn't get a share of what that user reads.
      group: shared.group === '' || !principal ? shared.group : `${principal.name}\0${shared.group}`,
      qos,
      index: 0,
    };
    session.subscriptions.set(filter, subscription);
    this.#router.tree.add(subscription);
  }
}
