/** Verdicts in Postgres, and the structures that are to be judged. */
import { IMPACT_EXAMPLES_MAX } from '../../compatibility/index.ts';
import type { Structure, Verdict } from '../../schemas/types.ts';
import type { Database } from '../database/database.ts';
import type { VerdictResult } from '../ingest/printer-states.ts';
import type { PrinterWriter } from '../ingest/printer-writer.ts';
import { storableText } from '../ingest/storable.ts';
import type { VerdictStore } from './verdicts.ts';

/** A structure with those who have it. */
export interface FleetStructure {
  /** Where it stands among all, for the page after. */
  place: string;
  structure: Structure;
  printers: number;
  /** Some of them, the first by id. */
  examples: string[];
}

/** Before the ids of printers whose configuration has no name; sorts behind all names. */
const UNNAMED = '~';

export class VerdictRows implements VerdictStore {
  readonly #database: Database;
  readonly #printers: PrinterWriter;

  constructor(database: Database, printers: PrinterWriter) {
    this.#database = database;
    this.#printers = printers;
  }

  putVerdict(printer: string, verdict: Verdict): Promise<VerdictResult> {
    return this.#printers.verdict(printer, verdict);
  }

  async currentStructure(printer: string): Promise<Structure | undefined> {
    const [row] = await this.#database.query<{ document: Structure }>(
      'SELECT document FROM structures WHERE printer = $1',
      [printer],
    );
    return row?.document;
  }

  async printerPage(after: string, limit: number): Promise<string[]> {
    const rows = await this.#database.query<{ id: string }>(
      'SELECT id FROM printers WHERE id > $1 ORDER BY id LIMIT $2',
      [after, limit],
    );
    return rows.map((row) => row.id);
  }

  unjudgedPage(
    catalog: string,
    after: string,
    limit: number,
  ): Promise<{ printer: string; structure: Structure }[]> {
    return this.#database.query<{ printer: string; structure: Structure }>(
      `SELECT s.printer, s.document AS structure FROM structures s LEFT JOIN verdicts v ON v.printer = s.printer
       WHERE s.printer > $2 AND (v.catalog IS DISTINCT FROM $1 OR v.session <> s.session OR v.revision <> s.revision)
       ORDER BY s.printer LIMIT $3`,
      [storableText(catalog), after, limit],
    );
  }

  /**
   * A page of structures of the printers that take part: one for all that are made of the same, and one each for
   * printers that were stored before configurations had names.
   * @param after `place` of the last one before
   */
  async structurePage(after: string, limit: number): Promise<FleetStructure[]> {
    const named = after.startsWith(UNNAMED)
      ? []
      : await this.#database.query<FleetStructure>(
          `SELECT c.configuration AS place, c.printers, s.document AS structure,
             ARRAY(SELECT p.id FROM printers p WHERE p.configuration = c.configuration AND p.standing = 'active'
                   ORDER BY p.id LIMIT $3) AS examples
           FROM (SELECT configuration, count(*)::int AS printers, min(id) AS example FROM printers
                 WHERE configuration > $1 AND standing = 'active'
                 GROUP BY configuration ORDER BY configuration LIMIT $2) c
           JOIN structures s ON s.printer = c.example ORDER BY c.configuration`,
          [after, limit, IMPACT_EXAMPLES_MAX],
        );
    if (named.length === limit) return named;
    const single = await this.#database.query<FleetStructure>(
      `SELECT '${UNNAMED}' || p.id AS place, 1 AS printers, s.document AS structure, ARRAY[p.id] AS examples
       FROM printers p JOIN structures s ON s.printer = p.id
       WHERE p.configuration IS NULL AND p.id > $1 AND p.standing = 'active' ORDER BY p.id LIMIT $2`,
      [after.startsWith(UNNAMED) ? after.slice(UNNAMED.length) : '', limit - named.length],
    );
    return [...named, ...single];
  }

  /** Remembers that what follows from a catalog waits for a person. */
  async holdCatalog(catalog: string, printers: number | undefined, most: number, at: Date): Promise<void> {
    await this.#database.query(
      `INSERT INTO catalog_holds (catalog, printers, most, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
      [storableText(catalog), printers ?? null, most, at],
    );
  }

  /** What follows from a catalog waits for nobody, whatever was said of it before. */
  async agreeToCatalog(catalog: string): Promise<void> {
    await this.#database.query('DELETE FROM catalog_holds WHERE catalog = $1', [storableText(catalog)]);
  }

  /** Name of the latest catalog that nobody has to agree to. */
  async lastAgreedCatalog(): Promise<string | undefined> {
    const [row] = await this.#database.query<{ name: string }>(
      `SELECT name FROM documents WHERE kind = 'catalog' AND name NOT IN (SELECT catalog FROM catalog_holds)
       ORDER BY number DESC LIMIT 1`,
    );
    return row?.name;
  }

  /** Whether what follows from a catalog waits for a person. */
  async isCatalogHeld(catalog: string): Promise<boolean> {
    const rows = await this.#database.query('SELECT 1 AS one FROM catalog_holds WHERE catalog = $1', [
      storableText(catalog),
    ]);
    return rows.length > 0;
  }
}
