/** Answers operators' questions about the fleet in the shapes of the request methods; the SQL is in `printer-*.ts`. */
import type { FleetSummary } from '../../schemas/types.ts';
import { parseWhere, type Term, termsOfFilter } from '../../schemas/where.ts';
import { cursorOf, keyOf } from '../database/page-cursor.ts';
import type {
  ConfigurationItem,
  Facet,
  FleetFilter,
  FleetQueries,
  LatestReadings,
  Page,
  PageRequest,
  PrinterDetails,
  PrinterItem,
  PrinterPage,
  PrinterSort,
  StoredEntry,
  Total,
} from '../queries.ts';
import type { FacetRows } from './facet-store.ts';
import type { PrinterConditions } from './filter-sql.ts';
import type { Place, PrinterLists, RangeMatcher } from './printer-lists.ts';
import type { PrinterRow } from './printer-row.ts';
import type { Printers } from './printer-store.ts';

const CHANGES_SHOWN = 50;

function itemOf(row: PrinterRow): PrinterItem {
  return {
    printer: row.id,
    presence: row.online ? 'online' : 'offline',
    verdict: row.verdict ?? 'none',
    openTroubles: row.openTroubles,
    labels: row.labels,
    ...(row.model === undefined ? {} : { model: row.model }),
    ...(row.serial === undefined ? {} : { serial: row.serial }),
    ...(row.site === undefined ? {} : { site: row.site }),
    ...(row.lastSeen === undefined ? {} : { lastSeen: row.lastSeen }),
    ...(row.device === undefined ? {} : { device: row.device }),
    ...(row.device === 'unreachable' && row.deviceAt !== undefined ? { deviceSince: row.deviceAt } : {}),
    ...(row.standing === 'active' ? {} : { standing: row.standing }),
    ...(row.standingAt === undefined ? {} : { standingAt: row.standingAt }),
    ...(row.standingReason === undefined ? {} : { standingReason: row.standingReason }),
  };
}

/** The terms of a filter, written as an object or as a text. */
export function termsOf({ where, ...filter }: FleetFilter): Term[] {
  return [...termsOfFilter(filter), ...(where === undefined ? [] : parseWhere(where))];
}

/** The type of the sort value in a cursor, by order. */
const PLACE_KINDS = {
  id: 'text',
  model: 'text',
  site: 'text',
  seen: 'time',
  verdict: 'text',
  troubles: 'number',
} as const;
/** The value in a cursor when it is missing; a marker beside it says so. */
const NO_VALUE = { text: '', time: '1970-01-01T00:00:00Z', number: '0' } as const;

function kindOf(sort: PrinterSort): 'text' | 'time' | 'number' {
  return PLACE_KINDS[sort.replace('-', '') as keyof typeof PLACE_KINDS];
}

/** The cursor keeps the total, so that only the first page counts and all pages agree. */
function cursorAt({ value, id }: Place, sort: PrinterSort, total: Total | undefined): string {
  return cursorOf(`printers ${sort}`, [
    value === null ? 'none' : 'value',
    value ?? NO_VALUE[kindOf(sort)],
    id,
    total?.total ?? -1,
    total?.exact ? 1 : 0,
  ]);
}

/** @throws PlatenError request/invalid for a cursor of another list or another order */
function placeOf(cursor: string, sort: PrinterSort): { place: Place; total?: Total } {
  const kinds = ['text', kindOf(sort), 'text', 'number', 'number'] as const;
  const [there, value = '', id = '', total, exact] = keyOf(`printers ${sort}`, cursor, kinds);
  return {
    place: { value: there === 'none' ? null : value, id },
    ...(Number(total) < 0 ? {} : { total: { total: Number(total), exact: exact === '1' } }),
  };
}

export class StoredFleet implements FleetQueries {
  readonly #printers: Printers;
  readonly #lists: PrinterLists;
  readonly #facets: FacetRows;
  readonly #matcher: RangeMatcher;
  readonly #now: () => number;
  readonly #heard: (printer: string) => number | undefined;
  readonly #readings: (printer: string) => Promise<LatestReadings | undefined>;

