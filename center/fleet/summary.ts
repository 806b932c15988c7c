/**
 * `platen/v1/fleet/summary`: counts over the fleet, retained, published at most once a second and less often when
 * counting is slow, so that counting a large fleet takes only a small share of the database.
 */
import type { Logger } from 'pino';
import { reasonOf } from '../../schemas/errors.ts';
import { fleetTopic } from '../../schemas/topics.ts';
import type { FleetSummary } from '../../schemas/types.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { Link } from '../link/link.ts';
import type { Troubles } from '../trouble/troubles.ts';
import type { Campaigns } from '../update/campaigns/campaigns.ts';
import type { FleetEvents } from './events.ts';
import type { Printers } from './printer-store.ts';

/** Largest share of the time that counting may take. */
const COUNTING_SHARE_MAX = 0.05;

export interface SummarySources {
  store: { printers: Pick<Printers, 'counts'> };
  troubles: Pick<Troubles, 'countOpen'>;
  campaigns: Pick<Campaigns, 'running'>;
  events: Pick<FleetEvents, 'touch'>;
  link: Pick<Link, 'publish'>;
  log: Logger;
  /** Milliseconds since the epoch. */
  now(): number;
}

export class Summary {
  readonly #sources: SummarySources;
  #timer: NodeJS.Timeout | undefined;
  #last = '';
  #dirty = false;
  /** Number of changes since the start. */
  #changes = 0;
  /** The last counts, and the number of changes before they were counted. */
  #counted: { summary: FleetSummary; changes: number; at: number } | undefined;
  #renewing = false;
  #stopped = false;

  /** Marks the summary as changed on every fleet event, because each changes some count. */
  constructor(sources: SummarySources) {
    this.#sources = sources;
    sources.events.touch(() => this.touch());
  }

  async #count(): Promise<Omit<FleetSummary, 'at'>> {
    const { store, troubles, campaigns } = this.#sources;
    return {
      ...(await store.printers.counts()),
      troubles: { open: await troubles.countOpen() },
      campaigns: { running: await campaigns.running() },
    };
  }

  /**
   * The summary of the fleet, counted again if something has changed since. Changes made by other processes are not
   * seen here, so counts older than a second are refreshed for the next caller, and counts older than some seconds are
   * not returned at all.
   */
  async current(): Promise<FleetSummary> {
    const { summary_kept_ms_max, summary_interval_ms_min } = CENTER_LIMITS;
    const kept = this.#counted;
    const age_ms = kept ? performance.now() - kept.at : Number.POSITIVE_INFINITY;
    if (!kept || kept.changes !== this.#changes || age_ms > summary_kept_ms_max) return this.#countNow();
    if (age_ms > summary_interval_ms_min && !this.#renewing) {
      this.#renewing = true;
      this.#countNow()
        .catch((error: unknown) =>
          this.#sources.log.warn({ reason: reasonOf(error) }, 'the summary was not counted anew'),
        )
        .finally(() => {
          this.#renewing = false;
        });
    }
    return kept.summary;
  }

  async #countNow(): Promise<FleetSummary> {
    const changes = this.#changes;
    const at = performance.now();
    const summary = { at: new Date(this.#sources.now()).toISOString(), ...(await this.#count()) };
    this.#counted = { summary, changes, at };
    return summary;
  }

  /** Schedules a new count and its publication after a change. */
  touch(): void {
    this.#changes += 1;
    this.#dirty = true;
    if (this.#timer || this.#stopped) return;
    this.#timer = setTimeout(() => void this.#refresh(), CENTER_LIMITS.summary_interval_ms_min);
    this.#timer.unref();
  }

  async #refresh(): Promise<void> {
    const started = performance.now();
    let pause_ms = 0;
    this.#dirty = false;
    try {
      const counts = await this.#count();
      const text = JSON.stringify(counts);
      if (text !== this.#last) {
        const summary: FleetSummary = { at: new Date(this.#sources.now()).toISOString(), ...counts };
        await this.#sources.link.publish(fleetTopic.summary, JSON.stringify(summary), {
          qos: 0,
          retain: true,
        });
        this.#last = text;
      }
      pause_ms = (performance.now() - started) / COUNTING_SHARE_MAX;
    } catch (error) {
      this.#sources.log.warn(
        { reason: reasonOf(error) },
        'the summary was not published; the next change tries again',
      );
    }
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#dirty) this.touch();
    }, pause_ms);
    this.#timer.unref();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }
}
