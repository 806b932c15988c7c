/**
 * Chooses in a separate thread, so that a search of seconds blocks nothing here. Jobs wait in two queues, and the
 * thread has one at a time. Verdicts go before campaigns, which ask for a thousand printers at once. A thread that dies, or
 * doesn't answer in time, fails its job; the next job starts another.
 */
import { Worker } from 'node:worker_threads';
import type { Logger } from 'pino';
import type { Choice, ChooseOptions, PrinterStructureLike } from '../../compatibility/index.ts';
import { reasonOf } from '../../schemas/errors.ts';
import type { Catalog } from '../../schemas/types.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { FromThread, ToThread } from './choosing-thread.ts';

export interface Job {
  catalog: Catalog;
  structure: PrinterStructureLike;
  options: ChooseOptions;
  /** Jobs that a verdict waits for go first. */
  verdict?: boolean;
  /** Called when it is the job's turn: the choice for an equal structure, if one was found meanwhile. */
  recall(): Choice | undefined;
}

/** A choice and the thread's time for it in milliseconds; 0 when it was known. */
export interface Chosen {
  choice: Choice;
  ms: number;
}

interface WaitingJob extends Job {
  answer(chosen: Chosen): void;
  refuse(reason: Error): void;
}

/** Verdicts in a row while other jobs wait. */
const VERDICTS_AHEAD_MAX = 8;

function gaveUp(explanation: string, ms = 0): Chosen {
  return { choice: { outcome: 'gave-up', explanation }, ms };
}

export class Choosing {
  readonly #log: Logger;
  readonly #entry: URL;
  readonly #verdicts: WaitingJob[] = [];
  readonly #others: WaitingJob[] = [];
  /** Verdicts that went before others since the last of those had its turn. */
  #ahead = 0;
  #thread: Worker | undefined;
  /** The catalog that the thread has. */
  #given: Catalog | undefined;
  #current: WaitingJob | undefined;
  #currentSince_ms = 0;
  #overdue: NodeJS.Timeout | undefined;
  #stopped = false;

  /** `entry` is the thread's program. */
  constructor(log: Logger, entry = new URL('./choosing-thread.mjs', import.meta.url)) {
    this.#log = log;
    this.#entry = entry;
  }

  /** Jobs without an answer. */
  get waiting(): number {
    return this.#verdicts.length + this.#others.length + (this.#current ? 1 : 0);
  }

  /**
   * Chooses. A job that can't be answered gives up, and the explanation says why.
   * @throws Error when a wish has an invalid range
   */
  choose(job: Job): Promise<Chosen> {
    if (this.#stopped) return Promise.resolve(gaveUp('The center is being stopped.'));
    return new Promise((answer, refuse) => {
      (job.verdict ? this.#verdicts : this.#others).push({ ...job, answer, refuse });
      this.#next();
    });
  }

  /** The next job: a verdict's, but only so many in a row. */
  #take(): WaitingJob | undefined {
    const other = this.#verdicts.length === 0 || this.#ahead >= VERDICTS_AHEAD_MAX;
    const job = (other ? this.#others.shift() : undefined) ?? this.#verdicts.shift();
    this.#ahead = job?.verdict && this.#others.length > 0 ? this.#ahead + 1 : 0;
    return job;
  }

  #next(): void {
    while (!this.#current) {
      const job = this.#take();
      if (!job) {
        // An idle thread keeps no process alive.
        this.#thread?.unref();
        return;
      }
      const known = job.recall();
      if (known) job.answer({ choice: known, ms: 0 });
      else this.#give(job);
    }
  }

  #give(job: WaitingJob): void {
    this.#current = job;
    this.#currentSince_ms = performance.now();
    try {
      const thread = this.#thread ?? this.#startThread();
      thread.ref();
      const budget_ms = CENTER_LIMITS.choose_budget_ms_max;
      const tell = (told: ToThread): void => thread.postMessage(told);
      if (this.#given !== job.catalog) tell({ catalog: job.catalog });
      this.#given = job.catalog;
      const { apparatus, units } = job.structure;
      tell({ structure: { apparatus, units }, options: job.options, budget_ms });
      this.#overdue = setTimeout(
        () => this.#lose(thread, new Error(`no answer within ${CENTER_LIMITS.choose_answer_ms_max} ms`)),
        CENTER_LIMITS.choose_answer_ms_max,
      );
    } catch (error) {
      this.#lose(this.#thread, error);
    }
  }

  #startThread(): Worker {
    const thread = new Worker(this.#entry, {
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: CENTER_LIMITS.choose_thread_memory_mib_max },
    });
    this.#thread = thread;
    this.#given = undefined;
    thread.on('message', (told: FromThread) => {
      if (thread !== this.#thread) return;
      this.#done((job) => ('wrong' in told ? job.refuse(new Error(told.wrong)) : job.answer(told)));
    });
    thread.on('error', (error) => this.#lose(thread, error));
    thread.on('exit', (code) => this.#lose(thread, new Error(`it ended with code ${code}`)));
    return thread;
  }

  #done(tell: (job: WaitingJob) => void): void {
    clearTimeout(this.#overdue);
    const job = this.#current;
    this.#current = undefined;
    if (job) tell(job);
    this.#next();
  }

  /** Gives up on the thread. */
  #lose(thread: Worker | undefined, reason: unknown): void {
    if (thread !== this.#thread) return;
    this.#thread = undefined;
    thread?.terminate().catch((error: unknown) => {
      this.#log.warn({ reason: reasonOf(error) }, 'a thread that chooses did not end');
    });
    if (this.#stopped) return;
    this.#log.error(
      { reason: reasonOf(reason) },
      'the thread that chooses was lost; the next choice starts another',
    );
    const took_ms = performance.now() - this.#currentSince_ms;
    const chosen = gaveUp(`Choosing was broken off: ${reasonOf(reason)}.`, took_ms);
    if (this.#current) this.#done((job) => job.answer(chosen));
  }

  /** Ends the thread; waiting jobs give up. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#overdue);
    const jobs = [
      ...(this.#current ? [this.#current] : []),
      ...this.#verdicts.splice(0),
      ...this.#others.splice(0),
    ];
    this.#current = undefined;
    for (const job of jobs) job.answer(gaveUp('The center is being stopped.'));
    const thread = this.#thread;
    this.#thread = undefined;
    await thread?.terminate();
  }
}
