/**
 * The choosing thread: keeps one compiled catalog and answers jobs one after the other.
 */
import { parentPort } from 'node:worker_threads';
import {
  type Choice,
  type ChooseOptions,
  type CompiledCatalog,
  choose,
  compileCatalog,
  type PrinterStructureLike,
} from '../../compatibility/index.ts';
import { reasonOf } from '../../schemas/errors.ts';
import type { Catalog } from '../../schemas/types.ts';

/** A message to the thread: a catalog to use from now on, or a job. */
export type ToThread =
  | { catalog: Catalog }
  | { structure: PrinterStructureLike; options: ChooseOptions; budget_ms: number };

/** The answer to a job and how long it took, or its error. */
export type FromThread = { choice: Choice; ms: number } | { wrong: string };

let compiled: CompiledCatalog | undefined;

function answerTo(told: Exclude<ToThread, { catalog: Catalog }>): FromThread {
  if (!compiled) return { wrong: 'nothing can be chosen before a catalog is given' };
  const { structure, options, budget_ms } = told;
  const started_ms = performance.now();
  const spent = (): number => (performance.now() - started_ms) / budget_ms;
  const exhausted = (): boolean => spent() > 1;
  try {
    const choice = choose(compiled, structure, options, { exhausted, spent, ms: budget_ms });
    return { choice, ms: performance.now() - started_ms };
  } catch (error) {
    // A wish with an invalid range: the caller gets the error, and the thread continues.
    return { wrong: reasonOf(error) };
  }
}

parentPort?.on('message', (told: ToThread) => {
  if ('catalog' in told) compiled = compileCatalog(told.catalog).catalog;
  else parentPort?.postMessage(answerTo(told));
});
