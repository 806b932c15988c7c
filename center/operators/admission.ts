/**
 * Limits requests by operator, so that no account, and no program running wild with one, starves the others.
 * Pure: time is passed in.
 */
import { PlatenError } from '../../schemas/errors.ts';
import type { Role } from '../../schemas/roles.ts';

export interface AdmissionLimits {
  under_way_max: number;
  under_way_operator_max: number;
  operator_per_second_max: number;
  operator_burst_max: number;
  /** Changes leave rows until retention deletes them. A viewer can change little but tokens. */
  changes_per_second_max: Record<Role, number>;
  changes_burst_max: Record<Role, number>;
}

/** A request, as admission sees it. */
export interface Entering {
  operator: string;
  role: Role;
  /** Its cost depends on its parameters. */
  heavy: boolean;
  /** It is recorded in the audit log when it succeeds. */
  changes: boolean;
}

interface Asker {
  underWay: number;
  /** A heavy request is under way. */
  heavy: boolean;
  /** Remaining tokens of the request bucket, which refills over time. */
  credit: number;
  /** The same for changes. */
  changesCredit: number;
  at_ms: number;
}

export class Admission {
  readonly #limits: AdmissionLimits;
  /** By name; bounded by the number of accounts, because only names with a role are admitted. */
  readonly #askers = new Map<string, Asker>();
  #underWay = 0;
  /** Requests answered with request/busy, by reason. */
  readonly refused = { all: 0, operator: 0, rate: 0, heavy: 0, changes: 0 };

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /**
   * Admits a request. The caller calls `done` exactly once when it ends.
   * @throws PlatenError request/busy
   */
  enter({ operator, role, heavy, changes }: Entering, now_ms: number): { done(): void } {
    const { under_way_max, under_way_operator_max } = this.#limits;
    const asker = this.#asker(operator, role, now_ms);
    if (asker.credit < 1) this.#refuse('rate');
    asker.credit -= 1;
    if (this.#underWay >= under_way_max) this.#refuse('all');
    if (asker.underWay >= under_way_operator_max) this.#refuse('operator');
    if (heavy && asker.heavy) this.#refuse('heavy');
    if (changes && asker.changesCredit < 1) this.#refuse('changes');
    if (changes) asker.changesCredit -= 1;
    this.#underWay += 1;
    asker.underWay += 1;
    asker.heavy ||= heavy;
    return {
      done: () => {
        this.#underWay -= 1;
        asker.underWay -= 1;
        if (heavy) asker.heavy = false;
      },
    };
  }

  #refuse(why: keyof Admission['refused']): never {
    this.refused[why] += 1;
    throw new PlatenError('request/busy');
  }

  #asker(operator: string, role: Role, now_ms: number): Asker {
    const { operator_per_second_max, operator_burst_max, ...changes } = this.#limits;
    const changesBurst = changes.changes_burst_max[role];
    let asker = this.#askers.get(operator);
    if (!asker) {
      asker = {
        underWay: 0,
        heavy: false,
        credit: operator_burst_max,
        changesCredit: changesBurst,
        at_ms: now_ms,
      };
      this.#askers.set(operator, asker);
    }
    const passed_s = Math.max(0, now_ms - asker.at_ms) / 1_000;
    asker.credit = Math.min(operator_burst_max, asker.credit + passed_s * operator_per_second_max);
    asker.changesCredit = Math.min(
      changesBurst,
      asker.changesCredit + passed_s * changes.changes_per_second_max[role],
    );
    asker.at_ms = now_ms;
    return asker;
  }
}
