/**
 * Questions whose cost their author decides: a catalog or rules to be checked, the impact of a catalog. They are
 * answered in a thread of their own, one after the other, each within a time.
 */

import { Worker } from 'node:worker_threads';
import { Serial } from '../../base/serial.ts';
import type { ImpactResult } from '../../compatibility/index.ts';
import { PlatenError, reasonOf } from '../../schemas/errors.ts';
import type { Catalog, Structure } from '../../schemas/types.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { Gone } from '../queries.ts';
import type { Answer, Question } from './question-thread.ts';
import type { FleetStructure } from './verdict-store.ts';
import type { Exchange, WhatIf } from './what-if.ts';

/** Where structures are read from, those that printers share only once. */
export interface StructurePages {
  structurePage(after: string, limit: number): Promise<FleetStructure[]>;
}

interface PendingQuestion {
  resolve(answer: Record<string, unknown>): void;
  reject(error: Error): void;
}

export class Questions {
  readonly #entry: URL;
  readonly #ms_max: number;
  #thread: Worker | undefined;
  #asked: PendingQuestion | undefined;
  /** The catalog that the thread was given last with a question what would be. */
  #given: Catalog | undefined;
  /** The question that is being answered, and those behind it. */
  readonly #serial = new Serial();
  #waiting = 0;
  #stopped = false;

  /** `entry` is what the thread runs; a question is given up after `ms_max`. */
  constructor(
    entry = new URL('./question-thread.mjs', import.meta.url),
    ms_max: number = CENTER_LIMITS.question_ms_max,
  ) {
    this.#entry = entry;
    this.#ms_max = ms_max;
  }

  /** Questions that have no answer yet. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Checks a catalog that is to be put.
   * @throws PlatenError catalog/invalid, request/too-heavy, request/busy
   */
  async checkCatalog(document: unknown): Promise<void> {
    const { ms } = await this.#inTurn(() => this.#ask({ ask: 'catalog', document }));
    // It is compiled once more where it is used, and then nothing else goes on.
    if (Number(ms) > CENTER_LIMITS.catalog_compile_ms_max) {
      throw new PlatenError('request/too-heavy', { seconds: CENTER_LIMITS.catalog_compile_ms_max / 1_000 });
    }
  }

  /** @throws PlatenError rules/invalid, request/too-heavy, request/busy */
  async checkRules(document: unknown, current: Catalog | undefined): Promise<void> {
    await this.#inTurn(() => this.#ask({ ask: 'rules', document, current }));
  }

  /**
   * What a catalog would change for the printers of `pages`, by count and example.
   * @param signal whoever asked has gone: the next page is not looked at
   * @throws PlatenError catalog/invalid, request/too-heavy, request/busy, request/abandoned
   */
  impact(
    document: unknown,
    current: Catalog | undefined,
    pages: StructurePages,
    signal?: Gone,
  ): Promise<ImpactResult> {
    return this.#inTurn(async () => {
      await this.#ask({ ask: 'impact', document, current });
      let last = '';
      for (;;) {
        if (signal?.aborted) throw new PlatenError('request/abandoned');
        const page = await pages.structurePage(last, CENTER_LIMITS.verdict_page_printers);
        await this.#ask({ page });
        last = page.at(-1)?.place ?? last;
        if (page.length < CENTER_LIMITS.verdict_page_printers) break;
      }
      return (await this.#ask({ ask: 'result' })) as unknown as ImpactResult;
    });
  }

  /**
   * What would be if a printer had other parts.
   * @throws PlatenError request/invalid, request/too-heavy, request/busy
   */
  whatIf(current: Catalog, structure: Structure, exchange: Exchange): Promise<WhatIf> {
    return this.#inTurn(async () => {
      const catalog = this.#thread && this.#given === current ? undefined : current;
      const answer = await this.#ask({ ask: 'what-if', catalog, structure, exchange });
      this.#given = current;
      return answer as unknown as WhatIf;
    });
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#stopped || this.#waiting >= CENTER_LIMITS.questions_waiting_max) {
      throw new PlatenError('request/busy');
    }
    this.#waiting += 1;
    try {
      return await this.#serial.run(() => this.#within(work));
    } finally {
      this.#waiting -= 1;
      // An idle thread keeps no process alive.
      if (this.#waiting === 0) this.#thread?.unref();
    }
  }

  async #within<T>(work: () => Promise<T>): Promise<T> {
    const timer = setTimeout(
      () => this.#lose(new PlatenError('request/too-heavy', { seconds: this.#ms_max / 1_000 })),
      this.#ms_max,
    );
    try {
      return await work();
    } finally {
      clearTimeout(timer);
    }
  }

  #ask(question: Question): Promise<Record<string, unknown>> {
    if (this.#stopped) return Promise.reject(new PlatenError('request/busy'));
    const thread = this.#thread ?? this.#startThread();
    thread.ref();
    return new Promise((resolve, reject) => {
      this.#asked = { resolve, reject };
      thread.postMessage(question);
    });
  }

  #startThread(): Worker {
    const thread = new Worker(this.#entry, {
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: CENTER_LIMITS.question_thread_memory_mib_max },
    });
    this.#thread = thread;
    this.#given = undefined;
    thread.on('message', (told: Answer) => {
      if (thread !== this.#thread) return;
      const asked = this.#asked;
      this.#asked = undefined;
      if ('ok' in told) asked?.resolve(told.ok);
      else asked?.reject(new PlatenError(told.error.code, told.error.values));
    });
    const lost = (reason: string) => {
      if (thread === this.#thread) this.#lose(new PlatenError('request/internal', { reason }));
    };
    thread.on('error', (error) => lost(reasonOf(error)));
    thread.on('exit', (code) => lost(`the thread that answers it ended with code ${code}`));
    return thread;
  }

  /** The thread is ended; the next question starts another. */
  #lose(reason: PlatenError): void {
    const thread = this.#thread;
    this.#thread = undefined;
    const asked = this.#asked;
    this.#asked = undefined;
    asked?.reject(reason);
    thread?.terminate().catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    const thread = this.#thread;
    this.#thread = undefined;
    this.#asked?.reject(new PlatenError('request/busy'));
    this.#asked = undefined;
    await thread?.terminate();
  }
}
