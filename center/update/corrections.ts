/**
 * Orders that follow from a verdict (claim 12): where versions don't fit and the remedy is software alone, the printer
 * gets an order for it; so it does where a spare that is in the printer is to be switched to (claim 16). A remedy that
 * needs hands (another unit) is told in the verdict and left to people.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { reasonOf } from '../../schemas/errors.ts';
import type { Structure, UpdateReport, Verdict } from '../../schemas/types.ts';
import type { OrderService } from './orders/order-service.ts';

/** How long those that came wait for others: one question to the database is for all of them. */
const LOOK_PATIENCE_MS = 50;

/** What came from a printer. */
interface Task {
  what: string;
  work: () => Promise<unknown>;
  /** It moves an order on that is there; without one nothing is to be done. */
  forOrder: boolean;
}

export class Corrections {
  readonly #orders: OrderService;
  readonly #log: Logger;
  /** Work by printer, one after the other: a verdict must not overtake the structure it was made on. */
  readonly #chains = new Map<string, Promise<void>>();
  /**
   * What came, in its order, from printers of which it isn't known yet whether they have an order. In a storm nearly
   * none of them has.
   */
  #arrivals = new Map<string, Task[]>();
  /** Those of them that the database is being asked about. */
  #asked = new Map<string, Task[]>();
  /** Ends when it is known of all that came until now; looks follow one another. */
  #looks: Promise<void> = Promise.resolve();

  constructor(orders: OrderService, log: Logger) {
    this.#orders = orders;
    this.#log = log;
  }

  /** Does something for a printer when all that came before it is done. */
  #then(printer: string, what: string, work: () => Promise<unknown>): void {
    const waiting = this.#arrivals.get(printer) ?? this.#asked.get(printer);
    if (waiting) waiting.push({ what, work, forOrder: false });
    else this.#chain(printer, what, work);
  }

  #chain(printer: string, what: string, work: () => Promise<unknown>): void {
    const before = this.#chains.get(printer) ?? Promise.resolve();
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
    this.#ifOrdered(printer, 'structure', () => this.#orders.onStructure(printer, structure));
  }

  onUpdateReport(printer: string, report: UpdateReport): void {
    this.#then(printer, 'report', () => this.#orders.onUpdateReport(printer, report));
  }

  onPresence(printer: string, online: boolean): void {
    // Going changes nothing: an order waits for progress, however it is missing.
    if (online) this.#ifOrdered(printer, 'presence', () => this.#orders.onPresence(printer, true));
  }

  /** The same as `#then`, for what concerns only a printer that has an order. */
  #ifOrdered(printer: string, what: string, work: () => Promise<unknown>): void {
    const task = { what, work, forOrder: true };
    const waiting = this.#arrivals.get(printer);
    if (waiting) {
      waiting.push(task);
      return;
    }
    if (this.#arrivals.size === 0) this.#looks = this.#looks.then(() => this.#look());
    this.#arrivals.set(printer, [task]);
  }

  /** Finds out who of those that came has an order, and moves that on. */
  async #look(): Promise<void> {
    await sleep(LOOK_PATIENCE_MS);
    const asked = this.#arrivals;
    this.#asked = asked;
    this.#arrivals = new Map();
    let ordered = new Set<string>();
    try {
      ordered = await this.#orders.store.printersBusy([...asked.keys()]);
    } catch (error) {
      this.#log.error({ printers: asked.size, reason: reasonOf(error) }, 'orders were not moved on');
    }
    this.#asked = new Map();
    for (const [printer, tasks] of asked) {
      const has = ordered.has(printer);
      for (const { what, work, forOrder } of tasks) if (has || !forOrder) this.#chain(printer, what, work);
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
