/**
 * How much computing one printer may cause. Choosing a remedy can take seconds, and whoever reports another structure
 * each time could have the event loop for itself: after something dear, nothing more is computed for that printer
 * until the time it took is a small share of what has passed.
 */
import { CENTER_LIMITS } from '../limits.ts';

/** Printers are forgotten, once they may go on, when this many are watched. */
const WATCHED_MAX = 10_000;

export class ComputeShare {
  /** When each printer may cause computing again, in milliseconds of the clock that `took` is given. */
  readonly #until = new Map<string, number>();

  /** How long `printer` has to wait still, in milliseconds; 0 when it need not. */
  wait(printer: string, now_ms: number): number {
    return Math.max(0, (this.#until.get(printer) ?? 0) - now_ms);
  }

  /** Something was computed for `printer` that took `ms` and ended at `now_ms`. */
  took(printer: string, ms: number, now_ms: number): void {
    if (ms <= CENTER_LIMITS.printer_compute_ms_free) return;
    if (this.#until.size >= WATCHED_MAX) this.#forget(now_ms);
    this.#until.set(printer, now_ms + ms / CENTER_LIMITS.printer_compute_share_max);
  }

  #forget(now_ms: number): void {
    for (const [printer, until] of this.#until) if (until <= now_ms) this.#until.delete(printer);
  }
}
