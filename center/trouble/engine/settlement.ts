/**
 * Settles lanes: fixes what late entries can no longer change, reports troubles that became final, and drops idle
 * lanes.
 */
import type { CompiledRules } from './compile.ts';
import type { Lane } from './lane.ts';
import type { EngineLimits } from './limits.ts';
import type { PrinterRecord } from './printer-record.ts';
import type { Teller } from './teller.ts';
import { type LaneTrouble, type TroubleView, viewOf } from './views.ts';

export class Settlement {
  /** Sightings settled early because too many were pending. */
  hastened = 0;
  readonly #rules: CompiledRules;
  readonly #limits: EngineLimits;
  /** Undefined when troubles are reported only at the end of a replay. */
  readonly #teller: Teller | undefined;
  readonly #onEnded: (trouble: TroubleView) => void;

  constructor(
    rules: CompiledRules,
    limits: EngineLimits,
    teller: Teller | undefined,
    onEnded: (trouble: TroubleView) => void,
  ) {
    this.#rules = rules;
    this.#limits = limits;
    this.#teller = teller;
    this.#onEnded = onEnded;
  }

  /** @param horizon nothing before it can change; undefined when unknown */
  settle(lane: Lane, horizon: number | undefined): void {
    let ended = horizon === undefined ? [] : lane.settle(horizon);
    if (lane.pending.length >= this.#limits.pendingMax) ended = ended.concat(this.#settleOlderHalf(lane));
    lane.settleAt = Math.max(this.#limits.settleMin, lane.pending.length * 2);
    this.#report(lane, ended);
  }

  /** Settles the older half of a lane's pending sightings early, though late entries could still change it. */
  hasten(lane: Lane): void {
    this.#report(lane, this.#settleOlderHalf(lane));
  }

  #settleOlderHalf(lane: Lane): LaneTrouble[] {
    const before = lane.pending.length;
    const ended = lane.settleOlderHalf();
    this.hastened += before - lane.pending.length;
    return ended;
  }

  /** Settles a lane up to `horizon`, whatever its size. */
  settleBefore(lane: Lane, horizon: number): void {
    this.#report(lane, lane.settle(horizon));
  }

  /** Reports final troubles of a lane before the lane forgets them. */
  #report(lane: Lane, ended: LaneTrouble[]): void {
    if (ended.length === 0) return;
    if (this.#teller) this.#teller.tellLane(lane, ended);
    else for (const trouble of ended) this.#onEnded(viewOf(trouble));
  }

  /** Settles all lanes of a printer and drops those that no longer matter. */
  sweep(printer: PrinterRecord): void {
    printer.lanes.sweep((lane) => {
      const horizon = printer.newest(lane.group) - lane.group.lateMs;
      if (lane.pending.length > 0) this.settle(lane, horizon);
      const { passed } = lane;
      this.#report(lane, lane.rest(horizon));
      // The printer's time may be ahead of the reported time: what was settled must be reported now.
      if (this.#teller && lane.passed > passed) this.#teller.tellLane(lane);
      return lane.idle(horizon) && !lane.touched;
    });
    printer.swept();
    printer.odometer?.forget(printer.watermark - this.#rules.lateMaxMs - this.#rules.pagesMaxMs);
  }
}
