/**
 * Takes troubles from the rules to the store and to subscribers: a trouble is written in one transaction with
 * everything that belongs to it, announced after the commit, and then published as a retained document.
 */
import type { Logger } from 'pino';
import { reasonOf } from '../../schemas/errors.ts';
import { fleetTopic } from '../../schemas/topics.ts';
import type { Conclude } from '../conclusions.ts';
import type { Client } from '../database/database.ts';
import type { FleetEvents } from '../fleet/events.ts';
import type { Printers } from '../fleet/printer-store.ts';
import type { Link } from '../link/link.ts';
import type { TroubleChange } from './engine/engine.ts';
import { PUBLISH_AT_ONCE_MAX } from './engine/limits.ts';
import type { CompiledRule } from './engine/rule.ts';
import { isOpen, rowOf, type TroubleAct, type TroubleNews, type TroubleRow, troubleOf } from './rows.ts';
import type { TroubleStore } from './store.ts';

/** What the writer needs of the store and of subscribers. */
export interface TroubleWriterSettings {
  store: TroubleStore;
  /** Records printers' open troubles within the transaction that changes them. */
  printers: Pick<Printers, 'setOpenTroubles'>;
  link: Pick<Link, 'publish'>;
  events: Pick<FleetEvents, 'tell'>;
  /** Called after the commit. */
  conclude: Conclude;
  log: Logger;
  /** Milliseconds since the epoch. */
  now(): number;
}

/** A row that was written, and its news. */
export interface WrittenTrouble {
  news: TroubleNews[];
  row: TroubleRow;
}

/** What operators, remedies and proofs add to a trouble. */
export interface Amendment {
  id: string;
  change(row: TroubleRow): Partial<TroubleRow>;
  /** Called when it is written, or when the trouble no longer exists. */
  done(): void;
}

export class TroubleWriter {
  readonly #settings: TroubleWriterSettings;
  readonly #rule: (id: string) => CompiledRule | undefined;

  /** @param rule returns the rule with an id, if it is in force */
  constructor(settings: TroubleWriterSettings, rule: (id: string) => CompiledRule | undefined) {
    this.#settings = settings;
    this.#rule = rule;
  }

  /** Writes changes within a transaction. @returns what to announce after the commit */
  async write(client: Client, changes: TroubleChange[]): Promise<WrittenTrouble[]> {
    const { store, now } = this.#settings;
    const before = await store.byId(
      changes.map(({ trouble }) => trouble.id),
      client,
    );
    const told: WrittenTrouble[] = [];
    const rows: TroubleRow[] = [];
    const gone: string[] = [];
    for (const { kind, trouble } of changes) {
      const known = before.get(trouble.id);
      // What an operator or a cure ended stays ended: this change is older.
      if (known && (known.state === 'closed' || (known.state === 'cured' && isOver(known, trouble.lastAt))))
        continue;
      if (kind === 'withdrawn') {
        if (!known) continue;
        gone.push(known.id);
        told.push({ news: ['withdrawn'], row: known });
        continue;
      }
      const row = rowOf(trouble, this.#rule(trouble.rule), known, now());
      if (known && same(known, row)) continue;
      rows.push(row);
      told.push({ news: newsOf(known, row), row });
    }
    await store.put(client, rows);
    await store.remove(client, gone);
    await this.setOpen(
      client,
      told.filter(({ news }) => news.length > 0).flatMap(({ row }) => row.printer ?? []),
    );
    return told;
  }

  /** Writes a trouble ended by an operator or a cure, within a transaction. */
  async end(client: Client, row: TroubleRow): Promise<WrittenTrouble> {
    await this.#settings.store.put(client, [row]);
    if (row.printer !== null) await this.setOpen(client, [row.printer]);
    return { news: [row.state === 'cured' ? 'cured' : 'closed'], row };
  }

  /** Writes amendments within a transaction. They are no news, but they change the retained documents. */
  async amend(client: Client, amendments: Amendment[]): Promise<WrittenTrouble[]> {
    if (amendments.length === 0) return [];
    const { store, now } = this.#settings;
    const rows = await store.byId([...new Set(amendments.map(({ id }) => id))], client);
    const at = new Date(now()).toISOString();
    const changed = new Map<string, TroubleRow>();
    for (const { id, change } of amendments) {
      const row = changed.get(id) ?? rows.get(id);
      if (row) changed.set(id, { ...row, ...change(row), updated_at: at });
    }
    await store.put(client, [...changed.values()]);
    return [...changed.values()].map((row) => ({ news: [], row }));
  }

  /** Records which open troubles printers have. */
  async setOpen(client: Client, printers: string[]): Promise<void> {
    const open = new Map<string, { trouble: string; rule: string }[]>(
      printers.map((printer) => [printer, []]),
    );
    if (open.size === 0) return;
    for (const { id, rule, printer } of await this.#settings.store.openOf([...open.keys()], client)) {
      open.get(printer)?.push({ trouble: id, rule });
    }
    await this.#settings.printers.setOpenTroubles(
      [...open].map(([printer, list]) => ({ printer, open: list })),
      client,
    );
  }

