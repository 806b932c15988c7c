/**
 * The trouble capability put together: rules in force, troubles kept, remedies begun. What it needs of the rest of the
 * center is named in `TroubleSources`.
 */
import type { Logger } from 'pino';
import { PlatenError } from '../../schemas/errors.ts';
import type { LogEntry, Policy, Structure, Trouble, TroubleRules } from '../../schemas/types.ts';
import { checkSchema } from '../../schemas/validate.ts';
import type { CompiledCatalog } from '../compatibility/index.ts';
import type { DocumentRevision, DocumentService, Page, PageRequest, TroubleQueries } from '../services.ts';
import type { Store } from '../store/store.ts';
import { compileRules } from './compile.ts';
import type { InRange } from './context.ts';
import { runRuleTests } from './expectations.ts';
import { Remedies, type RemedyCampaigns, type WantedSoftware } from './remedies.ts';
import { TroubleService } from './service.ts';
import { type TroubleFilter, TroubleStore } from './store.ts';

export interface TroubleSources {
  store: Pick<Store, 'database' | 'documents' | 'printers'>;
  publish(topic: string, payload: string, options: { qos: 0 | 1; retain: boolean }): Promise<void>;
  tell(what: string, details: { printer?: string; data: Record<string, unknown> }): void;
  /** The catalog in force. */
  catalog(): CompiledCatalog | undefined;
  /** Whether versions of a software lie in a range; throws when the range is none. */
  rangeMatcher(software: string, range: string): (version: string) => boolean;
  campaigns: RemedyCampaigns & { get(id: string): Promise<{ state: string }> };
  request(printer: string, what: 'errors' | 'structure'): Promise<unknown>;
  setPolicy(printer: string, policy: Policy): Promise<void>;
  log: Logger;
  now(): number;
}

const CURES_EVERY_MS = 60_000;
const OVER = ['finished', 'aborted', 'halted'];

export class Troubles implements TroubleQueries {
  readonly #sources: TroubleSources;
  readonly #rows: TroubleStore;
  readonly #service: TroubleService;
  readonly #remedies: Remedies;
  readonly #ranges = new Map<string, (version: string) => boolean>();
  #cures: NodeJS.Timeout | undefined;
  /** The rules as documents: read, checked and put. */
  readonly rules: DocumentService<TroubleRules>;

