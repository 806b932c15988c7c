/**
 * Keeps, for the campaigns that run, which of their printers have the release and which have shown which code, so that
 * a log entry costs a look-up in memory and only a first event of a code touches the database.
 */
import type { LogEntry } from '../../../schemas/types.ts';
import { CAMPAIGN_CODES_MAX } from '../limits.ts';
import type { UpdateDatabase } from '../orders/execution-store.ts';

/** A printer's first event of a code, with the printers at risk at that moment. */
export interface Sighting {
  printer: string;
  code: string;
  runsIt: boolean;
  withIt: number;
  without: number;
}

interface Watched {
  /** Printer to whether it has the release. */
  printers: Map<string, boolean>;
  exposed: number;
  /** Code to the printers that have shown it; and how many of them have the release. */
  codes: Map<string, { seen: Set<string>; exposed: number }>;
  waiting: Sighting[];
}

export class CohortWatch {
  readonly #campaigns = new Map<string, Watched>();
  /** Printer to the campaigns that watch it. */
  readonly #of = new Map<string, Set<string>>();

  /** Begins to watch a campaign, from what is stored of it. */
  async load(id: string, database: UpdateDatabase): Promise<void> {
    this.forget(id);
    const printers = await database.query<{ printer: string; exposed: boolean }>(
      'SELECT printer, exposure IS NOT NULL AS exposed FROM campaign_targets WHERE campaign = $1',
      [id],
    );
    const watched: Watched = { printers: new Map(), exposed: 0, codes: new Map(), waiting: [] };
    this.#campaigns.set(id, watched);
    this.add(
      id,
      printers.map((row) => row.printer),
    );
    for (const { printer, exposed } of printers) if (exposed) this.expose(id, printer);
    const events = await database.query<{ code: string; printer: string }>(
      'SELECT code, printer FROM campaign_events WHERE campaign = $1',
      [id],
    );
    for (const { code, printer } of events) this.#seen(watched, code, printer);
  }

  add(id: string, printers: readonly string[]): void {
    const watched = this.#campaigns.get(id);
    if (!watched) return;
    for (const printer of printers) {
      if (watched.printers.has(printer)) continue;
      watched.printers.set(printer, false);
      const of = this.#of.get(printer);
      if (of) of.add(id);
      else this.#of.set(printer, new Set([id]));
    }
  }

  forget(id: string): void {
    for (const printer of this.#campaigns.get(id)?.printers.keys() ?? []) {
      const of = this.#of.get(printer);
      of?.delete(id);
      if (of?.size === 0) this.#of.delete(printer);
    }
    this.#campaigns.delete(id);
  }

  /** The printer has begun to install the release. */
  expose(id: string, printer: string): void {
    const watched = this.#campaigns.get(id);
    if (watched?.printers.get(printer) !== false) return;
    watched.printers.set(printer, true);
    watched.exposed++;
    for (const code of watched.codes.values()) if (code.seen.has(printer)) code.exposed++;
  }

  #seen(watched: Watched, code: string, printer: string): Omit<Sighting, 'printer' | 'code'> | undefined {
    let known = watched.codes.get(code);
    if (!known) {
      if (watched.codes.size >= CAMPAIGN_CODES_MAX) return undefined;
      known = { seen: new Set(), exposed: 0 };
      watched.codes.set(code, known);
    }
    if (known.seen.has(printer)) return undefined;
    const runsIt = watched.printers.get(printer) === true;
    const withIt = watched.exposed - known.exposed;
    const without = watched.printers.size - watched.exposed - (known.seen.size - known.exposed);
    known.seen.add(printer);
    if (runsIt) known.exposed++;
    return { runsIt, withIt, without };
  }

  /** Takes note of log entries. @returns the campaigns for which there was something new */
  sight(printer: string, entries: readonly Pick<LogEntry, 'code'>[]): string[] {
    const found: string[] = [];
    for (const id of this.#of.get(printer) ?? []) {
      const watched = this.#campaigns.get(id);
      if (!watched) continue;
      const before = watched.waiting.length;
      for (const { code } of entries) {
        const first = this.#seen(watched, code, printer);
        if (first) watched.waiting.push({ printer, code, ...first });
      }
      if (watched.waiting.length > before) found.push(id);
    }
    return found;
  }

  /** What was sighted since it was asked last. */
  take(id: string): Sighting[] {
    return this.#campaigns.get(id)?.waiting.splice(0) ?? [];
  }
}