  /**
   * Publishes retained documents, announces events and starts remedies, each once, whether or not the documents could
   * be published.
   * @returns false when some documents could not be published and are still due
   */
  async tell(told: WrittenTrouble[]): Promise<boolean> {
    const published = await this.#publishAll(told);
    for (const { news, row } of told) for (const what of news) this.#announce(what, row);
    return published;
  }

  async #publishAll(told: WrittenTrouble[]): Promise<boolean> {
    const gone = told.filter(({ news }) => news.includes('withdrawn')).map(({ row }) => row.id);
    const there = told.filter(({ news }) => !news.includes('withdrawn'));
    // Of a trouble that changed twice, only the newest state.
    const newest = [...new Map(there.map(({ row }) => [row.id, row])).values()];
    try {
      await this.publish(newest);
      await this.#empty(gone);
      return true;
    } catch (error) {
      const reason = reasonOf(error);
      this.#settings.log.error(
        { count: told.length, reason },
        'cannot publish documents of troubles; trying again later',
      );
      return false;
    }
  }

  #announce(news: TroubleNews, row: TroubleRow): void {
    this.#tellEvent(news, row);
    this.#settings.conclude({ kind: 'trouble', news, row, rule: this.#rule(row.rule) });
  }

  /** Publishes the documents of troubles that an operator acted on, and announces the acts. */
  async tellActs(acts: { act: TroubleAct; row: TroubleRow; by?: string }[]): Promise<boolean> {
    const published = await this.#publishAll(acts.map(({ row }) => ({ news: [], row })));
    for (const { act, row, by } of acts) this.#tellEvent(act, row, by);
    return published;
  }

  /** `snoozed` in the data tells notifiers to skip the event. */
  #tellEvent(what: TroubleNews | TroubleAct, row: TroubleRow, by?: string): void {
    const { id, rule, severity, unit, title, owner, snoozed } = row;
    this.#settings.events.tell('trouble', what, {
      ...(row.printer === null ? {} : { printer: row.printer }),
      data: {
        trouble: id,
        rule,
        severity,
        ...(title && { title }),
        ...(unit && { unit }),
        ...(owner && { owner }),
        ...(snoozed && { snoozed: snoozed.until }),
        ...(by && { by }),
      },
    });
  }

  /** Publishes the retained documents of rows. */
  async publish(rows: TroubleRow[]): Promise<void> {
    for (let from = 0; from < rows.length; from += PUBLISH_AT_ONCE_MAX) {
      const slice = rows.slice(from, from + PUBLISH_AT_ONCE_MAX);
      await Promise.all(
        slice.map((row) =>
          this.#settings.link.publish(
            fleetTopic.trouble(row.id),
            isOpen(row) ? JSON.stringify(troubleOf(row)) : '',
            { qos: 1, retain: true },
          ),
        ),
      );
      await this.#settings.store.published(slice);
    }
  }

  /** Clears the retained documents of withdrawn troubles. */
  async #empty(ids: string[]): Promise<void> {
    for (let from = 0; from < ids.length; from += PUBLISH_AT_ONCE_MAX) {
      const slice = ids.slice(from, from + PUBLISH_AT_ONCE_MAX);
      await Promise.all(
        slice.map((id) => this.#settings.link.publish(fleetTopic.trouble(id), '', { qos: 1, retain: true })),
      );
      await this.#settings.store.forgetWithdrawn(slice);
    }
  }

  /** Publishes the documents that an earlier process of the center left unpublished. */
  async publishDue(): Promise<void> {
    for (;;) {
      const ids = await this.#settings.store.withdrawn(PUBLISH_AT_ONCE_MAX);
      if (ids.length === 0) break;
      await this.#empty(ids);
    }
    for (;;) {
      const rows = await this.#settings.store.due(PUBLISH_AT_ONCE_MAX);
      if (rows.length === 0) return;
      await this.publish(rows);
    }
  }
}

function isOver(row: TroubleRow, lastAt: number): boolean {
  return row.closed_at !== null && lastAt <= Date.parse(row.closed_at);
}

/** Whether both rows say the same: a trouble judged again after a restart is no news. */
function same(before: TroubleRow, after: TroubleRow): boolean {
  return (
    before.state === after.state &&
    before.severity === after.severity &&
    before.count === after.count &&
    before.explanation === after.explanation &&
    time(before.closed_at) === time(after.closed_at) &&
    JSON.stringify(before.evidence) === JSON.stringify(after.evidence)
  );
}

function time(text: string | null): number | undefined {
  return text === null ? undefined : Date.parse(text);
}

function newsOf(before: TroubleRow | undefined, after: TroubleRow): TroubleNews[] {
  const news: TroubleNews[] = [];
  if (!before) news.push('opened');
  else if (!isOpen(before) && isOpen(after)) news.push('reopened');
  if (before && before.severity !== after.severity && after.state === 'escalated') news.push('escalated');
  if (!isOpen(after) && (!before || isOpen(before))) news.push(after.state === 'cured' ? 'cured' : 'cleared');
  return news;
}
