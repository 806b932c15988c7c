/** The judging of structures put together: the catalog in force, the verdicts, and the two threads that work for them. */
import type { Repository } from '../../releases/repository.ts';
import type { CenterContext } from '../context.ts';
import { Catalogs } from './catalogs.ts';
import { Choosing } from './choosing.ts';
import { Questions } from './questions.ts';
import { Verdicts } from './verdicts.ts';

export interface Judging {
  readonly catalogs: Catalogs;
  readonly verdicts: Verdicts;
  readonly choosing: Choosing;
  readonly questions: Questions;
  /** Checks trouble rules against the catalog in force. @throws PlatenError rules/invalid, request/too-heavy, request/busy */
  checkRules(document: unknown): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Opens it with the stored catalog.
 * @param limit a catalog that makes more misfits than this has to be confirmed by a person
 */
export async function openJudging(
  context: CenterContext,
  repository: Repository,
  limit: () => Promise<number>,
): Promise<Judging> {
  const { store, link, events, conclude, log, now } = context;
  const choosing = new Choosing(log);
  const questions = new Questions();
  const catalogs = new Catalogs({
    documents: store.documents,
    released: () => repository.list(),
    questions: {
      check: (document) => questions.checkCatalog(document),
      impact: (document, current, signal) => questions.impact(document, current, store.verdicts, signal),
    },
    choosing,
    confirm: {
      limit,
      hold: (catalog, printers, most) => store.verdicts.holdCatalog(catalog, printers, most, new Date(now())),
      agree: (catalog) => store.verdicts.agreeToCatalog(catalog),
      lastAgreed: () => store.verdicts.lastAgreedCatalog(),
    },
    conclude,
  });
  await catalogs.load();
  const verdicts = new Verdicts({
    store: store.verdicts,
    assessor: () => catalogs.assessor,
    link,
    events,
    conclude,
    log,
    now,
  });
  return {
    catalogs,
    verdicts,
    choosing,
    questions,
    checkRules: (document) => questions.checkRules(document, catalogs.current),
    async stop() {
      // Verdicts stop first: a search that is given up now must not count as an answer.
      const judged = verdicts.stop();
      await choosing.stop();
      await questions.stop();
      await judged;
    },
  };
}
