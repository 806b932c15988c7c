/** Reports from readings: pages by day, and installed supplies. */

import type { PagesItem, SupplyItem } from '../../schemas/types.ts';
import type { Database } from '../database/database.ts';
import { cursorOf, keyOf } from '../database/page-cursor.ts';
import type { Page, PageRequest, PagesQuery, ReportQueries, SuppliesQuery } from '../queries.ts';
import { FirmwareRows } from './firmware-store.ts';
import { READING_LIMITS } from './limits.ts';
import { dateOfDay, localDay, localTime } from './local-day.ts';

interface PagesRow {
  name: string;
  timezone: string | null;
  pages: number;
  printers: number;
  readings: number;
  first_at: Date | null;
  last_at: Date | null;
  resets: number;
  gaps: number;
  silent_days: number;
}

/** Sort order, and the condition for rows after one with this number of pages and name. */
const PAGES_SORTS: Record<
  PagesQuery['sort'],
  { order: string; after(pages: () => string, name: string): string }
> = {
  '-pages': {
    order: 'pages DESC, name',
    after: (pages, name) => `(-pages, name) > (-${pages()}, ${name})`,
  },
  pages: {
    order: 'pages, name',
    after: (pages, name) => `(pages, name) > (${pages()}, ${name})`,
  },
  name: { order: 'name', after: (_pages, name) => `name > ${name}` },
};

interface SupplyRow {
  printer: string;
  timezone: string | null;
  printer_model: string | null;
  site: string | null;
  symbol: string;
  since_at: Date;
  since_left: number | null;
  last_left: number | null;
  ends_at: Date | null;
  ends_low: Date | null;
  ends_high: Date | null;
  document: Record<string, unknown>;
  sort: string;
}

/** A time that sorts after all others, for supplies without a forecast. */
const NEVER = '9999-12-31T00:00:00.000Z';
/** Sort keys, written so that texts sort as the values do. */
const SUPPLY_SORTS: Record<SuppliesQuery['sort'], string> = {
  ends: `to_char(coalesce(s.ends_at, '${NEVER}') AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')`,
  left: `to_char(coalesce(s.last_left, 9) * 10000, 'FM000000')`,
  printer: `''`,
};

const DAY_MS = 86_400_000;
const DAY_DIGITS = 10;

function share(left: number | null): number | undefined {
  return left === null ? undefined : Math.round(left * 10_000) / 10_000;
}

/** An object without the members that are undefined. */
function present<T extends object>(members: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as T;
}

export class ReportRows implements ReportQueries {
  readonly #database: Database;

  readonly #firmware: FirmwareRows;

  constructor(database: Database) {
    this.#database = database;
    this.#firmware = new FirmwareRows(database);
  }

  firmware(...asked: Parameters<ReportQueries['firmware']>): ReturnType<ReportQueries['firmware']> {
    return this.#firmware.list(...asked);
  }

