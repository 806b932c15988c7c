/** The report of installed software: versions per printer, and their age by the catalog. */
import { PlatenError } from '../../schemas/errors.ts';
import type { FirmwareItem } from '../../schemas/types.ts';
import type { Database } from '../database/database.ts';
import { cursorOf, type KeyPart, keyOf } from '../database/page-cursor.ts';
import type { FirmwareAge, FirmwareQuery, Page, PageRequest } from '../queries.ts';
import { READING_LIMITS } from './limits.ts';

interface FirmwareRow {
  name: string;
  software: string;
  version: string;
  printers: number;
  installed: number;
  behind: number;
}

type AgeOf = (software: string, version: string) => FirmwareAge;

const KEY = ['name', 'software', 'version'] as const;
/** Expressions to sort by before name, software and version, so that ascending is the requested order. */
const SORTS: Record<FirmwareQuery['sort'], string | undefined> = {
  '-printers': '-printers',
  printers: 'printers',
  '-behind': '-behind',
  name: undefined,
};

export class FirmwareRows {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** The age of every installed version. @throws PlatenError request/too-heavy */
  async #ages(software: string | undefined, ageOf: AgeOf): Promise<[string[], string[], number[]]> {
    const most = READING_LIMITS.versions_sorted_max;
    const rows = await this.#database.query<{ software: string; version: string }>(
      `SELECT DISTINCT software, version FROM installed_software
       WHERE version IS NOT NULL AND ($1::text IS NULL OR software = $1) LIMIT $2`,
      [software ?? null, most + 1],
    );
    if (rows.length > most) {
      throw new PlatenError('request/invalid', {
        reason: `/sort by age looks at ${most} versions at most, and there are more: name one "software"`,
      });
    }
    return [
      rows.map((row) => row.software),
      rows.map((row) => row.version),
      rows.map((row) => ageOf(row.software, row.version).behind ?? -1),
    ];
  }

  /** @param ageOf the age of a version by the catalog in force */
  async list(query: FirmwareQuery, page: PageRequest, ageOf: AgeOf): Promise<Page<FirmwareItem>> {
    const { by, sort, software, model, site } = query;
    const list = `firmware ${by} ${sort}`;
    const values: unknown[] = [];
    const value = (one: unknown, type: string) => `$${values.push(one)}::${type}`;
    const where = [`p.standing = 'active'`];
    if (software !== undefined) where.push(`i.software = ${value(software, 'text')}`);
    if (model !== undefined) where.push(`p.model = ${value(model, 'text')}`);
    if (site !== undefined) where.push(`p.site = ${value(site, 'text')}`);
    where.push(...(query.printers?.((one) => `$${values.push(one)}`) ?? []));
    const name = { software: `''`, model: `coalesce(p.model, '')`, site: `coalesce(p.site, '')` }[by];
    const ages = sort === '-behind' ? await this.#ages(software, ageOf) : undefined;
    const aged = ages
      ? `LEFT JOIN unnest(${value(ages[0], 'text[]')}, ${value(ages[1], 'text[]')}, ${value(ages[2], 'int[]')})
           AS a (software, version, behind) ON a.software = i.software AND a.version = i.version`
      : '';
    const first = SORTS[sort];
    const order = [...(first === undefined ? [] : [first]), ...KEY];
    let beyond = 'true';
    if (page.cursor !== undefined) {
      const parts: KeyPart[] = [...(first === undefined ? [] : ['number' as const]), 'text', 'text', 'text'];
      const key = keyOf(list, page.cursor, parts);
      const at = key.map((one, index) => value(one, parts[index] === 'number' ? 'int8' : 'text'));
      beyond = `(${order.join(', ')}) > (${at.join(', ')})`;
    }
    const rows = await this.#database.query<FirmwareRow>(
      `WITH grouped AS (
         SELECT ${name} COLLATE "C" AS name, i.software, coalesce(i.version, '') COLLATE "C" AS version,
           count(DISTINCT i.printer)::int AS printers, count(*)::int AS installed,
           ${ages ? 'coalesce(min(a.behind), -1)' : '-1'} AS behind
         FROM installed_software i JOIN printers p ON p.id = i.printer ${aged}
         WHERE ${where.join(' AND ')} GROUP BY 1, 2, 3)
       SELECT * FROM grouped WHERE ${beyond} ORDER BY ${order.join(', ')} LIMIT ${value(page.limit + 1, 'int')}`,
      values,
    );
    const items = rows.slice(0, page.limit);
    const last = items.at(-1);
    const sorted = (row: FirmwareRow) =>
      first === undefined
        ? []
        : [{ '-printers': -row.printers, printers: row.printers, '-behind': -row.behind }[first] ?? 0];
    return {
      items: items.map((row) => itemOf(row, by, ageOf)),
      ...(rows.length > page.limit && last
        ? { next: cursorOf(list, [...sorted(last), last.name, last.software, last.version]) }
        : {}),
    };
  }
}

function itemOf(
  { name, software, version, printers, installed }: FirmwareRow,
  by: FirmwareQuery['by'],
  ageOf: AgeOf,
): FirmwareItem {
  const known = version === '' ? {} : { version, ...ageOf(software, version) };
  return { ...(by === 'software' ? {} : { name }), software, ...known, printers, installed };
}
