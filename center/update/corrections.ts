/**
 * Orders that follow from a verdict (claim 12): where versions don't fit and the remedy is software alone, the printer
 * gets an order for it; so it does where a spare that is in the printer is to be switched to (claim 16). A remedy that
 * needs hands (another unit) is told in the verdict and left to people.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { reasonOf } from '../../schemas/errors.ts';
import type { Structure, UpdateReport, Verdict } from '../../schemas/types.ts';
import type { OrderService } from './service.ts';

/** How long those that came wait for others: one question to the database is for all of them. */
const LOOK_PATIENCE_MS = 50;

/** What came from a printer that may have an order. */
interface Arrival {
  online: boolean;
  structures: Structure[];
}

export class Corrections {
  readonly #orders: OrderService;
  readonly #log: Logger;
  /** Work by printer, one after the other: a verdict must not overtake the structure it was made on. */
  readonly #chains = new Map<string, Promise<void>>();
  /** Printers of which it isn't known yet whether they have an order. In a storm nearly none of them has. */
  #arrivals = new Map<string, Arrival>();
  /** Ends when it is known of all that came until now; looks follow one another. */
  #looks: Promise<void> = Promise.resolve();

  constructor(orders: OrderService, log: Logger) {
    this.#orders = orders;
    this.#log = log;
  }

  #then(printer: string, what: string, work: () => Promise<unknown>): void {
    const before = this.#chains.get(printer) ?? Promise.resolve();
    this.#chain(
      printer,
      what,
      this.#looks.then(() => before),
      work,
    );
  }

  #chain(printer: string, what: string, before: Promise<unknown>, work: () => Promise<unknown>): void {
    const done = before
      .then(work)
      .catch((error: unknown) =>
        this.#log.error({ printer, what, reason: reasonOf(error) }, 'an order was not moved on'),
      )
      .then(() => {
        if (this.#chains.get(printer) === done) this.#chains.delete(printer);
      });
    this.#chains.set(printer, done);
  }

  onVerdict(printer: string, structure: Structure, verdict: Verdict): void {
    const { remedy } = verdict;
    if (verdict.status !== 'incompatible' || !remedy) return;
    if (remedy.structure.some(({ switchTo }) => switchTo === undefined)) return;
    this.#then(printer, 'verdict', async () => {
      const outcome = await this.#orders.orderFor(printer, structure, remedy);
      if (!outcome.ok && outcome.why !== 'busy') {
        this.#log.warn({ printer, why: outcome.why }, `${printer} gets no order: ${outcome.reason}`);
      }
    });
  }

  onStructure(printer: string, structure: Structure): void {
    this.#arrival(printer).structures.push(structure);
  }

  onUpdateReport(printer: string, report: UpdateReport): void {
    this.#then(printer, 'report', () => this.#orders.onUpdateReport(printer, report));
  }

  onPresence(printer: string, online: boolean): void {
    // Going changes nothing: an order waits for progress, however it is missing.
    if (online) this.#arrival(printer).online = true;
  }

  #arrival(printer: string): Arrival {
    let arrival = this.#arrivals.get(printer);
    if (!arrival) {
      if (this.#arrivals.size === 0) this.#looks = this.#looks.then(() => this.#look());
      arrival = { online: false, structures: [] };
      this.#arrivals.set(printer, arrival);
    }
    return arrival;
  }

  /** Finds out who of those that came has an order, and moves that on. */
  async #look(): Promise<void> {
    await sleep(LOOK_PATIENCE_MS);
    const arrivals = this.#arrivals;
    this.#arrivals = new Map();
    let busy: Set<string>;
    try {
      busy = await this.#orders.store.printersBusy([...arrivals.keys()]);
    } catch (error) {
      this.#log.error({ printers: arrivals.size, reason: reasonOf(error) }, 'orders were not moved on');
      return;
    }
    for (const [printer, { online, structures }] of arrivals) {
      if (!busy.has(printer)) continue;
      const then = (what: string, work: () => Promise<unknown>) =>
        this.#chain(printer, what, this.#chains.get(printer) ?? Promise.resolve(), work);
      if (online) then('presence', () => this.#orders.onPresence(printer, true));
      for (const structure of structures) {
        then('structure', () => this.#orders.onStructure(printer, structure));
      }
    }
  }

  start(): Promise<void> {
    return this.#orders.start();
  }

  async stop(): Promise<void> {
    await this.#looks;
    await Promise.all(this.#chains.values());
    await this.#orders.stop();
  }
}
