/**
 * Tracks the printers of campaigns whose error codes are watched: who has the release, who can log now, and who has shown
 * which code. A log entry costs a lookup in memory; only observations touch the database. The comparisons are in
 * ../../statistics/code-watch.ts.
 */
import type { LogEntry } from '../../../schemas/types.ts';
import { CodeWatch, type Observation } from '../../statistics/code-watch.ts';
import { CAMPAIGN_CODES_MAX, CODES_PAST_MS, CODES_SETTLE_MS } from '../limits.ts';
import type { UpdateDatabase } from '../orders/execution-store.ts';
import type { CampaignRecord } from './campaign-state.ts';
import { daysOf } from './presence-days.ts';
import { durationOr } from './targets.ts';

/** An observation of a printer, or a printer that has the release from now on. */
export type CampaignObservation = Observation | { kind: 'changed'; printer: string; paired: boolean };

interface Watched {
  watch: CodeWatch;
  createdAt: number;
  waiting: CampaignObservation[];
}

interface TargetRow {
  printer: string;
  model: string | null;
  site: string | null;
  online: boolean;
  day: number | null;
  days: number | null;
}

/** Whether watching has ended. It goes on after the campaign, because most printers get the release near its end. */
export function isOver(record: CampaignRecord, now: number): boolean {
  return record.state === 'aborted' || (record.state === 'finished' && (record.watchUntil ?? 0) <= now);
}

export class CampaignCodes {
  readonly #now: () => number;
  readonly #campaigns = new Map<string, Watched>();
  /** Campaigns that watch a printer, by printer. */
  readonly #of = new Map<string, Set<string>>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Ids of the watched campaigns. */
  get campaigns(): string[] {
    return [...this.#campaigns.keys()];
  }

  /** Starts to watch a campaign from its stored observations. */
  async load(id: string, database: UpdateDatabase): Promise<void> {
    this.forget(id);
    const [campaign] = await database.query<{ created_at: Date; settle: string | null }>(
      "SELECT created_at, request->'options'->>'settle' AS settle FROM campaigns WHERE id = $1",
      [id],
    );
    if (!campaign) return;
    const watch = new CodeWatch(CAMPAIGN_CODES_MAX, {
      settleMs: durationOr(campaign.settle ?? undefined, CODES_SETTLE_MS),
    });
    const watched: Watched = { watch, createdAt: campaign.created_at.getTime(), waiting: [] };
    this.#campaigns.set(id, watched);
    await this.#take(id, watched, database, undefined);
    await this.#past(id, watched, database, undefined, watched.createdAt);
    watch.pastEnds();
    const changes = await database.query<{ printer: string; runs_since: Date | null; ended: boolean }>(
      `SELECT printer, runs_since, state = 'ended' AS ended FROM campaign_targets
       WHERE campaign = $1 AND (exposure IS NOT NULL OR runs_since IS NOT NULL OR state = 'ended')
       ORDER BY exposure NULLS LAST, printer`,
      [id],
    );
    await this.#past(id, watched, database, watched.createdAt, this.#now());
    for (const { printer, runs_since, ended } of changes) {
      const at = runs_since?.getTime() ?? this.#now();
      watch.changing(printer, at);
      if (runs_since !== null || ended) watch.changed(printer, runs_since !== null, at);
    }
    for (const [table, what] of [
      ['campaign_events', 'seen'],
      ['campaign_compared', 'compared'],
    ] as const) {
      const rows = await database.query<{ code: string; printer: string }>(
        `SELECT code, printer FROM ${table} WHERE campaign = $1`,
        [id],
      );
      for (const { code, printer } of rows) watch.restore(printer, code, what);
    }
  }

  /** Adds printers that have joined. */
  async add(id: string, printers: readonly string[], database: UpdateDatabase): Promise<void> {
    const watched = this.#campaigns.get(id);
    if (!watched || printers.length === 0) return;
    await this.#take(id, watched, database, printers);
    await this.#past(id, watched, database, undefined, this.#now(), printers);
  }

  async #take(
    id: string,
    { watch }: Watched,
    database: UpdateDatabase,
    printers: readonly string[] | undefined,
  ): Promise<void> {
    // Excluded printers never get the release, so they are not comparable.
    const rows = await database.query<TargetRow>(
      `SELECT t.printer, p.model, p.site, p.online, d.day, d.days
       FROM campaign_targets t JOIN printers p ON p.id = t.printer LEFT JOIN presence_days d ON d.printer = t.printer
       WHERE t.campaign = $1 AND t.state <> 'excluded' AND ($2::text[] IS NULL OR t.printer = ANY($2))`,
      [id, printers ?? null],
    );
    watch.add(
      rows.map((row) => ({
        printer: row.printer,
        model: row.model ?? '',
        site: row.site ?? undefined,
        online: row.online,
        days: daysOf(row),
      })),
      this.#now(),
    );
    for (const { printer } of rows) {
      const of = this.#of.get(printer);
      if (of) of.add(id);
      else this.#of.set(printer, new Set([id]));
    }
  }

