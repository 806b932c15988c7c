/** The questions that operators ask of the fleet, in the words of the request methods, over `printers.ts`. */
import type { FleetSummary, PrinterFilter } from '../../schemas/types.ts';
import { cursorOf, keyOf } from '../database/page-cursor.ts';
import type {
  FleetQueries,
  LatestReadings,
  Page,
  PageRequest,
  PrinterDetails,
  PrinterItem,
  StoredEntry,
} from '../queries.ts';
import type { PrinterRow, Printers, PrinterFilter as RowFilter } from './printer-store.ts';

/** Whether a version of a software lies in a range: the catalog knows in which order its versions stand. */
export type RangeMatcher = (software: string, range: string) => (version: string) => boolean;

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

export class StoredFleet implements FleetQueries {
  readonly #printers: Printers;
  readonly #matcher: RangeMatcher;
  readonly #heard: (printer: string) => number | undefined;
  readonly #readings: (printer: string) => Promise<LatestReadings | undefined>;

  /**
   * @param heard when a printer was last heard of, where the store doesn't know it yet
   * @param readings the latest that a printer said of what it counts and holds
   */
  constructor(
    printers: Printers,
    matcher: RangeMatcher,
    heard: (printer: string) => number | undefined = () => undefined,
    readings: (printer: string) => Promise<LatestReadings | undefined> = () => Promise.resolve(undefined),
  ) {
    this.#printers = printers;
    this.#matcher = matcher;
    this.#heard = heard;
    this.#readings = readings;
  }

  #itemOf(row: PrinterRow): PrinterItem {
    const heard = this.#heard(row.id);
    const later = heard !== undefined && !(row.lastSeen !== undefined && Date.parse(row.lastSeen) >= heard);
    return itemOf(later ? { ...row, lastSeen: new Date(heard).toISOString() } : row);
  }

  async list(filter: PrinterFilter, page: PageRequest): Promise<Page<PrinterItem>> {
    const after = page.cursor === undefined ? undefined : keyOf('printers', page.cursor, ['text'])[0];
    // One more than asked for tells whether there is a next page.
    const rows = await this.#printers.list(await this.#rowFilter(filter), page.limit + 1, after);
    const items = rows.slice(0, page.limit).map((row) => this.#itemOf(row));
    const last = items.at(-1);
    return {
      items,
      ...(rows.length > page.limit && last ? { next: cursorOf('printers', [last.printer]) } : {}),
    };
  }

  async count(filter: PrinterFilter): Promise<number> {
    return this.#printers.count(await this.#rowFilter(filter));
  }

  missing(printers: readonly string[]): Promise<string[]> {
    return this.#printers.missing(printers);
  }

  async #rowFilter(filter: PrinterFilter): Promise<RowFilter> {
    const result: RowFilter = {};
    if (filter.idPrefix !== undefined) result.idPrefix = filter.idPrefix;
    if (filter.model !== undefined) result.model = filter.model;
    if (filter.site !== undefined) result.site = filter.site;
    if (filter.label !== undefined) result.labels = filter.label as Record<string, string>;
    if (filter.verdict !== undefined) result.verdict = filter.verdict;
    if (filter.presence !== undefined) result.online = filter.presence === 'online';
    if (filter.trouble !== undefined) result.openTrouble = filter.trouble;
    if (filter.standing !== undefined) result.standing = filter.standing;
    if (filter.rule !== undefined) result.rule = filter.rule;
    if (filter.software) {
      const { id, range } = filter.software;
      result.software = { id };
      if (range !== undefined) {
        const inRange = this.#matcher(id, range);
        result.software.versions = (await this.#printers.versionsOf(id)).filter(inRange);
      }
    }
    return result;
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

  /** Counts for the fleet's summary; troubles and campaigns are counted by those who keep them. */
  async counts(): Promise<
    Pick<FleetSummary, 'printers' | 'left' | 'presence' | 'unreachable' | 'verdict' | 'model'>
  > {
    return this.#printers.counts();
  }
}
