/** Changes of troubles not written yet: those concluded by rules, and those added by operators and remedies. */
import type { TroubleChange } from './engine/engine.ts';
import type { Amendment } from './writer.ts';

/** What one transaction writes. */
export interface ChangesToWrite {
  changes: TroubleChange[];
  amendments: Amendment[];
}

export class PendingChanges {
  /** By trouble, the newest view: openings, endings and whatever else is awaited. */
  #urgent = new Map<string, TroubleChange>();
  /** By trouble: further evidence of open ones. */
  #evidence = new Map<string, TroubleChange>();
  #amendments: Amendment[] = [];

  /** @returns whether something is awaited */
  add(changes: readonly TroubleChange[]): boolean {
    let urgent = false;
    for (const change of changes) {
      const { id } = change.trouble;
      if (change.kind === 'evidence' && !this.#urgent.has(id)) {
        this.#evidence.set(id, change);
        continue;
      }
      this.#evidence.delete(id);
      this.#urgent.set(id, change);
      urgent = true;
    }
    return urgent;
  }

  amend(amendment: Amendment): void {
    this.#amendments.push(amendment);
  }

  /** Takes what is to be written; further evidence only with `evidence`. */
  take(evidence: boolean): ChangesToWrite {
    const changes = [...this.#urgent.values(), ...(evidence ? this.#evidence.values() : [])];
    const amendments = this.#amendments;
    this.#urgent = new Map();
    if (evidence) this.#evidence = new Map();
    this.#amendments = [];
    return { changes, amendments };
  }

  /** Puts back what could not be written, unless there is something newer. */
  putBack({ changes, amendments }: ChangesToWrite): void {
    for (const change of changes) {
      const { id } = change.trouble;
      if (!this.#urgent.has(id)) this.#urgent.set(id, change);
    }
    this.#amendments = [...amendments, ...this.#amendments];
  }

  /** Drops everything of a removed printer. */
  forget(printer: string): void {
    for (const changes of [this.#urgent, this.#evidence]) {
      for (const [id, { trouble }] of changes) if (trouble.scope.printer === printer) changes.delete(id);
    }
  }
}
