/**
 * Publishes what happens in the fleet on `platen/v1/fleet/events/{kind}`, and tells listeners in this process (the
 * story at the terminal, metrics).
 */
import type { Logger } from 'pino';
import { reasonOf } from '../../schemas/errors.ts';
import { type FleetEventKind, fleetTopic } from '../../schemas/topics.ts';
import type { FleetEvent } from '../../schemas/types.ts';
import type { Link } from '../link/link.ts';

export type FleetEventListener = (event: FleetEvent) => void;

export class FleetEvents {
  readonly #link: Link;
  readonly #log: Logger;
  readonly #now: () => number;
  readonly #listeners = new Set<FleetEventListener>();
  readonly #touched = new Set<() => void>();
  /** One string per kind: subscribers are looked up by topic, and a new string would be hashed each time. */
  readonly #topics = new Map<FleetEventKind, string>();

  constructor(link: Link, log: Logger, now: () => number) {
    this.#link = link;
    this.#log = log;
    this.#now = now;
  }

  /** Publishes an event. Never fails: an event is news, not a record (records are in the store). */
  tell(
    kind: FleetEventKind,
    what: string,
    details: { printer?: string; data?: Record<string, unknown> } = {},
  ): void {
    for (const listener of this.#touched) listener();
    let topic = this.#topics.get(kind);
    if (topic === undefined) {
      topic = fleetTopic.event(kind);
      this.#topics.set(kind, topic);
    }
    // A reconnecting fleet makes three events a printer, and usually nobody subscribes.
    const heard = this.#link.heard?.(topic) !== false;
    if (!heard && this.#listeners.size === 0) return;
    const event: FleetEvent = { at: new Date(this.#now()).toISOString(), kind, what, ...details };
    for (const listener of this.#listeners) listener(event);
    if (!heard) return;
    this.#link
      .publish(topic, JSON.stringify(event), { qos: 0, retain: false })
      .catch((error: unknown) =>
        this.#log.warn({ kind, reason: reasonOf(error) }, 'a fleet event was not told'),
      );
  }

  /** Calls the listener after each event, without the event, until the returned function is called. */
  touch(listener: () => void): () => void {
    this.#touched.add(listener);
    return () => this.#touched.delete(listener);
  }

  /** Passes every event of this process to the listener until the returned function is called. */
  listen(listener: FleetEventListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
