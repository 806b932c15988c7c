/** What is still to be written of troubles: changes that rules concluded, and what people and remedies added. */
import type { TroubleChange } from './engine/engine.ts';
import type { Amendment } from './writer.ts';

/** What one transaction writes. */
export interface ChangesToWrite {
  changes: TroubleChange[];
  amendments: Amendment[];
}

export class PendingChanges {
  /** By trouble, the newest view: openings, endings and whatever else somebody waits for. */
  #urgent = new Map<string, TroubleChange>();
  /** By trouble: further evidence of what is open. */
  #evidence = new Map<string, TroubleChange>();
  #amendments: Amendment[] = [];

  /** @returns whether there is something that somebody waits for */
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

  /** Takes what is to be written, further evidence only when asked for it. */
  take(evidence: boolean): ChangesToWrite {
    const changes = [...this.#urgent.values(), ...(evidence ? this.#evidence.values() : [])];
    const amendments = this.#amendments;
    this.#urgent = new Map();
    if (evidence) this.#evidence = new Map();
    this.#amendments = [];
    return { changes, amendments };
  }

  /** Nothing was written: everything stays to be written, unless there is something newer. */
  putBack({ changes, amendments }: ChangesToWrite): void {
    for (const change of changes) {
      const { id } = change.trouble;
      if (!this.#urgent.has(id)) this.#urgent.set(id, change);
    }
    this.#amendments = [...amendments, ...this.#amendments];
  }

  /** The printer was removed: nothing of it is written any more. */
  forget(printer: string): void {
    for (const changes of [this.#urgent, this.#evidence]) {
      for (const [id, { trouble }] of changes) if (trouble.scope.printer === printer) changes.delete(id);
    }
  }
}
