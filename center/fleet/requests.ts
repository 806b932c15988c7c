/**
 * Asks one or many printers to report now (claims 9 and 20).
 */
import { randomUUID } from 'node:crypto';
import { printerTopic } from '../../schemas/topics.ts';
import type { DownlinkRequest } from '../../schemas/types.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { Link } from '../link/link.ts';
import type { FleetFilter, FleetQueries } from '../queries.ts';
import { termsOf } from './fleet-queries.ts';

/** The reports that a printer can be asked for. */
export type ReportKind = 'structure' | 'errors' | 'readings';

const TOPICS: Record<ReportKind, (printer: string) => string> = {
  structure: printerTopic.requestStructure,
  errors: printerTopic.requestErrors,
  readings: printerTopic.requestReadings,
};

export class PrinterRequests {
  readonly #link: Link;
  readonly #fleet: FleetQueries;

  constructor(link: Link, fleet: FleetQueries) {
    this.#link = link;
    this.#fleet = fleet;
  }

  /** Asks one printer for a report. Returns the id that the report will carry. */
  async ask(printer: string, what: ReportKind, since?: { log: string; seq: number }): Promise<string> {
    const request: DownlinkRequest = { id: randomUUID(), ...(since ? { since } : {}) };
    await this.#link.publish(TOPICS[what](printer), JSON.stringify(request), { qos: 1, retain: false });
    return request.id;
  }

  /**
   * Calls a function for every printer of a filter, in pages: only active printers, unless the filter says otherwise.
   * @returns the number of printers
   */
  async forEach(filter: FleetFilter, action: (printer: string) => Promise<unknown>): Promise<number> {
    const standing = termsOf(filter).some(({ field }) => field === 'standing')
      ? {}
      : ({ standing: 'active' } as const);
    let count = 0;
    let cursor: string | undefined;
    do {
      const page = await this.#fleet.list(
        { ...standing, ...filter },
        { limit: CENTER_LIMITS.request_page_printers, cursor },
      );
      await Promise.all(page.items.map(({ printer }) => action(printer)));
      count += page.items.length;
      cursor = page.next;
    } while (cursor !== undefined);
    return count;
  }
}
