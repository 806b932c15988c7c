/** The structures that one printer has had: the changes in each, and the whole document on request. */
import type { Structure, StructureHistoryItem } from '../../schemas/types.ts';
import type { Database } from '../database/database.ts';
import { cursorOf, keyOf } from '../database/page-cursor.ts';
import type { Page, PageRequest } from '../queries.ts';

interface Row {
  id: number;
  session: string;
  revision: number;
  at: Date;
  received: Date;
  changes: StructureHistoryItem['changes'];
  document: Structure | null;
}

/** A page of a printer's structures, newest first. Each differs from the one before it. */
export async function structurePage(
  database: Database,
  printer: string,
  { documents }: { documents: boolean },
  page: PageRequest,
): Promise<Page<StructureHistoryItem>> {
  const [before = null] = page.cursor === undefined ? [] : keyOf('structures', page.cursor, ['number']);
  // The current structure is in a table of its own until the next one replaces it.
  const rows = await database.query<Row>(
    `SELECT h.id, h.session, h.revision, h.at, h.received, h.changes,
            CASE WHEN $4 THEN coalesce(h.document, s.document) END AS document
     FROM structure_history h LEFT JOIN structures s ON $4 AND h.document IS NULL AND s.printer = h.printer
     WHERE h.printer = $1 AND ($3::int8 IS NULL OR h.id < $3) ORDER BY h.id DESC LIMIT $2`,
    [printer, page.limit + 1, before, documents],
  );
  const items = rows.slice(0, page.limit).map((row) => ({
    session: row.session,
    revision: row.revision,
    at: row.at.toISOString(),
    received: row.received.toISOString(),
    changes: row.changes,
    ...(row.document ? { structure: row.document } : {}),
  }));
  const last = rows[page.limit - 1];
  return { items, ...(rows.length > page.limit && last ? { next: cursorOf('structures', [last.id]) } : {}) };
}