  constructor(sources: TroubleSources) {
    this.#sources = sources;
    const { store, publish, tell, log, now } = sources;
    const rows = new TroubleStore(store.database);
    this.#rows = rows;
    const inRange: InRange = (id, version, range) => this.#inRange(id, version, range);
    this.#remedies = new Remedies({
      fixing: (codes) => fixing(sources.catalog(), codes),
      inRange,
      printersWith: (software, after, limit) => rows.printersWith(software, after, limit),
      structureOf: async (printer) => (await rows.structuresOf([printer])).get(printer),
      proposedFor: (rule, software) => this.#proposedFor(rule, software),
      campaigns: sources.campaigns,
      request: (printer, what) => sources.request(printer, what),
      setPolicy: (printer, policy) => sources.setPolicy(printer, policy),
      tell,
      amend: (trouble, proposal) =>
        this.#service.amend(trouble, (row) => ({ proposal: { ...row.proposal, ...proposal } })),
      log,
    });
    this.#service = new TroubleService({
      store: rows,
      setOpenTroubles: (list, client) => store.printers.setOpenTroubles(list, client),
      publish,
      tell,
      inRange,
      log,
      now,
      onNews: (news, row, rule) => this.#remedies.onNews(news, row, rule),
    });
    this.rules = { get: (name) => this.#getRules(name), put: (document, by) => this.#putRules(document, by) };
  }

  get service(): TroubleService {
    return this.#service;
  }

  async start(): Promise<void> {
    const revision = await this.#sources.store.documents.get('rules');
    await this.#service.start(revision?.document);
    this.#cures = setInterval(() => {
      this.#service
        .settleCures()
        .catch((error: unknown) => this.#sources.log.error({ error }, 'cures could not be settled'));
    }, CURES_EVERY_MS);
    this.#cures.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#cures);
    await this.#service.stop();
    await this.#remedies.idle();
    await this.#service.stop();
  }

  onEntries(printer: string, log: string, entries: LogEntry[]): void {
    this.#service.onEntries(printer, log, entries);
  }

  onStructure(printer: string, structure: Structure): void {
    this.#service.onStructure(printer, structure);
  }

  /** Another catalog is in force: ranges may mean something else. */
  onCatalog(): void {
    this.#ranges.clear();
    this.#service.onCatalog();
  }

  /**
   * An order was proven on a printer: troubles that it is to cure wait for quiet now.
   * @param trouble the trouble it was made for, if it names one
   */
  async onProven(
    printer: string,
    steps: readonly { subject: string; to: string }[],
    trouble: string | null | undefined,
  ): Promise<void> {
    const installed = steps.map(({ subject, to }) => ({ id: subject.slice(subject.indexOf(':') + 1), to }));
    await this.#service.onProven(printer, (row) => {
      if (row.id === trouble) return true;
      const wanted = row.proposal?.['software'] as WantedSoftware | null | undefined;
      return installed.some(
        ({ id, to }) => wanted?.id === id && this.#inRange(id, to, wanted.range) === true,
      );
    });
  }

  list(filter: TroubleFilter, page: PageRequest): Promise<Page<Trouble>> {
    return this.#service.list(filter, page);
  }

  close(id: string, note: string, by: string): Promise<Trouble> {
    return this.#service.close(id, note, by);
  }

  countOpen(): Promise<number> {
    return this.#service.countOpen();
  }

  #inRange(id: string, version: string, range: string): boolean | undefined {
    if (range === '' || range === '*') return true;
    const key = `${id} ${range}`;
    let matches = this.#ranges.get(key);
    if (!matches) {
      try {
        matches = this.#sources.rangeMatcher(id, range);
      } catch (error) {
        // A range that this software's versions don't know is in nobody's scope.
        if (!(error instanceof PlatenError)) throw error;
        matches = () => false;
      }
      this.#ranges.set(key, matches);
    }
    return matches(version);
  }

  async #proposedFor(rule: string, software: WantedSoftware): Promise<string | undefined> {
    for (const id of await this.#rows.campaignsOf(rule, software)) {
      const { state } = await this.#sources.campaigns.get(id);
      if (!OVER.includes(state)) return id;
    }
    return undefined;
  }

  async #getRules(name?: string): Promise<DocumentRevision<TroubleRules> | undefined> {
    const revision = await this.#sources.store.documents.get('rules', name);
    if (!revision) return undefined;
    return {
      revision: revision.number,
      at: revision.putAt,
      by: revision.putBy,
      document: revision.document,
    };
  }

  async #putRules(document: unknown, by: string): Promise<{ revision: number; diagnostics: unknown[] }> {
    const checked = checkRules(document, (id, version, range) => this.#inRange(id, version, range));
    const revision = await this.#sources.store.documents.put('rules', checked.rules, checked, by);
    const { rules, diagnostics } = compileRules(checked);
    await this.#service.use(rules);
    return { revision: revision.number, diagnostics };
  }
}

/**
 * Rules as they may be put: right by their schema, understood whole, and right by their own tests.
 * @throws PlatenError rules/invalid
 */
export function checkRules(document: unknown, inRange?: InRange): TroubleRules {
  let rules: TroubleRules;
  try {
    rules = checkSchema('rules', document);
  } catch (error) {
    if (error instanceof PlatenError)
      throw new PlatenError('rules/invalid', { count: 1, reason: error.message });
    throw error;
  }
  const { failures, diagnostics } = runRuleTests(rules, inRange);
  const wrong = diagnostics.filter(({ severity }) => severity === 'error');
  const [first] = wrong;
  if (first) {
    throw new PlatenError('rules/invalid', {
      count: wrong.length,
      reason: `${first.path}: ${first.message}`,
    });
  }
  const [failed] = failures;
  if (failed) {
    throw new PlatenError('rules/invalid', {
      count: failures.length,
      reason: `${failed.path} "${failed.name}" fails: ${failed.reason}`,
    });
  }
  return rules;
}

/** From which version on each software has a cure for one of the codes. */
export function fixing(catalog: CompiledCatalog | undefined, codes: string[]): WantedSoftware[] {
  return (catalog?.products ?? []).flatMap(({ id, releases }) => {
    const first = releases.find(
      ({ status, fixes }) => status === 'released' && fixes.some((code) => codes.includes(code)),
    );
    return first ? [{ id, range: `>=${first.version}` }] : [];
  });
}
