/** Compares the store of a product that has been stopped with what it acknowledged. */
import { openStore } from '../../center/database/store.ts';

export interface Acknowledged {
  id: string;
  /** The last acknowledged entry; entries are numbered from 1. */
  last: number;
}

export interface StoredEntries {
  stored: number;
  /** Printers with a gap, a duplicate entry, or fewer entries than were acknowledged. */
  wrong: string[];
}

/** Reads the store of a data folder that no product uses. */
export async function storedEntries(data: string, printers: Acknowledged[]): Promise<StoredEntries> {
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const store = await openStore({ source: { dataFolder: data }, log });
  const rows = await store.database.query<{
    printer: string;
    n: number;
    d: number;
    low: number;
    high: number;
  }>(
    `SELECT printer, count(*) AS n, count(DISTINCT seq) AS d, min(seq) AS low, max(seq) AS high
     FROM error_entries GROUP BY 1`,
  );
  await store.close();
  const found = new Map(rows.map((row) => [row.printer, row]));
  const wrong = printers
    .filter(({ id, last }) => {
      const { n = 0, d = 0, low = 1, high = 0 } = found.get(id) ?? {};
      return d !== n || low !== 1 || high !== n || high < last;
    })
    .map(({ id, last }) => `${id}, acknowledged up to ${last}: ${JSON.stringify(found.get(id))}`);
  return { stored: rows.reduce((sum, { n }) => sum + n, 0), wrong };
}
