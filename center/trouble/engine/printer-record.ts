/** What the engine holds of one printer: its time, structures, page counter and lanes. */
import type { RuleGroup } from './compile.ts';
import type { ContextClass } from './context.ts';
import { SET_BACK_MIN_MS } from './limits.ts';
import { Odometer } from './odometer.ts';
import { PrinterLanes } from './printer-lanes.ts';
import type { ReadingMemory } from './reading-rules.ts';

/** Number of a printer's lanes at which to look for droppable ones the first time. */
const SWEEP_MIN = 16;

/** Shared by printers without keys: most are healthy. */
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
  /** Undefined while no rule looks at readings, or none came. */
  readings: ReadingMemory | undefined;
  /** Number of keys that its entries created, by group; for rules kept by printer it falls when keys are dropped. */
  private begun = NONE_BEGUN;
  /** Number of lanes at which to look for droppable ones. */
  sweepAt = SWEEP_MIN;

  constructor(id: string, usesPages: boolean, readingsMax: number) {
    this.id = id;
    this.odometer = usesPages ? new Odometer(readingsMax) : undefined;
  }

  /** Sets the structure in force from `start` on. The newest `max` are kept. */
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
    // Most entries are new, and most printers have one or two structures.
    let low = 0;
    let high = contexts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((contexts[middle] as { from: number }).from <= at) low = middle;
      else high = middle - 1;
    }
    return contexts[low]?.shared;
  }

  /** Whether the entry (log, seq) at `at` precedes or equals the newest seen. */
  behind(at: number, log: string, seq: number): boolean {
    return at < this.watermark || (at === this.watermark && (log !== this.newestLog || seq < this.newestSeq));
  }

  /** Whether an entry follows the newest of its log but is so much older that the clock must have been set back. */
  showsSetBack(log: string, seq: number, at: number): boolean {
    return at < this.watermark - SET_BACK_MIN_MS && log === this.newestLog && seq > this.newestSeq;
  }

  /** Advances the printer's time to an entry. */
  see(at: number, log: string, seq: number): void {
    if (at < this.watermark || (at === this.watermark && seq <= this.newestSeq)) return;
    this.watermark = at;
    this.newestLog = log;
    this.newestSeq = seq;
  }

  /** The time reached for a group of rules, ms. */
  newest({ time }: RuleGroup): number {
    if (time === 'entries') return this.watermark;
    const read = this.readings?.time ?? Number.NEGATIVE_INFINITY;
    return time === 'readings' ? read : Math.max(this.watermark, read);
  }

  /** How many keys its entries created for a group. */
  begunFor(group: number): number {
    return this.begun.get(group) ?? 0;
  }

  begin(group: number): void {
    if (this.begun === NONE_BEGUN) this.begun = new Map();
    this.begun.set(group, this.begunFor(group) + 1);
  }

  /** Recounts the keys of some groups. */
  recountBegun(of: (group: number) => boolean, groups: Iterable<number>): void {
    for (const group of this.begun.keys()) if (of(group)) this.begun.delete(group);
    for (const group of groups) this.begin(group);
  }

  /** Lanes were dropped: look again when there are twice as many. */
  swept(): void {
    this.sweepAt = Math.max(SWEEP_MIN, this.lanes.size * 2);
  }
}
