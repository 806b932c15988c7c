/** SQL for the removal of printers: which rows are deleted, and which are kept under another name. */
import type { Client, Database } from '../database/database.ts';
import { removedName } from '../database/removed-printers.ts';

/** A printer that is being removed. */
export interface Removal {
  printer: string;
  at: Date;
}

/** Statements that delete a printer's current state; $1: its id. */
const DELETED = [
  'printer_troubles',
  'structures',
  'structure_history',
  'presence_history',
  'verdict_history',
  'installed_software',
  'printer_units',
  'verdicts',
  'trouble_states',
  'quarantine',
  'set_aside',
  'budget_starts',
  'presence_days',
  'reading_states',
]
  .map((table) => `DELETE FROM ${table} WHERE printer = $1`)
  .concat(
    // Exchanged supplies are history, which is renamed instead.
    'DELETE FROM supply_intervals WHERE printer = $1 AND until_at IS NULL',
    "DELETE FROM policies WHERE scope = 'printer' AND key = $1",
    "DELETE FROM credentials WHERE name = $1 AND role = 'printer'",
    'DELETE FROM printers WHERE id = $1',
  );

/** Statements that rename historic records, which retention deletes later; $1: the id, $2: the new name. */
const RENAMED = [
  'UPDATE log_streams SET printer = $2 WHERE printer = $1',
  'UPDATE troubles SET printer = $2 WHERE printer = $1',
  // Joined over the printer's orders, because there is no index by printer.
  `UPDATE update_reports r SET printer = $2 FROM executions e
   WHERE e.printer = $1 AND r.execution = e.id AND r.printer = $1`,
  `UPDATE executions SET printer = $2, publish_due = false WHERE printer = $1`,
  `UPDATE campaign_targets SET printer = $2,
     reason = CASE WHEN state = 'waiting' THEN 'removed' ELSE reason END,
     state  = CASE WHEN state = 'waiting' THEN 'excluded' ELSE state END
   WHERE printer = $1`,
  'UPDATE campaign_events SET printer = $2 WHERE printer = $1',
  'UPDATE campaign_compared SET printer = $2 WHERE printer = $1',
  'UPDATE readings SET printer = $2 WHERE printer = $1',
  'UPDATE printer_days SET printer = $2 WHERE printer = $1',
  'UPDATE supply_intervals SET printer = $2 WHERE printer = $1 AND until_at IS NOT NULL',
];

export class RemovalStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Marks printers as being removed, so that they take part in nothing. Marking twice changes nothing.
   */
  async begin(printers: readonly string[], at: Date): Promise<void> {
    await this.#database.query(
      `WITH marked AS (
         INSERT INTO removals (printer, at) SELECT id, $2 FROM unnest($1::text[]) AS u (id)
         ON CONFLICT DO NOTHING RETURNING printer)
       UPDATE printers SET standing = 'revoked', standing_at = $2, standing_reason = 'it is being removed'
       WHERE id IN (SELECT printer FROM marked)`,
      [printers, at],
    );
  }

  /** Printers whose removal has begun and not finished. */
  pending(): Promise<Removal[]> {
    return this.#database.query<{ printer: string; at: Date }>(
      'SELECT printer, at FROM removals ORDER BY at, printer',
    );
  }

  /** Deletes a printer's state and renames its records in one transaction. Idempotent. */
  async forget(client: Client, { printer, at }: Removal): Promise<void> {
    const name = removedName(printer, at);
    await client.query(
      `UPDATE troubles SET state = 'closed', closed_at = $2, updated_at = $2, publish_due = true,
         explanation = 'The printer was removed.'
       WHERE printer = $1 AND state IN ('open', 'escalated')`,
      [printer, at],
    );
    for (const text of RENAMED) await client.query(text, [printer, name]);
    for (const text of DELETED) await client.query(text, [printer]);
  }

  /** Ends removals: the ids are free. */
  async finish(removals: readonly Removal[]): Promise<void> {
    await this.#database.transaction(async (client) => {
      // A second time, for rows that were written in between.
      for (const removal of removals) await this.forget(client, removal);
      await client.query('DELETE FROM removals WHERE printer = ANY($1)', [
        removals.map(({ printer }) => printer),
      ]);
    });
  }
}
