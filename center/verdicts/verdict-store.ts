/** Verdicts in Postgres, and the structures that are to be judged. */
import type { Structure, Verdict } from '../../schemas/types.ts';
import type { Database } from '../database/database.ts';
import type { VerdictResult } from '../ingest/printer-states.ts';
import type { PrinterWriter } from '../ingest/printer-writer.ts';
import { storableText } from '../ingest/storable.ts';
import type { VerdictStore } from './verdicts.ts';

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

  /** Current structures of printers that take part, in the order of their printers' ids, after `after`. */
  async structurePage(after: string, limit: number): Promise<{ printer: string; structure: Structure }[]> {
    return this.#database.query<{ printer: string; structure: Structure }>(
      `SELECT s.printer, s.document AS structure FROM structures s JOIN printers p ON p.id = s.printer
       WHERE s.printer > $1 AND p.standing = 'active' ORDER BY s.printer LIMIT $2`,
      [after, limit],
    );
  }

  /** Remembers that what follows from a catalog waits for a person. */
  async holdCatalog(catalog: string, printers: number | undefined, most: number, at: Date): Promise<void> {
    await this.#database.query(
      `INSERT INTO catalog_holds (catalog, printers, most, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
      [storableText(catalog), printers ?? null, most, at],
    );
  }

  /** Whether what follows from a catalog waits for a person. */
  async isCatalogHeld(catalog: string): Promise<boolean> {
    const rows = await this.#database.query('SELECT 1 AS one FROM catalog_holds WHERE catalog = $1', [
      storableText(catalog),
    ]);
    return rows.length > 0;
  }
}
