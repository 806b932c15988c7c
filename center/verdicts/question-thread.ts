/**
 * The thread for heavy questions: what a document that somebody wrote costs to check is not known before it is done,
 * and must not hold up the fleet. It answers one question at a time.
 */
import { parentPort } from 'node:worker_threads';
import { type CompiledCatalog, compileCatalog, Impact } from '../../compatibility/index.ts';
import { type ErrorCode, PlatenError, reasonOf } from '../../schemas/errors.ts';
import type { Catalog, Structure } from '../../schemas/types.ts';
import { schemaFault } from '../../schemas/validate.ts';
import { checkRules } from '../trouble/engine/expectations.ts';
import { CatalogAssessor, choiceBudget, compileChecked } from './assessor.ts';
import type { FleetStructure } from './verdict-store.ts';
import { type Exchange, whatIf } from './what-if.ts';

/** `current` is the catalog in force. */
export type Question =
  | { ask: 'catalog'; document: unknown }
  | { ask: 'rules'; document: unknown; current: Catalog | undefined }
  | { ask: 'impact'; document: unknown; current: Catalog | undefined }
  | { page: FleetStructure[] }
  | { ask: 'result' }
  /** `catalog` is missing where the thread has it already. */
  | { ask: 'what-if'; catalog?: Catalog | undefined; structure: Structure; exchange: Exchange };

export type Answer =
  | { ok: Record<string, unknown> }
  | { error: { code: ErrorCode; values: Readonly<Record<string, string | number>> } };

/** Without a catalog everything is unknown: what the first one changes is told against that. */
const NO_CATALOG: Catalog = { catalog: '' };

let impact: Impact | undefined;
/** The catalog in force, as it was given with a question what would be. */
let inForce: CompiledCatalog | undefined;

/**
 * A catalog that somebody wrote, compiled.
 * @throws PlatenError catalog/invalid
 */
function compiled(document: unknown): CompiledCatalog {
  const fault = schemaFault('catalog', document);
  if (fault !== undefined) throw new PlatenError('catalog/invalid', { count: 1, reason: fault });
  return compileChecked(document as Catalog).catalog;
}

function answer(question: Question): Record<string, unknown> {
  if ('page' in question) {
    for (const { structure, printers, examples } of question.page) impact?.add(structure, printers, examples);
    return {};
  }
  switch (question.ask) {
    case 'catalog': {
      const started_ms = performance.now();
      compiled(question.document);
      return { ms: performance.now() - started_ms };
    }
    case 'rules': {
      const { catalog } = compileCatalog(question.current ?? NO_CATALOG);
      const assessor = new CatalogAssessor(catalog.name, question.current ? catalog : undefined);
      checkRules(question.document, (software, version, range) => assessor.inRange(software, version, range));
      return {};
    }
    case 'impact':
      impact = new Impact(
        compileCatalog(question.current ?? NO_CATALOG).catalog,
        compiled(question.document),
      );
      return {};
    case 'result': {
      const result = impact?.result() ?? {};
      impact = undefined;
      return { ...result };
    }
    case 'what-if': {
      const { catalog, structure, exchange } = question;
      if (catalog) inForce = compileCatalog(catalog).catalog;
      inForce ??= compileCatalog(NO_CATALOG).catalog;
      return { ...whatIf(inForce, structure, exchange, choiceBudget()) };
    }
  }
}

parentPort?.on('message', (question: Question) => {
  let told: Answer;
  try {
    told = { ok: answer(question) };
  } catch (error) {
    const { code, values } =
      error instanceof PlatenError ? error : new PlatenError('request/internal', { reason: reasonOf(error) });
    told = { error: { code, values } };
  }
  parentPort?.postMessage(told);
});