  /** Zones of printers whose date is a day before or after that of UTC. */
  async #zonesApart(now_ms: number): Promise<{ before: string[]; after: string[] }> {
    const rows = await this.#database.query<{ timezone: string }>(
      'SELECT DISTINCT timezone FROM printers WHERE timezone IS NOT NULL LIMIT $1',
      [READING_LIMITS.zones_max],
    );
    const today = localDay(now_ms, 'UTC');
    const apart = (by: number) =>
      rows.map(({ timezone }) => timezone).filter((zone) => localDay(now_ms, zone) - today === by);
    return { before: apart(-1), after: apart(1) };
  }

  async pages(query: PagesQuery, page: PageRequest): Promise<Page<PagesItem>> {
    const { by, sort, counter, now_ms } = query;
    const list = `pages ${by} ${sort}`;
    const { order, after } = PAGES_SORTS[sort];
    const values: unknown[] = [];
    const value = (one: unknown, type: string) => `$${values.push(one)}::${type}`;
    const [from, to] = [query.from, query.to].map((day) => value(day, 'date'));
    const { before: zonesBefore, after: zonesAfter } = await this.#zonesApart(now_ms);
    const today = `(${value(dateOfDay(localDay(now_ms, 'UTC')), 'date')} + CASE
      WHEN p.timezone = ANY(${value(zonesBefore, 'text[]')}) THEN -1
      WHEN p.timezone = ANY(${value(zonesAfter, 'text[]')}) THEN 1 ELSE 0 END)`;
    const named = value(counter, 'text');
    const grown = counter === 'impressions' ? 'impressions' : `(counters->${named}->>'grown')::int8`;
    const group = {
      printer: () => 'p.id',
      site: () => `coalesce(p.site, '')`,
      model: () => `coalesce(p.model, '')`,
      label: () => `coalesce(p.labels->>${value(query.label ?? '', 'text')}, '')`,
    }[by]();
    const where = [`(p.standing = 'active' OR d.printer IS NOT NULL)`];
    if (query.site !== undefined) where.push(`p.site = ${value(query.site, 'text')}`);
    if (query.model !== undefined) where.push(`p.model = ${value(query.model, 'text')}`);
    where.push(...(query.printers?.((one) => `$${values.push(one)}`) ?? []));
    let beyond = 'true';
    if (page.cursor !== undefined) {
      const [pages, name] = keyOf(list, page.cursor, ['number', 'text']);
      beyond = after(() => value(pages, 'int8'), value(name, 'text'));
    }
    const rows = await this.#database.query<PagesRow>(
      `WITH printed AS (
         SELECT printer, count(*) AS days, sum(readings) AS readings, min(first_at) AS first_at,
           max(last_at) AS last_at, sum(coalesce((counters->${named}->>'resets')::int, 0)) AS resets,
           count(*) FILTER (WHERE gap_days > 0) AS gaps, sum(${grown}) AS pages
         FROM printer_days WHERE day BETWEEN ${from} AND ${to} GROUP BY printer),
       grouped AS (
         SELECT ${group} COLLATE "C" AS name, ${by === 'printer' ? 'min(p.timezone)' : 'NULL'} AS timezone, sum(coalesce(d.pages, 0))::int8 AS pages, count(*)::int AS printers,
           sum(coalesce(d.readings, 0))::int8 AS readings, min(d.first_at) AS first_at, max(d.last_at) AS last_at,
           sum(coalesce(d.resets, 0))::int AS resets, sum(coalesce(d.gaps, 0))::int AS gaps,
           sum(greatest(0, least(${to}, ${today}) - ${from} + 1 - coalesce(d.days, 0)))::int AS silent_days
         FROM printers p LEFT JOIN printed d ON d.printer = p.id
         WHERE ${where.join(' AND ')} GROUP BY 1)
       SELECT * FROM grouped WHERE ${beyond} ORDER BY ${order} LIMIT ${value(page.limit + 1, 'int')}`,
      values,
    );
    const items = rows.slice(0, page.limit).map((row) => {
      const timeOf = (time: Date | null) =>
        time === null ? undefined : localTime(time.getTime(), row.timezone ?? undefined);
      return present<PagesItem>({
        name: row.name,
        pages: row.pages,
        printers: row.printers,
        readings: row.readings,
        first: timeOf(row.first_at),
        last: timeOf(row.last_at),
        resets: row.resets,
        gaps: row.gaps,
        silentDays: row.silent_days,
      });
    });
    const last = items.at(-1);
    return {
      items,
      ...(rows.length > page.limit && last ? { next: cursorOf(list, [last.pages, last.name]) } : {}),
    };
  }

  async supplies(query: SuppliesQuery, page: PageRequest): Promise<Page<SupplyItem>> {
    const list = `supplies ${query.sort}`;
    const sort = SUPPLY_SORTS[query.sort];
    const [after, printer, symbol] =
      page.cursor === undefined ? [] : keyOf(list, page.cursor, ['text', 'text', 'text']);
    const within = query.endsWithinDays;
    const values: unknown[] = [
      query.site ?? null,
      query.kind ?? null,
      query.color ?? null,
      query.printer ?? null,
      within === undefined ? null : new Date(query.now_ms + within * DAY_MS),
      after ?? null,
      printer ?? null,
      symbol ?? null,
      page.limit + 1,
    ];
    const conditions = query.printers?.((one) => `$${values.push(one)}`) ?? [];
    const rows = await this.#database.query<SupplyRow>(
      `SELECT s.printer, p.timezone, p.model AS printer_model, p.site, s.symbol, s.since_at, s.since_left, s.last_left,
         s.ends_at, s.ends_low, s.ends_high, s.document, ${sort} COLLATE "C" AS sort
       FROM supply_intervals s JOIN printers p ON p.id = s.printer
       WHERE s.until_at IS NULL AND p.standing = 'active'
         AND ($1::text IS NULL OR p.site = $1) AND ($2::text IS NULL OR s.kind = $2)
         AND ($3::text IS NULL OR s.color = $3) AND ($4::text IS NULL OR s.printer = $4)
         AND ($5::timestamptz IS NULL OR s.ends_at <= $5)${conditions.map((one) => ` AND ${one}`).join('')}
         AND ($6::text IS NULL OR (${sort} COLLATE "C", s.printer, s.symbol) > ($6, $7, $8))
       ORDER BY sort, s.printer, s.symbol LIMIT $9`,
      values,
    );
    const shown = rows.slice(0, page.limit);
    const last = shown.at(-1);
    return {
      items: shown.map((row) => itemOf(row, query.now_ms)),
      ...(rows.length > page.limit && last
        ? { next: cursorOf(list, [last.sort, last.printer, last.symbol]) }
        : {}),
    };
  }
}

function itemOf(row: SupplyRow, now_ms: number): SupplyItem {
  const { printer, site, symbol, since_at, ends_at, ends_low, ends_high, document } = row;
  const { since_ms: _since, sinceLeft: _first, left: _left, exchange, ...shown } = document;
  const timeOf = (time: Date) => localTime(time.getTime(), row.timezone ?? undefined);
  const daysTo = (time: Date) =>
    Math.max(0, Math.round(((time.getTime() - now_ms) / DAY_MS) * DAY_DIGITS) / DAY_DIGITS);
  return present<SupplyItem>({
    printer,
    printerModel: row.printer_model ?? undefined,
    site: site ?? undefined,
    symbol,
    ...(shown as Pick<SupplyItem, 'kind' | 'known'>),
    left: share(row.last_left),
    since: timeOf(since_at),
    sinceLeft: share(row.since_left),
    exchange: exchange as SupplyItem['exchange'],
    ends: ends_at === null ? undefined : timeOf(ends_at),
    daysLeft:
      ends_at === null
        ? undefined
        : present<NonNullable<SupplyItem['daysLeft']>>({
            days: daysTo(ends_at),
            low: ends_low ? daysTo(ends_low) : undefined,
            high: ends_high ? daysTo(ends_high) : undefined,
          }),
  });
}
