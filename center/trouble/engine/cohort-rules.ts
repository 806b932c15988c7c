/** The cohort rules of one document: what each has observed across the fleet, and the alarms it raised. */
import { CohortWatch } from './cohort.ts';
import type { CompiledRules } from './compile.ts';
import type { InRange, PrinterContext } from './context.ts';
import type { CompiledRule } from './rule.ts';
import type { PrinterState } from './state-codec.ts';
import { alarmsOf, type TroubleView } from './views.ts';

interface CohortRule {
  watch: CohortWatch;
  /** Alarms not closed by an operator. */
  alarms: TroubleView[];
}

const fingerprintOf = (rule: CompiledRule): string => `${rule.id}:${rule.fingerprint}`;

export class CohortRules {
  readonly #rules = new Map<CompiledRule, CohortRule>();

  constructor({ rules }: CompiledRules, inRange: InRange) {
    for (const rule of rules) {
      if (rule.cohort) this.#rules.set(rule, { watch: new CohortWatch(rule.cohort, inRange), alarms: [] });
    }
  }

  get size(): number {
    return this.#rules.size;
  }

  /** A printer has this structure from `start` on. */
  member(printer: string, context: PrinterContext, start: number): void {
    for (const { watch } of this.#rules.values()) watch.member(printer, context, start);
  }

  /** An entry that passed the rule's `where`. */
  sight(rule: CompiledRule, printer: string, log: string, seq: number, code: string, at: number): void {
    this.#rules.get(rule)?.watch.sight(printer, log, seq, code, at);
  }

  /** Advances event time to `now`. @returns the new alarms */
  advance(now: number): TroubleView[] {
    const raised: TroubleView[] = [];
    for (const [rule, { watch, alarms }] of this.#rules) {
      // No single printer's log tells how far the others are, so the fleet's clock less `late` is used.
      for (const alarm of alarmsOf(rule, watch.advance(now - rule.lateMs))) {
        alarms.push(alarm);
        raised.push(alarm);
      }
    }
    return raised;
  }

  /** Closes an alarm for an operator. @returns false when `id` is not a cohort rule */
  close(id: string, key: string): boolean {
    for (const [rule, cohort] of this.#rules) {
      if (rule.id !== id) continue;
      const [release = '', code = ''] = key.split('\u001f');
      cohort.watch.close(release, code);
      cohort.alarms = cohort.alarms.filter((alarm) => alarm.key !== key);
      return true;
    }
    return false;
  }

  /** Removes the printer from all cohorts. */
  forget(printer: string): void {
    for (const { watch } of this.#rules.values()) watch.forget(printer);
  }

  /** Ids of the open alarms. */
  openIds(): string[] {
    return [...this.#rules.values()].flatMap(({ alarms }) => alarms.map(({ id }) => id));
  }

  /** All alarms, at the end of a log. */
  finish(): TroubleView[] {
    return [...this.#rules].flatMap(([rule, { watch }]) =>
      alarmsOf(rule, watch.advance(Number.POSITIVE_INFINITY)),
    );
  }

  export(): PrinterState['cohorts'] {
    return [...this.#rules].map(([rule, { watch, alarms }]) => ({
      fingerprint: fingerprintOf(rule),
      state: watch.export(),
      alarms,
    }));
  }

  /** Restores exported state, without the state of rules that have changed since. */
  import(states: PrinterState['cohorts']): void {
    for (const { fingerprint, state, alarms } of states ?? []) {
      for (const [rule, cohort] of this.#rules) {
        if (fingerprintOf(rule) !== fingerprint) continue;
        cohort.watch.import(state);
        cohort.alarms = alarms;
      }
    }
  }
}