  /** Loads earlier log entries; events of one code within an hour count once. */
  async #past(
    id: string,
    { watch, createdAt }: Watched,
    database: UpdateDatabase,
    from: number | undefined,
    until: number,
    printers?: readonly string[],
  ): Promise<void> {
    const events = await database.query<{ printer: string; code: string; at: Date }>(
      `SELECT t.printer, e.code, min(e.at) AS at
       FROM campaign_targets t JOIN log_streams s ON s.printer = t.printer JOIN entries e ON e.stream = s.id
       WHERE t.campaign = $1 AND t.state <> 'excluded' AND ($2::text[] IS NULL OR t.printer = ANY($2))
         AND e.severity > 0 AND e.at >= $3 AND e.at < $4
       GROUP BY t.printer, e.code, date_trunc('hour', e.at) ORDER BY 3, 1, 2`,
      [id, printers ?? null, new Date(from ?? createdAt - CODES_PAST_MS), new Date(until)],
    );
    for (const { printer, code, at } of events) watch.past(printer, code, at.getTime());
  }

  forget(id: string): void {
    for (const printer of this.#campaigns.get(id)?.watch.printers ?? []) {
      const of = this.#of.get(printer);
      of?.delete(id);
      if (of?.size === 0) this.#of.delete(printer);
    }
    this.#campaigns.delete(id);
  }

  /** The printer was removed: no campaign watches it. */
  forgetPrinter(printer: string): void {
    for (const id of this.#of.get(printer) ?? []) {
      const watched = this.#campaigns.get(id);
      if (!watched) continue;
      watched.watch.forget(printer);
      watched.waiting = watched.waiting.filter((sighting) => sighting.printer !== printer);
    }
    this.#of.delete(printer);
  }

  /** The printer starts to install the release. */
  changing(id: string, printer: string): void {
    const watched = this.#campaigns.get(id);
    watched?.waiting.push(...watched.watch.changing(printer, this.#now()));
  }

  /** An order that had started to install ended: the printer has the release, or is no longer compared. */
  changed(id: string, printer: string, has: boolean): void {
    const watched = this.#campaigns.get(id);
    if (!watched) return;
    const paired = watched.watch.changed(printer, has, this.#now());
    if (has) watched.waiting.push({ kind: 'changed', printer, paired });
  }

  presence(printer: string, online: boolean): void {
    for (const id of this.#of.get(printer) ?? []) {
      this.#campaigns.get(id)?.watch.presence(printer, online, this.#now());
    }
  }

  /** Takes in log entries. @returns the campaigns with a new observation */
  sight(printer: string, entries: readonly Pick<LogEntry, 'code' | 'severity' | 'at'>[]): string[] {
    const found: string[] = [];
    const now = this.#now();
    for (const id of this.#of.get(printer) ?? []) {
      const watched = this.#campaigns.get(id);
      if (!watched) continue;
      const before = watched.waiting.length;
      for (const { code, severity, at: text } of entries) {
        if (severity === 'info') continue;
        // Entries from a clock that is ahead count as now.
        const at = Math.min(Date.parse(text), now);
        if (at < watched.createdAt) watched.watch.past(printer, code, at);
        else watched.waiting.push(...watched.watch.sight(printer, code, at));
      }
      if (watched.waiting.length > before) found.push(id);
    }
    return found;
  }

  /** Observations since the last call. */
  take(id: string): CampaignObservation[] {
    const watched = this.#campaigns.get(id);
    if (!watched) return [];
    return [...watched.waiting.splice(0), ...watched.watch.advance(this.#now())];
  }
}
