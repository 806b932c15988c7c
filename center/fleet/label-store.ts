/** Labels that operators set over those that printers report. */
import { PlatenError } from '../../schemas/errors.ts';
import type { Database } from '../database/database.ts';
import { CENTER_LIMITS } from '../limits.ts';

export interface LabelChange {
  set: Readonly<Record<string, string>>;
  /** Names whose set labels go; what the printer itself reports shows again. */
  remove: readonly string[];
}

export class LabelRows {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Changes the set labels of printers, of all or of none.
   * @returns how many there were
   * @throws PlatenError request/conflict when one would have too many
   */
  async change(printers: readonly string[], { set, remove }: LabelChange): Promise<number> {
    const most = CENTER_LIMITS.labels_set_max;
    return this.#database.transaction(async (client) => {
      // In the order of their ids, so that two who label the same printers don't wait for each other.
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
