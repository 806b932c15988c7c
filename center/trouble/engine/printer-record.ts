/** What the engine holds of one printer: how far its time has come, its structures, its page counter and its lanes. */
import type { RuleGroup } from './compile.ts';
import type { ContextClass } from './context.ts';
import { SET_BACK_MIN_MS } from './limits.ts';
import { Odometer } from './odometer.ts';
import { PrinterLanes } from './printer-lanes.ts';
import type { ReadingMemory } from './reading-rules.ts';

/** Lanes of one printer at which it is first looked whether some can be let go. */
const SWEEP_MIN = 16;

/** What printers share that began none: most are well. */
const NONE_BEGUN = new Map<number, number>();

export class PrinterRecord {
  readonly id: string;
  /** Newest event time seen, ms. */
  watermark = Number.NEGATIVE_INFINITY;
  newestLog = '';
  newestSeq = 0;
  /** Structures by the time from which they were in force, oldest first. */
  readonly contexts: { from: number; shared: ContextClass }[] = [];
  readonly odometer: Odometer | undefined;
  readonly lanes = new PrinterLanes();
  /** Missing while no rule looks at readings, or none came. */
  readings: ReadingMemory | undefined;
  /** Keys that its entries began, by group of rules; those of rules that are kept by printer are let go again. */
  private begun = NONE_BEGUN;
  /** Number of lanes at which it is worth looking for some to let go. */
  sweepAt = SWEEP_MIN;

  constructor(id: string, usesPages: boolean, readingsMax: number) {
    this.id = id;
    this.odometer = usesPages ? new Odometer(readingsMax) : undefined;
  }

  /** A structure is in force from `start` on. At most `max` are remembered, the newest. */
  addContext(shared: ContextClass, start: number, max: number): void {
    const { contexts } = this;
    const last = contexts.at(-1);
    if (last?.shared === shared && start >= last.from) return;
    let place = contexts.length;
    while (place > 0 && (contexts[place - 1]?.from ?? 0) > start) place -= 1;
    contexts.splice(place, 0, { from: start, shared });
    if (contexts.length > max) contexts.shift();
  }

  /** The structure in force at `at`; entries before the first one are judged by the first. */
  contextAt(at: number): ContextClass | undefined {
    const { contexts } = this;
    // Most entries are new, and most printers have one structure or two.
    let low = 0;
    let high = contexts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((contexts[middle] as { from: number }).from <= at) low = middle;
      else high = middle - 1;
    }
    return contexts[low]?.shared;
  }

  /** Whether the entry (log, seq) at `at` does not come after all that was seen so far. */
  behind(at: number, log: string, seq: number): boolean {
    return at < this.watermark || (at === this.watermark && (log !== this.newestLog || seq < this.newestSeq));
  }

  /** Whether an entry follows the newest in its log, but lies so long before it that the clock must have been set back. */
  showsSetBack(log: string, seq: number, at: number): boolean {
    return at < this.watermark - SET_BACK_MIN_MS && log === this.newestLog && seq > this.newestSeq;
  }

  /** Takes an entry's time in. */
  see(at: number, log: string, seq: number): void {
    if (at < this.watermark || (at === this.watermark && seq <= this.newestSeq)) return;
    this.watermark = at;
    this.newestLog = log;
    this.newestSeq = seq;
  }

  /** How far time has come for a group of rules, ms. */
  newest({ time }: RuleGroup): number {
    if (time === 'entries') return this.watermark;
    const read = this.readings?.time ?? Number.NEGATIVE_INFINITY;
    return time === 'readings' ? read : Math.max(this.watermark, read);
  }

  /** How many keys its entries began for a group of rules. */
  begunFor(group: number): number {
    return this.begun.get(group) ?? 0;
  }

  begin(group: number): void {
    if (this.begun === NONE_BEGUN) this.begun = new Map();
    this.begun.set(group, this.begunFor(group) + 1);
  }

  /** Counts the keys of some groups anew. */
  recountBegun(of: (group: number) => boolean, groups: Iterable<number>): void {
    for (const group of this.begun.keys()) if (of(group)) this.begun.delete(group);
    for (const group of groups) this.begin(group);
  }

  /** Lanes were let go: it is worth looking again when there are twice as many. */
  swept(): void {
    this.sweepAt = Math.max(SWEEP_MIN, this.lanes.size * 2);
  }
}
