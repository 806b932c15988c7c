/** The rules of one document that compare cohorts: what each observes across the fleet, and the alarms it raised. */
import { CohortWatch } from './cohort.ts';
import type { CompiledRules } from './compile.ts';
import type { InRange, PrinterContext } from './context.ts';
import type { CompiledRule } from './rule.ts';
import type { PrinterState } from './state-codec.ts';
import { alarmsOf, type TroubleView } from './views.ts';

interface CohortRule {
  watch: CohortWatch;
  /** Alarms that were raised and not closed by an operator. */
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

  /** Event time has come to `now`. @returns the new alarms */
  advance(now: number): TroubleView[] {
    const raised: TroubleView[] = [];
    for (const [rule, { watch, alarms }] of this.#rules) {
      // No printer's log tells how far the others have come; the fleet's clock less `late` does.
      for (const alarm of alarmsOf(rule, watch.advance(now - rule.lateMs))) {
        alarms.push(alarm);
        raised.push(alarm);
      }
    }
    return raised;
  }

  /** An operator closed an alarm. @returns false when `id` is not a cohort rule */
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

  /** The printer is no member of any cohort any more. */
  forget(printer: string): void {
    for (const { watch } of this.#rules.values()) watch.forget(printer);
  }

  /** Ids of the alarms that were not closed. */
  openIds(): string[] {
    return [...this.#rules.values()].flatMap(({ alarms }) => alarms.map(({ id }) => id));
  }

  /** Every alarm of a log that has ended. */
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

  /** Restores exported state. State of rules that have changed since is left out. */
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
