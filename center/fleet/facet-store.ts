/** Facets: counts of field values and of configurations over the printers that a filter matches. */
import { configurationOf } from '../../compatibility/index.ts';
import type { Structure } from '../../schemas/types.ts';
import { whereText } from '../../schemas/where.ts';
import type { Database } from '../database/database.ts';
import { cursorOf, keyOf } from '../database/page-cursor.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { ConfigurationItem, Facet, Page, PageRequest } from '../queries.ts';
import type { PrinterConditions } from './filter-sql.ts';
import type { PrinterLists } from './printer-lists.ts';

/** How a field is counted: its values are in the printer's row, or in rows that belong to it. */
interface Counted {
  value: string;
  join?: string;
}

const OPEN = `t.state IN ('open', 'escalated')`;

function countedOf(field: string, param: (value: unknown) => string): Counted {
  const [, base = '', name = ''] = /^([a-z]+)[.:]?(.*)$/s.exec(field) ?? [];
  switch (base) {
    case 'model':
    case 'site':
    case 'standing':
      return { value: `p.${base}` };
    case 'verdict':
      return { value: `coalesce(p.verdict, 'none')` };
    case 'presence':
      return { value: `CASE WHEN p.online THEN 'online' ELSE 'offline' END` };
    case 'trouble':
      return { value: 't.rule', join: 'JOIN printer_troubles t ON t.printer = p.id' };
    case 'severity':
      return { value: 't.severity', join: `JOIN troubles t ON t.printer = p.id AND ${OPEN}` };
    case 'owner':
      return {
        value: 't.owner',
        join: `JOIN troubles t ON t.printer = p.id AND ${OPEN} AND t.owner IS NOT NULL`,
      };
    case 'unit':
      return {
        value: 'u.model',
        join: `JOIN printer_units u ON u.printer = p.id AND u.symbol <> 'apparatus'`,
      };
    case 'software':
      return {
        value: 'i.version',
        join: `JOIN installed_software i ON i.printer = p.id AND i.software = ${param(name)}`,
      };
    default:
      return { value: `p.labels->>${param(name)}::text` };
  }
}

/** The filter that matches the printers with a value, or the printers without one. */
function termFor(field: string, value: string | null): string {
  const [, base = '', name] = /^([a-z]+)(?:[.:](.*))?$/s.exec(field) ?? [];
  return whereText([
    {
      field: base as 'model',
      ...(name === undefined ? {} : { name }),
      operator: value === null ? '!=' : '=',
      values: [value === null ? { text: '', prefix: true } : { text: value, prefix: false }],
      column: 1,
    },
  ]);
}

export class FacetRows {
  readonly #database: Database;
  readonly #lists: PrinterLists;

  constructor(database: Database, lists: PrinterLists) {
    this.#database = database;
    this.#lists = lists;
  }

  /** The most frequent values of each field, with their numbers of printers. */
  facets(filter: PrinterConditions, fields: readonly string[], limit: number): Promise<Facet[]> {
    return this.#lists.bounded(async (client) => {
      const facets: Facet[] = [];
      for (const field of fields) {
        const values: unknown[] = [];
        const param = (value: unknown) => `$${values.push(value)}`;
        const { value, join = '' } = countedOf(field, param);
        const conditions = filter(param);
        const where = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '';
        const counted = join === '' ? 'count(*)' : 'count(DISTINCT p.id)';
        const { rows } = await client.query<{ value: string | null; n: number; kinds: number }>(
          `SELECT value, n, count(*) OVER ()::int AS kinds
           FROM (SELECT ${value} AS value, ${counted}::int AS n FROM printers p ${join} ${where} GROUP BY 1) counted
           ORDER BY n DESC, value LIMIT ${limit}`,
          values,
        );
        facets.push({
          field,
          values: rows.map((row) => ({
            ...(row.value === null ? {} : { value: row.value }),
            printers: row.n,
            where: termFor(field, row.value),
          })),
          more: Math.max(0, (rows[0]?.kinds ?? 0) - rows.length),
        });
      }
      return facets;
    });
  }

  /** Distinct configurations, most frequent first. */
  async configurations(filter: PrinterConditions, page: PageRequest): Promise<Page<ConfigurationItem>> {
    await this.#fillConfigurations();
    const values: unknown[] = [];
    const param = (value: unknown) => `$${values.push(value)}`;
    const conditions = [...filter(param), 'p.configuration IS NOT NULL'];
    let beyond = '';
    if (page.cursor !== undefined) {
      const [printers, configuration] = keyOf('configurations', page.cursor, ['number', 'text']);
      beyond = `HAVING (-count(*), p.configuration) > (-${param(printers)}::int8, ${param(configuration)})`;
    }
    const { rows } = await this.#lists.bounded((client) =>
      client.query<{
        configuration: string;
        model: string | null;
        example: string;
        printers: number;
        compatible: number;
        incompatible: number;
        unknown: number;
        none: number;
      }>(
        `SELECT p.configuration, min(p.model) AS model, min(p.id) AS example, count(*)::int AS printers,
           count(*) FILTER (WHERE p.verdict = 'compatible')::int AS compatible,
           count(*) FILTER (WHERE p.verdict = 'incompatible')::int AS incompatible,
           count(*) FILTER (WHERE p.verdict = 'unknown')::int AS unknown,
           count(*) FILTER (WHERE p.verdict IS NULL)::int AS none
         FROM printers p WHERE ${conditions.join(' AND ')} GROUP BY p.configuration ${beyond}
         ORDER BY -count(*), p.configuration LIMIT ${page.limit + 1}`,
        values,
      ),
    );
    const shown = rows.slice(0, page.limit);
    const last = shown.at(-1);
    return {
      items: shown.map(({ configuration, model, example, printers, ...verdicts }) => ({
        configuration,
        printers,
        ...(model === null ? {} : { model }),
        example,
        verdict: Object.fromEntries(Object.entries(verdicts).filter(([, count]) => count > 0)),
      })),
      ...(rows.length > page.limit && last
        ? { next: cursorOf('configurations', [last.printers, last.configuration]) }
        : {}),
    };
  }

  /** Names the configurations of structures that were stored before configurations had names. */
  async #fillConfigurations(): Promise<void> {
    const most = CENTER_LIMITS.verdict_page_printers;
    for (;;) {
      const rows = await this.#database.query<{ printer: string; document: Structure }>(
        `SELECT s.printer, s.document FROM printers p JOIN structures s ON s.printer = p.id
         WHERE p.configuration IS NULL AND p.model IS NOT NULL LIMIT $1`,
        [most],
      );
      await this.#database.query(
        `UPDATE printers p SET configuration = g.configuration
         FROM unnest($1::text[], $2::text[]) AS g (printer, configuration)
         WHERE p.id = g.printer AND p.configuration IS NULL`,
        [rows.map(({ printer }) => printer), rows.map(({ document }) => configurationOf(document))],
      );
      if (rows.length < most) return;
    }
  }
}
