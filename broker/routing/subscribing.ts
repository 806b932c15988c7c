/** Handles SUBSCRIBE and UNSUBSCRIBE (3.8 to 3.11). */
import { acknowledgement, suback } from '../../mqtt/encode.ts';
import type { QoS } from '../../mqtt/packet.ts';
import { type SubscribePacket, TYPE, type UnsubscribePacket } from '../../mqtt/packet.ts';
import { maySubscribe } from '../access/access.ts';
import type { Connection } from '../connection/connection.ts';
import type { Monitor } from '../monitor.ts';
import type { Session } from '../session/session.ts';
import type { Router } from './router.ts';
import { parseShared } from './subscription-tree.ts';

/** Refused with open access, because Eclipse Paho's conformance suite needs a filter that is refused. */
const OPEN_REFUSED_FILTERS = new Set(['test/nosubscribe', 'nosubscribe']);
const REFUSED = 0x80;
/** Memory of a waiting filter in addition to its text. */
const FILTER_BYTES = 64;

export class Subscribing {
  readonly #router: Router;
  readonly #monitor: Monitor;

  constructor(router: Router, monitor: Monitor) {
    this.#router = router;
    this.#monitor = monitor;
  }

  /** Answers SUBSCRIBE. */
  subscribe(connection: Connection, packet: SubscribePacket): void {
    const session = connection.session as Session;
    // One packet can hold tens of thousands of filters: each is counted, but only one per reason is reported.
    let reported: Set<string> | undefined;
    const changed: string[] = [];
    const { filtersPerPacketMax } = this.#router.limits;
    const codes = packet.subscriptions.map(({ topic, qos }, index) => {
      // Filters beyond the limit aren't checked, because checking is what costs.
      const reason = index < filtersPerPacketMax ? this.#refusal(connection, session, topic) : 'filters';
      if (reason !== undefined) {
        reported ??= new Set();
        if (reported.has(reason)) this.#monitor.refusedAgain(reason);
        else this.#monitor.refused(connection, reason, { topic });
        reported.add(reason);
        return REFUSED;
      }
      if (this.#router.subscribe(session, topic, qos)) changed.push(topic);
      return qos;
    });
    const bytes = packet.subscriptions.reduce((sum, { topic }) => sum + bytesOf(topic), 0);
    this.#answer(connection, session.save(changed), bytes, () => {
      connection.send(suback(packet.messageId, codes));
      packet.subscriptions.forEach(({ topic }, index) => {
        // Retained documents follow SUBACK [MQTT-3.3.1-6], but not for shared subscriptions: each member would get all.
        const code = codes[index] as number;
        if (code !== REFUSED && !topic.startsWith('$share/')) session.replay(topic, code as QoS);
      });
    });
  }

  /** Answers UNSUBSCRIBE. */
  unsubscribe(connection: Connection, packet: UnsubscribePacket): void {
    const session = connection.session as Session;
    const { tree } = this.#router;
    const ended: string[] = [];
    for (const filter of packet.unsubscriptions) {
      const subscription = session.subscriptions.get(filter);
      if (!subscription) continue;
      ended.push(filter);
      const { group } = subscription;
      const shared = group === '' ? undefined : tree.group(subscription.filter, group);
      session.subscriptions.delete(filter);
      tree.remove(subscription);
      if (shared) this.#router.redistribute(session, shared);
    }
    const bytes = packet.unsubscriptions.reduce((sum, filter) => sum + bytesOf(filter), 0);
    this.#answer(connection, session.save(ended), bytes, () => {
      connection.send(acknowledgement(TYPE.unsuback, packet.messageId));
    });
  }

  /** Calls `answer` when the session is durable. Until then the packet counts with `bytes` against the client's limits. */
  #answer(
    connection: Connection,
    durable: Promise<void> | undefined,
    bytes: number,
    answer: () => void,
  ): void {
    if (!durable) {
      answer();
      return;
    }
    // Counted, because a disk that hangs must not make the broker collect all that its clients send.
    connection.answersLater(bytes);
    durable.then(
      () => {
        if (connection.connected) answer();
        connection.answered(bytes);
      },
      () => connection.close('storage-failed'),
    );
  }

  /** Why `connection` may not subscribe; undefined when it may. */
  #refusal(connection: Connection, session: Session, filter: string): string | undefined {
    const { principal } = connection;
    const allowed = principal ? maySubscribe(principal, filter) : !OPEN_REFUSED_FILTERS.has(filter);
    if (!allowed || !parseShared(filter)) return 'subscribe-not-authorized';
    const full = session.subscriptions.size >= this.#router.limits.subscriptionsMax;
    return full && !session.subscriptions.has(filter) ? 'subscriptions' : undefined;
  }
}

function bytesOf(filter: string): number {
  return filter.length + FILTER_BYTES;
}
