/**
 * Who takes part in updates: printers that were set aside and are let in again.
 */
import { PlatenError } from '../../schemas/errors.ts';
import type { TroubleQueries } from '../queries.ts';
import type { OrderService } from '../update/orders/order-service.ts';

export interface AttendanceSources {
  orders: Pick<OrderService, 'store'>;
  troubles: Pick<TroubleQueries, 'close'>;
  /** Judges a printer anew: what it may have now follows from its verdict. */
  rejudge(printer: string): void;
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
   * Lets a printer have orders again, and closes the troubles that told that it was set aside.
   * @throws PlatenError request/conflict when it is not set aside
   */
  async readmit(printer: string, reason: string, by: string): Promise<SetAsideView[]> {
    const { orders, troubles, rejudge, now } = this.#sources;
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
    rejudge(printer);
    return lifted.map(({ software, release, reason: why, at }) => ({ software, release, reason: why, at }));
  }
}
