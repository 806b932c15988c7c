/**
 * Who takes part in updates and counts: printers that leave the fleet and come back, and those that were set aside and
 * are let in again.
 */
import { PlatenError } from '../../schemas/errors.ts';
import type { TroubleQueries } from '../queries.ts';
import type { OrderService } from '../update/orders/order-service.ts';
import type { Printers } from './printer-store.ts';

export interface AttendanceSources {
  orders: Pick<OrderService, 'store' | 'onLeft'>;
  printers: Pick<Printers, 'setStanding'>;
  campaigns: { onLeft(printer: string, reason: 'retired' | 'revoked'): Promise<void> };
  /** Tells what became of a printer; counts are made anew. */
  tell(what: string, printer: string): void;
  troubles: Pick<TroubleQueries, 'close'>;
  /** Lets what follows from a printer's verdict follow once more: it may have orders now. */
  reconsider(printer: string): Promise<void>;
  now(): number;
}

/** What a printer is set aside for; both '' when it is everything. */
export interface SetAsideView {
  software: string;
  release: string;
  reason: string;
  at: string;
  /** The trouble that tells of it. */
  trouble?: string;
}

export class Attendance {
  readonly #sources: AttendanceSources;

  constructor(sources: AttendanceSources) {
    this.#sources = sources;
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
   * A printer takes part no more: its order ends, and campaigns go on without it.
   * @param hears its agent still hears us
   */
  async left(printer: string, how: 'retired' | 'revoked', reason: string, hears: boolean): Promise<void> {
    const { orders, campaigns, tell } = this.#sources;
    tell(how, printer);
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
    this.#sources.tell('taken back', printer);
    await this.#sources.reconsider(printer);
  }

  /** Something that kept a printer from having orders has passed. */
  reconsider(printer: string): Promise<void> {
    return this.#sources.reconsider(printer);
  }

  async #stand(
    printer: string,
    standing: 'active' | 'retired',
    reason?: string,
  ): Promise<{ online: boolean }> {
    const { printers, now } = this.#sources;
    const row = await printers.setStanding(printer, standing, new Date(now()), reason);
    if (!row) throw new PlatenError('request/not-found', { kind: 'printer', id: printer });
    if (row.standing === 'revoked') {
      throw new PlatenError('request/conflict', {
        reason: `The credentials of ${printer} were revoked: enrol it again or remove it`,
      });
    }
    return row;
  }

  /**
   * Lets a printer have orders again, and closes the troubles that told that it was set aside.
   * @throws PlatenError request/conflict when it is not set aside
   */
  async readmit(printer: string, reason: string, by: string): Promise<SetAsideView[]> {
    const { orders, troubles, reconsider, now } = this.#sources;
    const lifted = await orders.store.admission.lift(printer, now());
    if (lifted.length === 0) {
      throw new PlatenError('request/conflict', { reason: `${printer} is not set aside` });
    }
    for (const { trouble } of lifted) {
      if (trouble === null) continue;
      try {
        await troubles.close(trouble, reason, by);
      } catch (error) {
        // Somebody closed it before, or it is beyond the retention.
        if (!(error instanceof PlatenError)) throw error;
      }
    }
    await reconsider(printer);
    return lifted.map(({ software, release, reason: why, at }) => ({ software, release, reason: why, at }));
  }
}
