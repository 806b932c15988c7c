/**
 * Settles lanes: what no late entry can change any more is fixed, troubles that ended for good are reported, and what
 * is idle is dropped.
 */
import type { CompiledRules } from './compile.ts';
import type { Lane } from './lane.ts';
import type { EngineLimits } from './limits.ts';
import type { PrinterRecord } from './printer-record.ts';
import type { Teller } from './teller.ts';
import { type LaneTrouble, type TroubleView, viewOf } from './views.ts';

export class Settlement {
  /** Sightings that were settled before their time because too many waited. */
  hastened = 0;
  readonly #rules: CompiledRules;
  readonly #limits: EngineLimits;
  /** Undefined when troubles are reported at the end of a replay only. */
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

  /** @param horizon before it nothing can change any more; undefined when that is not known */
  settle(lane: Lane, horizon: number | undefined): void {
    let ended = horizon === undefined ? [] : lane.settle(horizon);
    if (lane.pending.length >= this.#limits.pendingMax) ended = ended.concat(this.#settleOlderHalf(lane));
    lane.settleAt = Math.max(this.#limits.settleMin, lane.pending.length * 2);
    this.#report(lane, ended);
  }

  /** Settles the older half of what waits in a lane, though late entries could still change it. */
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

  /** Reports troubles of a lane that ended for good, before the lane forgets them. */
  #report(lane: Lane, ended: LaneTrouble[]): void {
    if (ended.length === 0) return;
    if (this.#teller) this.#teller.tellLane(lane, ended);
    else for (const trouble of ended) this.#onEnded(viewOf(trouble));
  }

  /** Settles all lanes of a printer, and drops those that cannot matter any more. */
  sweep(printer: PrinterRecord): void {
    printer.lanes.sweep((lane) => {
      const horizon = printer.newest(lane.group) - lane.group.lateMs;
      if (lane.pending.length > 0) this.settle(lane, horizon);
      const { passed } = lane;
      this.#report(lane, lane.rest(horizon));
      // The printer's time may be ahead of the time that was reported: what was settled must be reported with it.
      if (this.#teller && lane.passed > passed) this.#teller.tellLane(lane);
      return lane.idle(horizon) && !lane.touched;
    });
    printer.swept();
    printer.odometer?.forget(printer.watermark - this.#rules.lateMaxMs - this.#rules.pagesMaxMs);
  }
}
