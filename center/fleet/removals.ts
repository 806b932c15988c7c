/**
 * Removing printers for good: whoever gets such an id next inherits nothing, and what retention keeps stays under another
 * name. The durable mark comes first and goes last, so that a start after a kill finishes what was begun; every step
 * may be done twice.
 */
import type { Logger } from 'pino';
import { reasonOf } from '../../schemas/errors.ts';
import { printerTopic } from '../../schemas/topics.ts';
import type { Client } from '../database/database.ts';
import { removedName } from '../database/removed-printers.ts';
import type { Link } from '../link/link.ts';
import type { Removal, RemovalStore } from './removal-store.ts';

export interface RemovalSources {
  store: RemovalStore;
  accounts: {
    isPrinter(name: string): Promise<boolean>;
    revoke(name: string): Promise<boolean>;
    forget(name: string): void;
  };
  /** Withdraws what a printer is to do. */
  withdraw(printer: string): Promise<void>;
  ingest: {
    settled(): Promise<void>;
    forget(printers: ReadonlySet<string>): void;
  };
  troubles: { forget(printer: string, write: (client: Client) => Promise<void>): Promise<void> };
  /** Has whatever else remembers printers forget this one. */
  forget(printer: string): void;
  /** Ends what campaigns still wait for; `name` is what its records are called now. */
  settle(name: string): Promise<void>;
  link: Pick<Link, 'publish' | 'forget'>;
  tell(printer: string): void;
  log: Logger;
  /** Milliseconds since the epoch. */
  now(): number;
}

/** What is retained for a printer, by itself or by the center. */
const RETAINED = ['presence', 'structure', 'verdict', 'order', 'policy'] as const;

export class Removals {
  readonly #sources: RemovalSources;
  /** Of whom nothing is taken and nothing retained: until they are enrolled again. */
  readonly #removed = new Set<string>();
  /** Marked and not finished. */
  readonly #pending = new Set<string>();
  /** Ends when the removals asked for so far have ended. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(sources: RemovalSources) {
    this.#sources = sources;
  }

  /** Whether a printer was removed, or is being removed, and was not enrolled since. */
  isRemoved(printer: string): boolean {
    return this.#removed.has(printer);
  }

  /** Whether its removal was begun and has not come to its end. */
  isPending(printer: string): boolean {
    return this.#pending.has(printer);
  }

  /** Printers were enrolled: they are heard again. */
  enrolled(printers: readonly string[]): void {
    for (const printer of printers) if (!this.#pending.has(printer)) this.#removed.delete(printer);
  }

  /** Takes up what a process before this one did not finish; to be called before anything is heard. */
  async load(): Promise<void> {
    this.#mark((await this.#sources.store.pending()).map(({ printer }) => printer));
  }

  /** Finishes it. Never rejects: the mark stays where that fails, and `printers.remove` may be asked for again. */
  async resume(): Promise<void> {
    if (this.#pending.size === 0) return;
    const { log } = this.#sources;
    try {
      const printers = [...this.#pending];
      await this.#inTurn(() => this.#finish(printers));
      log.info({ printers }, 'the removal of printers was finished');
    } catch (error) {
      log.error({ reason: reasonOf(error) }, 'the removal of printers could not be finished');
    }
  }

  /** Removes printers; resolves when their ids are free. */
  remove(printers: readonly string[]): Promise<void> {
    return this.#inTurn(async () => {
      const { store, now } = this.#sources;
      const before = printers.filter((printer) => !this.#removed.has(printer));
      this.#mark(printers);
      try {
        await store.begin(printers, new Date(now()));
      } catch (error) {
        for (const printer of before) {
          this.#pending.delete(printer);
          this.#removed.delete(printer);
        }
        throw error;
      }
      await this.#finish(printers);
    });
  }

  #mark(printers: readonly string[]): void {
    for (const printer of printers) {
      this.#removed.add(printer);
      this.#pending.add(printer);
    }
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #finish(printers: readonly string[]): Promise<void> {
    const { store, accounts, withdraw, ingest, settle, tell } = this.#sources;
    const wanted = new Set(printers);
    const removals = (await store.pending()).filter(({ printer }) => wanted.has(printer));
    for (const { printer } of removals) {
      // Over a foreign broker a printer may have the name of an operator here.
      if (await accounts.isPrinter(printer)) await accounts.revoke(printer);
      await withdraw(printer);
    }
    await ingest.settled();
    for (const removal of removals) await this.#forget(removal);
    ingest.forget(wanted);
    for (const { printer } of removals) await this.#empty(printer);
    await store.finish(removals);
    for (const { printer, at } of removals) await settle(removedName(printer, at));
    for (const printer of printers) {
      this.#pending.delete(printer);
      tell(printer);
    }
  }

  async #forget(removal: Removal): Promise<void> {
    const { store, troubles, accounts, forget } = this.#sources;
    const { printer } = removal;
    forget(printer);
    await troubles.forget(printer, (client) => store.forget(client, removal));
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
