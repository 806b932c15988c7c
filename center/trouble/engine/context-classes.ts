/** Finds the `ContextClass` that printers with equal structures share. */
import type { RuleIndex } from './compile.ts';
import { ContextClass, type InRange, type PrinterContext } from './context.ts';
import { SORTS_SWEEP_MIN } from './limits.ts';
import type { PrinterRecord } from './printer-record.ts';

export class ContextClasses {
  /** For printers whose structure is not known. */
  readonly unknown: ContextClass;
  readonly #index: RuleIndex;
  readonly #inRange: InRange;
  readonly #bySignature = new Map<string, ContextClass>();
  #sweepAt = SORTS_SWEEP_MIN;

  constructor(index: RuleIndex, inRange: InRange) {
    this.#index = index;
    this.#inRange = inRange;
    this.unknown = new ContextClass({ units: {}, software: [] }, index, inRange);
  }

  get size(): number {
    return this.#bySignature.size;
  }

  /** @param printers all printers; classes that none of them uses may be dropped */
  of(context: PrinterContext, printers: Iterable<PrinterRecord>): ContextClass {
    const signature = JSON.stringify(context);
    let shared = this.#bySignature.get(signature);
    if (!shared) {
      if (this.#bySignature.size >= this.#sweepAt) this.#sweep(printers);
      shared = new ContextClass(context, this.#index, this.#inRange);
      this.#bySignature.set(signature, shared);
    }
    return shared;
  }

  /** Printers decide what they report: one with a new structure each time must not fill the memory. */
  #sweep(printers: Iterable<PrinterRecord>): void {
    const used = new Set<ContextClass>();
    for (const { contexts } of printers) for (const { shared } of contexts) used.add(shared);
    for (const [signature, shared] of this.#bySignature) {
      if (!used.has(shared)) this.#bySignature.delete(signature);
    }
    this.#sweepAt = Math.max(SORTS_SWEEP_MIN, this.#bySignature.size * 2);
  }

  /** Another catalog may order versions differently. */
  forgetRanges(): void {
    for (const shared of this.#bySignature.values()) shared.forgetRanges();
  }
}
