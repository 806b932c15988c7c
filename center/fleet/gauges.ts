/**
 * Fleet gauges to alert on: printers by presence and verdict, open troubles, orders under way, and the age of the
 * oldest waiting things. Counted on a scrape and cached, because a count costs the database as much as a summary.
 */
import type { Logger } from 'pino';
import { Gauge, type Registry } from 'prom-client';
import { reasonOf } from '../../schemas/errors.ts';
import type { FleetSummary } from '../../schemas/types.ts';
import type { Database } from '../database/database.ts';
import { CENTER_LIMITS } from '../limits.ts';

export interface FleetGaugesParts {
  registry: Registry;
  database: Database;
  summary: { current(): Promise<FleetSummary> };
  log: Logger;
  now(): number;
}

/** Counts by gauge and label. */
export interface FleetCounts {
  presence: Record<string, number>;
  verdict: Record<string, number>;
  troubles: Record<string, number>;
  snoozed: Record<string, number>;
  executions: Record<string, number>;
  waiting: Record<string, number>;
}

const SEVERITIES = ['critical', 'major', 'minor'];
/** Gauges exported at zero too, because an alert on a missing one never fires. */
const PRESENCES = ['online', 'offline'];
const VERDICTS = ['compatible', 'incompatible', 'unknown', 'none'];

function withZeros(names: readonly string[], counts: Record<string, number>): Record<string, number> {
  return { ...Object.fromEntries(names.map((name) => [name, 0])), ...counts };
}

/** Counts rows by one word of each. */
async function countBy(database: Database, sql: string): Promise<Record<string, number>> {
  const rows = await database.query<{ word: string; n: number }>(sql);
  return Object.fromEntries(rows.map(({ word, n }) => [word, n]));
}

export class FleetGauges {
  readonly #parts: FleetGaugesParts;
  #counts: Promise<FleetCounts | undefined> | undefined;
  #countedAt = Number.NEGATIVE_INFINITY;
  #took_ms = 0;

  constructor(parts: FleetGaugesParts) {
    this.#parts = parts;
    this.#gauge('platen_printers', 'Printers that take part, by presence.', 'presence');
    this.#gauge('platen_printers_verdict', 'Printers that take part, by their verdict.', 'verdict');
    this.#gauge('platen_troubles_open', 'Open troubles, by severity.', 'troubles', 'severity');
    this.#gauge(
      'platen_troubles_snoozed',
      'Open troubles of which nobody is to be notified for now, by severity; they are among the open ones.',
      'snoozed',
      'severity',
    );
    this.#gauge('platen_executions', 'Orders that have not ended, by state.', 'executions', 'state');
    this.#gauge(
      'platen_oldest_wait_seconds',
      'How long the oldest of these waits: an order without news, a proposed campaign for a person, an open trouble that is not snoozed.',
      'waiting',
      'what',
    );
  }

  #gauge(name: string, help: string, of: keyof FleetCounts, label: string = of): void {
    const read = () => this.#current();
    new Gauge({
      name,
      help,
      labelNames: [label],
      registers: [this.#parts.registry],
      async collect() {
        this.reset();
        const counts = await read();
        for (const [word, value] of Object.entries(counts?.[of] ?? {})) this.set({ [label]: word }, value);
      },
    });
  }

  /** Recent counts, or new ones; undefined while the database doesn't answer. */
  #current(): Promise<FleetCounts | undefined> {
    const now_ms = performance.now();
    const { gauges_kept_ms, gauges_share_max } = CENTER_LIMITS;
    const kept_ms = Math.max(gauges_kept_ms, this.#took_ms / gauges_share_max);
    if (!this.#counts || now_ms - this.#countedAt > kept_ms) {
      this.#countedAt = now_ms;
      this.#counts = this.count().then(
        (counts) => {
          this.#took_ms = performance.now() - now_ms;
          return counts;
        },
        (error: unknown) => {
          // The fleet gauges are then missing, which an alert can see; the other metrics are still served.
          this.#parts.log.warn({ reason: reasonOf(error) }, 'the fleet was not counted');
          return undefined;
        },
      );
    }
    return this.#counts;
  }

  async count(): Promise<FleetCounts> {
    const { database, summary, now } = this.#parts;
    const { presence, verdict } = await summary.current();
    const troubles = await countBy(
      database,
      `SELECT severity AS word, count(*)::int AS n FROM troubles WHERE state IN ('open', 'escalated') GROUP BY 1`,
    );
    const snoozed = await countBy(
      database,
      `SELECT severity AS word, count(*)::int AS n FROM troubles
       WHERE state IN ('open', 'escalated') AND snoozed IS NOT NULL GROUP BY 1`,
    );
    const executions = await countBy(
      database,
      'SELECT state AS word, count(*)::int AS n FROM executions WHERE ended_at IS NULL GROUP BY 1',
    );
    const oldest = await database.query<{ what: string; since: Date | null }>(
      `SELECT 'execution' AS what, min(updated_at) AS since FROM executions WHERE ended_at IS NULL
       UNION ALL SELECT 'campaign', min(created_at) FROM campaigns WHERE state = 'proposed'
       UNION ALL SELECT 'trouble', min(opened_at) FROM troubles
         WHERE state IN ('open', 'escalated') AND snoozed IS NULL`,
    );
    const waiting = oldest.map(({ what, since }) => [
      what,
      since === null ? 0 : Math.max(0, (now() - since.getTime()) / 1_000),
    ]);
    return {
      presence: withZeros(PRESENCES, presence),
      verdict: withZeros(VERDICTS, verdict),
      troubles: withZeros(SEVERITIES, troubles),
      snoozed: withZeros(SEVERITIES, snoozed),
      executions,
      waiting: Object.fromEntries(waiting) as Record<string, number>,
    };
  }
}