  /**
   * @param heard when a printer was last heard of, where that is not stored yet
   * @param readings the latest counters and supplies of a printer
   */
  constructor(
    { printers, lists, facets }: { printers: Printers; lists: PrinterLists; facets: FacetRows },
    matcher: RangeMatcher,
    now: () => number,
    heard: (printer: string) => number | undefined = () => undefined,
    readings: (printer: string) => Promise<LatestReadings | undefined> = () => Promise.resolve(undefined),
  ) {
    this.#printers = printers;
    this.#lists = lists;
    this.#facets = facets;
    this.#now = now;
    this.#matcher = matcher;
    this.#heard = heard;
    this.#readings = readings;
  }

  #itemOf(row: PrinterRow): PrinterItem {
    const heard = this.#heard(row.id);
    const later = heard !== undefined && !(row.lastSeen !== undefined && Date.parse(row.lastSeen) >= heard);
    return itemOf(later ? { ...row, lastSeen: new Date(heard).toISOString() } : row);
  }

  async list(filter: FleetFilter, page: PageRequest, sort: PrinterSort = 'id'): Promise<PrinterPage> {
    const compiled = await this.conditions(filter);
    const from = page.cursor === undefined ? undefined : placeOf(page.cursor, sort);
    // One extra row tells whether there is a next page.
    const limit = page.limit + 1;
    const { printers: listed, total } = page.counted
      ? await this.#lists.countedList(compiled, sort, limit, from)
      : { printers: await this.#lists.list(compiled, sort, limit, from?.place), total: undefined };
    const shown = listed.slice(0, page.limit);
    const last = shown.at(-1);
    return {
      items: shown.map(({ row }) => this.#itemOf(row)),
      ...(listed.length > page.limit && last ? { next: cursorAt(last.place, sort, total) } : {}),
      ...total,
    };
  }

  async count(filter: FleetFilter): Promise<number> {
    return this.#lists.count(await this.conditions(filter));
  }

  async total(filter: FleetFilter): Promise<Total> {
    return this.#lists.total(await this.conditions(filter));
  }

  async ids(filter: FleetFilter): Promise<string[]> {
    return this.#lists.ids(await this.conditions(filter));
  }

  async facets(filter: FleetFilter, fields: readonly string[], limit: number): Promise<Facet[]> {
    return this.#facets.facets(await this.conditions(filter), fields, limit);
  }

  async configurations(filter: FleetFilter, page: PageRequest): Promise<Page<ConfigurationItem>> {
    return this.#facets.configurations(await this.conditions(filter), page);
  }

  missing(printers: readonly string[]): Promise<string[]> {
    return this.#printers.missing(printers);
  }

  conditions(filter: FleetFilter): Promise<PrinterConditions> {
    return this.#lists.compile(termsOf(filter), this.#matcher, this.#now());
  }

  async get(printer: string): Promise<PrinterDetails | undefined> {
    const found = await this.#printers.get(printer);
    if (!found) return undefined;
    const changes = await this.#printers.history(printer, CHANGES_SHOWN);
    const readings = await this.#readings(printer);
    return {
      ...this.#itemOf(found),
      ...(found.structure ? { structure: found.structure } : {}),
      ...(found.verdictDocument ? { verdictDocument: found.verdictDocument } : {}),
      changes: changes.map((one) => ({ at: one.at, received: one.received, changes: one.changes })),
      logs: found.logs,
      ...(readings ? { readings } : {}),
    };
  }

  async errors(
    printer: string,
    query: { code?: string; since?: string; until?: string },
    page: PageRequest,
  ): Promise<Page<StoredEntry>> {
    const [at, log, seq] =
      page.cursor === undefined ? [] : keyOf('entries', page.cursor, ['time', 'text', 'number']);
    const rows = await this.#printers.errors(printer, {
      limit: page.limit + 1,
      ...(query.code === undefined ? {} : { code: query.code }),
      ...(query.since === undefined ? {} : { since: query.since }),
      ...(query.until === undefined ? {} : { until: query.until }),
      ...(at === undefined || log === undefined || seq === undefined
        ? {}
        : { before: { at, log, seq: Number(seq) } }),
    });
    const items = rows.slice(0, page.limit) as StoredEntry[];
    const last = items.at(-1);
    return {
      items,
      ...(rows.length > page.limit && last
        ? { next: cursorOf('entries', [last.at, last.log, last.seq]) }
        : {}),
    };
  }

  /** Counts for the fleet's summary; troubles and campaigns are counted by their own parts. */
  async counts(): Promise<
    Pick<FleetSummary, 'printers' | 'left' | 'presence' | 'unreachable' | 'verdict' | 'model'>
  > {
    return this.#printers.counts();
  }
}
