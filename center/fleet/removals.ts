/**
 * Removes printers for good: the next printer with such an id inherits nothing, and records that retention keeps are
 * renamed. A durable mark is written first and deleted last, so that a start after a kill finishes the removal. Every
 * step is idempotent.
 */
import type { Logger } from 'pino';
import { Serial } from '../../base/serial.ts';
import { reasonOf } from '../../schemas/errors.ts';
import { printerTopic } from '../../schemas/topics.ts';
import type { Conclusion } from '../conclusions.ts';
import type { Client } from '../database/database.ts';
import { removedName } from '../database/removed-printers.ts';
import type { IngestWriter } from '../ingest/ingest.ts';
import type { Link } from '../link/link.ts';
import type { Campaigns } from '../update/campaigns/campaigns.ts';
import type { OrderService } from '../update/orders/order-service.ts';
import type { FleetEvents } from './events.ts';
import type { Fleet } from './fleet.ts';
import type { Removal, RemovalStore } from './removal-store.ts';

export interface RemovalSources {
  store: { removals: RemovalStore; ingest: Pick<IngestWriter, 'settled' | 'forget'> };
  removed: RemovedPrinters;
  accounts: {
    isPrinter(name: string): Promise<boolean>;
    revoke(name: string): Promise<boolean>;
    forget(name: string): void;
  };
  orders: Pick<OrderService, 'onLeft'>;
  campaigns: Pick<Campaigns, 'onLeft' | 'onRemoved' | 'settleRemoved'>;
  troubles: { forget(printer: string, write: (client: Client) => Promise<void>): Promise<void> };
  fleet: Pick<Fleet, 'forget'>;
  link: Pick<Link, 'publish' | 'forget'>;
  events: Pick<FleetEvents, 'tell'>;
  log: Logger;
  /** Milliseconds since the epoch. */
  now(): number;
}

/** Printers that were removed and not enrolled since: their messages are refused, and nothing is retained for them. */
export class RemovedPrinters {
  readonly #removed = new Set<string>();
  /** Printers whose removal has begun and not finished. */
  readonly #pending = new Set<string>();

  /** Whether a printer was removed, or is being removed, and was not enrolled since. */
  has(printer: string): boolean {
    return this.#removed.has(printer);
  }

  /** Printers whose removal has begun and not finished. */
  get pending(): ReadonlySet<string> {
    return this.#pending;
  }

  /** Records that their removal begins. */
  begin(printers: readonly string[]): void {
    for (const printer of printers) {
      this.#removed.add(printer);
      this.#pending.add(printer);
    }
  }

  /** Records that their removal could not begin. */
  giveUp(printers: readonly string[]): void {
    for (const printer of printers) {
      this.#pending.delete(printer);
      this.#removed.delete(printer);
    }
  }

  finish(printer: string): void {
    this.#pending.delete(printer);
  }

  /** Handles a conclusion of another part: a printer that is enrolled again is accepted again. */
  hear(conclusion: Conclusion): void {
    if (conclusion.kind !== 'enrolled') return;
    for (const printer of conclusion.printers) if (!this.#pending.has(printer)) this.#removed.delete(printer);
  }
}

/** The retained topics of a printer, from itself or the center. */
const RETAINED = ['presence', 'structure', 'verdict', 'order', 'policy'] as const;

export class Removals {
  readonly #sources: RemovalSources;
  /** Removals run one after the other. */
  readonly #serial = new Serial();

  constructor(sources: RemovalSources) {
    this.#sources = sources;
  }

  /** Whether its removal has begun and not finished. */
  isPending(printer: string): boolean {
    return this.#sources.removed.pending.has(printer);
  }

  /** Loads the removals that an earlier process left unfinished. Call it before messages are accepted. */
  async load(): Promise<void> {
    const { store, removed } = this.#sources;
    removed.begin((await store.removals.pending()).map(({ printer }) => printer));
  }

  /** Finishes those removals. Never rejects: on failure the mark stays, and `printers.remove` can be called again. */
  async resume(): Promise<void> {
    const { log, removed } = this.#sources;
    if (removed.pending.size === 0) return;
    try {
      const printers = [...removed.pending];
      await this.#serial.run(() => this.#finish(printers));
      log.info({ printers }, 'the removal of printers was finished');
    } catch (error) {
      log.error({ reason: reasonOf(error) }, 'the removal of printers could not be finished');
    }
  }

  /** Removes printers. Resolves when their ids are free. */
  remove(printers: readonly string[]): Promise<void> {
    return this.#serial.run(async () => {
      const { store, removed, now } = this.#sources;
      const fresh = printers.filter((printer) => !removed.has(printer));
      removed.begin(printers);
      try {
        await store.removals.begin(printers, new Date(now()));
      } catch (error) {
        removed.giveUp(fresh);
        throw error;
      }
      await this.#finish(printers);
    });
  }

  async #finish(printers: readonly string[]): Promise<void> {
    const { store, removed, accounts, orders, campaigns, events } = this.#sources;
    const wanted = new Set(printers);
    const removals = (await store.removals.pending()).filter(({ printer }) => wanted.has(printer));
    for (const { printer } of removals) {
      // With a foreign broker, a printer's id may also be the name of an operator.
      if (await accounts.isPrinter(printer)) await accounts.revoke(printer);
      await orders.onLeft(printer, 'it was removed', false);
      await campaigns.onLeft(printer, 'removed');
    }
    await store.ingest.settled();
    for (const removal of removals) await this.#forget(removal);
    store.ingest.forget(wanted);
    for (const { printer } of removals) await this.#empty(printer);
    await store.removals.finish(removals);
    for (const { printer, at } of removals) await campaigns.settleRemoved(removedName(printer, at));
    for (const printer of printers) {
      removed.finish(printer);
      events.tell('presence', 'removed', { printer });
    }
  }

  async #forget(removal: Removal): Promise<void> {
    const { store, troubles, accounts, campaigns, fleet } = this.#sources;
    const { printer } = removal;
    fleet.forget(printer);
    campaigns.onRemoved(printer);
    await troubles.forget(printer, (client) => store.removals.forget(client, removal));
    accounts.forget(printer);
  }

  async #empty(printer: string): Promise<void> {
    const { link } = this.#sources;
    await link.forget?.(printer);
    await Promise.all(
      RETAINED.map((kind) => link.publish(printerTopic[kind](printer), '', { qos: 1, retain: true })),
    );
  }
}
