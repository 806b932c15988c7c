/** Labels that operators set; they override those that printers report. */
import { PlatenError } from '../../schemas/errors.ts';
import type { Database } from '../database/database.ts';
import { CENTER_LIMITS } from '../limits.ts';

export interface LabelChange {
  set: Readonly<Record<string, string>>;
  /** Names of set labels to remove; labels that the printer reports show again. */
  remove: readonly string[];
}

export class LabelRows {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Changes the set labels of all these printers or of none.
   * @returns the number of printers
   * @throws PlatenError request/conflict when a printer would have too many labels
   */
  async change(printers: readonly string[], { set, remove }: LabelChange): Promise<number> {
    const most = CENTER_LIMITS.labels_set_max;
    return this.#database.transaction(async (client) => {
      // Locked in the order of ids, so that two requests for the same printers don't deadlock.
      await client.query('SELECT 1 FROM printers WHERE id = ANY($1) ORDER BY id FOR UPDATE', [printers]);
      const { rows } = await client.query<{ id: string; labels: number }>(
        `WITH changed AS (
           SELECT p.id, (p.set_labels - $2::text[]) || $3::jsonb AS own,
             coalesce((SELECT s.document->'labels' FROM structures s WHERE s.printer = p.id)::jsonb, '{}') AS reported
           FROM printers p WHERE p.id = ANY($1))
         UPDATE printers p SET set_labels = c.own, labels = c.reported || c.own FROM changed c WHERE p.id = c.id
         RETURNING p.id, (SELECT count(*)::int FROM jsonb_object_keys(c.own)) AS labels`,
        [printers, remove, JSON.stringify(set)],
      );
      const crowded = rows.find(({ labels }) => labels > most);
      if (crowded) {
        throw new PlatenError('request/conflict', {
          reason: `${crowded.id} would have ${crowded.labels} labels that operators set, the limit is ${most}`,
        });
      }
      return rows.length;
    });
  }
}
