/**
 * Orders that follow from a verdict (claim 12): where versions don't fit and the remedy is software alone, the printer
 * gets an order for it; so it does where a spare that is in the printer is to be switched to (claim 16). A remedy that
 * needs hands (another unit) is told in the verdict and left to people.
 */
import type { Logger } from 'pino';
import { reasonOf } from '../../schemas/errors.ts';
import type { Structure, UpdateReport, Verdict } from '../../schemas/types.ts';
import type { OrderService } from './service.ts';

export class Corrections {
  readonly #orders: OrderService;
  readonly #log: Logger;
  /** Work by printer, one after the other: a verdict must not overtake the structure it was made on. */
  readonly #chains = new Map<string, Promise<void>>();

  constructor(orders: OrderService, log: Logger) {
    this.#orders = orders;
    this.#log = log;
  }

  #then(printer: string, what: string, work: () => Promise<unknown>): void {
    const done = (this.#chains.get(printer) ?? Promise.resolve())
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
    this.#then(printer, 'structure', () => this.#orders.onStructure(printer, structure));
  }

  onUpdateReport(printer: string, report: UpdateReport): void {
    this.#then(printer, 'report', () => this.#orders.onUpdateReport(printer, report));
  }

  onPresence(printer: string, online: boolean): void {
    this.#then(printer, 'presence', () => this.#orders.onPresence(printer, online));
  }

  start(): Promise<void> {
    return this.#orders.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#chains.values());
    await this.#orders.stop();
  }
}
