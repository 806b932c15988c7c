/**
 * Limits the computing that one printer may cause. Choosing a remedy can take seconds, and a printer that keeps
 * reporting new structures could monopolise the event loop. After an expensive computation the printer waits until that
 * time is a small share of the time passed.
 */
import { CENTER_LIMITS } from '../limits.ts';

/** Above this many entries, printers that no longer have to wait are dropped. */
const WATCHED_MAX = 10_000;

export class ComputeShare {
  /** When each printer may cause computing again, in milliseconds of the clock passed to `took`. */
  readonly #until = new Map<string, number>();

  /** How long `printer` still has to wait, in milliseconds; 0 if it doesn't. */
  wait(printer: string, now_ms: number): number {
    return Math.max(0, (this.#until.get(printer) ?? 0) - now_ms);
  }

  /** Records a computation for `printer` that took `ms` and ended at `now_ms`. */
  took(printer: string, ms: number, now_ms: number): void {
    if (ms <= CENTER_LIMITS.printer_compute_ms_free) return;
    if (this.#until.size >= WATCHED_MAX) this.#forget(now_ms);
    this.#until.set(printer, now_ms + ms / CENTER_LIMITS.printer_compute_share_max);
  }

  #forget(now_ms: number): void {
    for (const [printer, until] of this.#until) if (until <= now_ms) this.#until.delete(printer);
  }
}
