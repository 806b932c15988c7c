/**
 * Which printers take part in updates and counts: retiring and reinstating printers, and readmitting those that were
 * set aside.
 */
import { PlatenError } from '../../schemas/errors.ts';
import type { Conclusion } from '../conclusions.ts';
import type { FleetQueries, TroubleQueries } from '../queries.ts';
import type { Campaigns } from '../update/campaigns/campaigns.ts';
import type { Corrections } from '../update/corrections.ts';
import type { OrderService } from '../update/orders/order-service.ts';
import type { FleetEvents } from './events.ts';
import type { Printers } from './printer-store.ts';

export interface AttendanceSources {
  store: { printers: Pick<Printers, 'setStanding'> };
  events: Pick<FleetEvents, 'tell'>;
  orders: Pick<OrderService, 'store' | 'onLeft'>;
  campaigns: Pick<Campaigns, 'onLeft'>;
  troubles: Pick<TroubleQueries, 'close'>;
  corrections: Pick<Corrections, 'onVerdict'>;
  printers: Pick<FleetQueries, 'get'>;
  now(): number;
}

/** What a printer is set aside for; both '' when it is everything. */
export interface SetAsideView {
  software: string;
  release: string;
  reason: string;
  at: string;
  /** The trouble that reports it. */
  trouble?: string;
}

export class Attendance {
  readonly #sources: AttendanceSources;

  constructor(sources: AttendanceSources) {
    this.#sources = sources;
  }

  /** Handles a conclusion of another part. */
  hear(conclusion: Conclusion): void | Promise<void> {
    if (conclusion.kind === 'reachable') return this.reconsider(conclusion.printer);
  }

  /** What a printer is set aside for. */
  async setAside(printer: string): Promise<SetAsideView[]> {
    const list = await this.#sources.orders.store.admission.of(printer);
    return list.map(({ software, release, reason, at, trouble }) => ({
      software,
      release,
      reason,
      at,
      ...(trouble === null ? {} : { trouble }),
    }));
  }

  /**
   * Takes a printer out of the fleet: its order ends, and campaigns continue without it.
   * @param hears whether its agent is still connected
   */
  async left(printer: string, how: 'retired' | 'revoked', reason: string, hears: boolean): Promise<void> {
    const { orders, campaigns, events } = this.#sources;
    events.tell('presence', how, { printer });
    await orders.onLeft(printer, reason, hears);
    await campaigns.onLeft(printer, how);
  }

  /** @throws PlatenError request/not-found, request/conflict when its credentials were revoked */
  async retire(printer: string, reason: string | undefined): Promise<void> {
    const row = await this.#stand(printer, 'retired', reason);
    const because = reason === undefined ? '' : `: ${reason}`;
    await this.left(printer, 'retired', `it was retired${because}`, row.online);
  }

  /** @throws PlatenError request/not-found, request/conflict when its credentials were revoked */
  async takeBack(printer: string): Promise<void> {
    await this.#stand(printer, 'active');
    this.#sources.events.tell('presence', 'taken back', { printer });
    await this.reconsider(printer);
  }

  /** Called when a printer may have orders again: its verdict may now lead to one. */
  async reconsider(printer: string): Promise<void> {
    const { structure, verdictDocument } = (await this.#sources.printers.get(printer)) ?? {};
    if (structure && verdictDocument)
      this.#sources.corrections.onVerdict(printer, structure, verdictDocument);
  }

  async #stand(
    printer: string,
    standing: 'active' | 'retired',
    reason?: string,
  ): Promise<{ online: boolean }> {
    const { store, now } = this.#sources;
    const row = await store.printers.setStanding(printer, standing, new Date(now()), reason);
    if (!row) throw new PlatenError('request/not-found', { kind: 'printer', id: printer });
    if (row.standing === 'revoked') {
      throw new PlatenError('request/conflict', {
        reason: `The credentials of ${printer} were revoked: enrol it again or remove it`,
      });
    }
    return row;
  }

  /**
   * Lets a printer have orders again, and closes the troubles that reported it set aside.
   * @throws PlatenError request/conflict when it is not set aside
   */
  async readmit(printer: string, reason: string, by: string): Promise<SetAsideView[]> {
    const { orders, troubles, now } = this.#sources;
    const lifted = await orders.store.admission.lift(printer, now());
    if (lifted.length === 0) {
      throw new PlatenError('request/conflict', { reason: `${printer} is not set aside` });
    }
    for (const { trouble } of lifted) {
      if (trouble === null) continue;
      try {
        await troubles.close(trouble, reason, by);
      } catch (error) {
        // It was closed already, or retention has deleted it.
        if (!(error instanceof PlatenError)) throw error;
      }
    }
    await this.reconsider(printer);
    return lifted.map(({ software, release, reason: why, at }) => ({ software, release, reason: why, at }));
  }
}
