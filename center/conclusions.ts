/**
 * What follows from stored data, and which parts act on it: the only way in which the parts of the center reach each
 * other. Nothing here is durable. After a kill, conclusions are drawn again from the store.
 */
import type { Logger } from 'pino';
import { reasonOf } from '../schemas/errors.ts';
import type { LogEntry, Structure, UpdateReport, Verdict } from '../schemas/types.ts';
import type { ReadingSigns } from './readings/signs.ts';
import type { CompiledRule } from './trouble/engine/rule.ts';
import type { TroubleNews, TroubleRow } from './trouble/rows.ts';
import type { ExecutionRow } from './update/orders/execution-store.ts';

/** A verdict that was stored together with its structure, and the one it replaced. */
export interface Judged {
  verdict: Verdict;
  previous: Verdict | undefined;
}

export type Conclusion =
  /** A structure was stored. `judged`: together with its verdict, so it need not be judged. */
  | { kind: 'structure'; printer: string; structure: Structure; judged: Judged | undefined }
  /** New entries were stored. */
  | { kind: 'entries'; printer: string; log: string; entries: readonly LogEntry[] }
  /** A new reading was stored. */
  | { kind: 'reading'; printer: string; signs: ReadingSigns }
  /** A report about an order was stored. */
  | { kind: 'update-report'; printer: string; report: UpdateReport }
  /** A printer came or went. */
  | { kind: 'presence'; printer: string; online: boolean }
  /** The agent reaches its printer again. */
  | { kind: 'reachable'; printer: string }
  /** Printers were enrolled. */
  | { kind: 'enrolled'; printers: readonly string[] }
  /** Another catalog is in force. */
  | { kind: 'catalog' }
  /** A verdict that differs from the one before was stored. */
  | { kind: 'verdict'; printer: string; structure: Structure; verdict: Verdict }
  /** An order changed its state. */
  | { kind: 'order'; row: ExecutionRow; before: string }
  /** A trouble opened, changed or ended. */
  | { kind: 'trouble'; news: TroubleNews; row: TroubleRow; rule: CompiledRule | undefined };

/** Emits a conclusion to all listeners. Never throws. */
export type Conclude = (conclusion: Conclusion) => void;

/** A part that acts on conclusions. A failure, also of the promise, is logged. */
export interface Listener {
  hear(conclusion: Conclusion): void | Promise<void>;
}

export class Conclusions {
  readonly #log: Logger;
  #listeners: readonly Listener[] = [];
  readonly #underWay = new Set<Promise<void>>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Sets the listeners, in this order. */
  listen(listeners: readonly Listener[]): void {
    this.#listeners = listeners;
  }

  readonly conclude: Conclude = (conclusion) => {
    for (const listener of this.#listeners) {
      try {
        const work = listener.hear(conclusion);
        if (work) this.#track(conclusion, work);
      } catch (error) {
        // The data it follows from is stored: a fault in one listener must not stop or skip the others.
        this.#failed(conclusion, error);
      }
    }
  };

  #track(conclusion: Conclusion, work: Promise<void>): void {
    const ended = work
      .catch((error: unknown) => this.#failed(conclusion, error))
      .finally(() => this.#underWay.delete(ended));
    this.#underWay.add(ended);
  }

  #failed(conclusion: Conclusion, error: unknown): void {
    const printer = 'printer' in conclusion ? conclusion.printer : undefined;
    this.#log.error(
      { conclusion: conclusion.kind, printer, reason: reasonOf(error), err: error },
      'a listener failed to act on a conclusion',
    );
  }

  /** Resolves when every listener has acted on what was concluded so far. */
  async idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }
}
