/**
 * Stops in Postgres.
 */
import { randomUUID } from 'node:crypto';
import type { Cause } from '../cause.ts';
import { STOP_STRATA_MAX } from '../limits.ts';
import { type Query, queryIn, type UpdateDatabase } from '../orders/execution-store.ts';
import { lockDispatch } from './dispatch-load.ts';
import type { Stop } from './stops.ts';

/** A stop as operators see it. */
export interface StopView extends Omit<Stop, 'at'> {
  at: string;
  cause: Cause;
}

interface Row {
  id: string;
  kind: Stop['kind'];
  releases: string[];
  strata: string[] | null;
  campaign: string | null;
  cause: Cause;
  reason: string;
  stopped_by: string;
  at: Date;
}

const COLUMNS = 'id, kind, releases, strata, campaign, cause, reason, stopped_by, at';

function fromRow({ strata, campaign, stopped_by: by, at, ...row }: Row): Stop & { cause: Cause } {
  return {
    ...row,
    ...(strata === null ? {} : { strata }),
    ...(campaign === null ? {} : { campaign }),
    by,
    at: at.getTime(),
  };
}

export class StopStore {
  readonly #database: UpdateDatabase;

  constructor(database: UpdateDatabase) {
    this.#database = database;
  }

  /** Stops in force, oldest first. */
  async held(query: Query = queryIn(this.#database)): Promise<(Stop & { cause: Cause })[]> {
    const rows = await query<Row>(
      `SELECT ${COLUMNS} FROM release_stops WHERE lifted_at IS NULL ORDER BY at, id`,
    );
    return rows.map(fromRow);
  }

  /**
   * Stores a stop in the transaction that stops the campaign; a stop without releases is not stored. The transaction holds
   * the dispatch lock from here on, so orders created after it see the stop.
   */
  async add(query: Query, stop: Omit<Stop, 'id'> & { cause: Cause }): Promise<void> {
    if (stop.releases.length === 0) return;
    await lockDispatch(query);
    const strata = stop.strata && stop.strata.length <= STOP_STRATA_MAX ? stop.strata : null;
    await query(
      `INSERT INTO release_stops (id, kind, releases, strata, campaign, cause, reason, stopped_by, at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
      [
        randomUUID(),
        stop.kind,
        stop.releases,
        strata,
        stop.campaign ?? null,
        JSON.stringify(stop.cause),
        stop.reason,
        stop.by,
        new Date(stop.at),
      ],
    );
  }

  /**
   * Lifts the stops of a campaign, or of a release.
   * @returns the lifted stops
   */
  async lift(
    query: Query,
    which: { campaign: string } | { release: string },
    { by, reason, at }: { by: string; reason: string; at: number },
  ): Promise<(Stop & { cause: Cause })[]> {
    const rows = await query<Row>(
      `UPDATE release_stops SET lifted_at = $3, lifted_by = $4, lifted_reason = $5
       WHERE lifted_at IS NULL AND (campaign = $1 OR $2 = ANY(releases)) RETURNING ${COLUMNS}`,
      [
        'campaign' in which ? which.campaign : null,
        'release' in which ? which.release : null,
        new Date(at),
        by,
        reason,
      ],
    );
    return rows.map(fromRow);
  }

  /** Records when rules got their current meaning. */
  async noteRules(rules: readonly { rule: string; question: string }[], at: number): Promise<void> {
    await this.#database.query(
      `INSERT INTO rule_questions (rule, question, since)
       SELECT rule, question, $3 FROM unnest($1::text[], $2::text[]) AS n(rule, question) ON CONFLICT DO NOTHING`,
      [rules.map((each) => each.rule), rules.map((each) => each.question), new Date(at)],
    );
  }

  /** When the rule of a cause got its current meaning; undefined if unknown or not a rule. */
  async sinceOf(cause: Cause): Promise<number | undefined> {
    if (cause.kind !== 'rule') return undefined;
    const [row] = await this.#database.query<{ since: Date }>(
      'SELECT since FROM rule_questions WHERE rule = $1 AND question = $2',
      [cause.rule, cause.question],
    );
    return row?.since.getTime();
  }
}

/** Converts a stop for operators. */
export function stopView({ at, ...stop }: Stop & { cause: Cause }): StopView {
  return { ...stop, at: new Date(at).toISOString() };
}
