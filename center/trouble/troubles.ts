/**
 * The trouble capability put together: rules in force, troubles kept, remedies begun. What it needs of the rest of the
 * center is named in `TroubleSources`.
 */
import type { Logger } from 'pino';
import type { CompiledCatalog } from '../../compatibility/index.ts';
import { reasonOf } from '../../schemas/errors.ts';
import { softwareOf } from '../../schemas/subject.ts';
import type { LogEntry, Policy, Structure, Trouble, TroubleRules } from '../../schemas/types.ts';
import type { Client, Database } from '../database/database.ts';
import type { Page, PageRequest, TroubleQueries } from '../queries.ts';
import type { CompiledRules } from './engine/compile.ts';
import type { InRange } from './engine/context.ts';
import { KEYS_PER_RULE_AND_PRINTER_MAX } from './engine/limits.ts';
import { type Finding, Findings } from './findings.ts';
import { Remedies, type RemedyCampaigns, type WantedSoftware } from './remedies.ts';
import { CROWDED_RULE, isOpen, troubleOf } from './rows.ts';
import { TroubleService, type TroubleSettings } from './service.ts';
import { type TroubleFilter, TroubleStore } from './store.ts';

export interface TroubleSources {
  database: Database;
  setOpenTroubles: TroubleSettings['setOpenTroubles'];
  publish(topic: string, payload: string, options: { qos: 0 | 1; retain: boolean }): Promise<void>;
  tell(what: string, details: { printer?: string; data: Record<string, unknown> }): void;
  /** The catalog in force. */
  catalog(): CompiledCatalog | undefined;
  inRange: InRange;
  campaigns: RemedyCampaigns;
  request(printer: string, what: 'errors' | 'structure'): Promise<unknown>;
  setPolicy(printer: string, policy: Policy): Promise<void>;
  log: Logger;
  now(): number;
}

const DAY_MS = 86_400_000;
const CURES_EVERY_MS = 60_000;

export class Troubles implements TroubleQueries {
  readonly #sources: TroubleSources;
  readonly #rows: TroubleStore;
  readonly #service: TroubleService;
  readonly #remedies: Remedies;
  readonly #findings: Findings;
  #cures: NodeJS.Timeout | undefined;

  constructor(sources: TroubleSources) {
    this.#sources = sources;
    const { publish, tell, log, now, inRange } = sources;
    const rows = new TroubleStore(sources.database);
    this.#rows = rows;
    this.#remedies = new Remedies({
      fixing: (codes) => fixing(sources.catalog(), codes),
      inRange,
      printersWith: (software, after, limit) => rows.printersWith(software, after, limit),
      structureOf: async (printer) => (await rows.structuresOf([printer])).get(printer),
      campaigns: sources.campaigns,
      request: (printer, what) => sources.request(printer, what),
      setPolicy: (printer, policy) => sources.setPolicy(printer, policy),
      tell,
      amend: (trouble, proposal) =>
        this.#service.amend(trouble, (row) => ({ proposal: { ...row.proposal, ...proposal } })),
      log,
    });
    const settings: TroubleSettings = {
      store: rows,
      setOpenTroubles: (list, client) => sources.setOpenTroubles(list, client),
      publish,
      tell,
      inRange,
      log,
      now,
    };
    this.#findings = new Findings(settings);
    this.#service = new TroubleService({
      ...settings,
      onCrowded: (rule, printer) => this.#crowded(rule, printer),
      onNews: (news, row, rule) => this.#remedies.onNews(news, row, rule),
    });
  }

  /** Says once in a while what would otherwise be thousands of troubles. */
  #crowded(rule: string, printer: string): void {
    const { log, now } = this.#sources;
    const day = new Date(Math.floor(now() / DAY_MS) * DAY_MS).toISOString();
    log.warn({ printer, rule }, 'a printer makes more units, codes or sites than a rule is kept for');
    this.found({
      rule: CROWDED_RULE,
      title: `Too many troubles of ${rule}`,
      printer,
      key: rule,
      severity: 'major',
      at: day,
      explanation:
        `Its log names more different units, codes or sites than the rule ${rule} is kept for (${KEYS_PER_RULE_AND_PRINTER_MAX}). ` +
        'Further ones are counted but open no troubles. Look at what it reports, or keep the rule by fewer things.',
    }).catch((error: unknown) =>
      log.error({ printer, rule, reason: reasonOf(error) }, 'a trouble could not be opened'),
    );
  }

  get service(): TroubleService {
    return this.#service;
  }

  async start(document: TroubleRules | undefined): Promise<void> {
    const forgotten = await this.#rows.withoutRemedy();
    await this.#service.start(document);
    // What a center before this one did not come to is begun beside the rest: it may take a while.
    const rows = await this.#rows.byId(forgotten.map(({ id }) => id));
    for (const row of rows.values()) {
      if (isOpen(row)) void this.#remedies.onNews('opened', row, this.#service.rule(row.rule));
    }
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

  onEntries(printer: string, log: string, entries: readonly LogEntry[]): void {
    this.#service.onEntries(printer, log, entries);
  }

  onStructure(printer: string, structure: Structure): void {
    this.#service.onStructure(printer, structure);
  }

  /** Another catalog is in force: ranges may mean something else. */
  onCatalog(): void {
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
    const installed = steps.map(({ subject, to }) => ({ id: softwareOf(subject), to }));
    await this.#service.onProven(printer, (row) => {
      if (row.id === trouble) return true;
      const wanted = row.proposal?.['software'] as WantedSoftware | null | undefined;
      return installed.some(
        ({ id, to }) => wanted?.id === id && this.#sources.inRange(id, to, wanted.range) === true,
      );
    });
  }

  list(filter: TroubleFilter, page: PageRequest): Promise<Page<Trouble>> {
    return this.#service.list(filter, page);
  }

  /** Opens a trouble that the center itself found; gives its id. */
  found(finding: Finding): Promise<string> {
    return this.#findings.open(finding);
  }

  async get(id: string): Promise<Trouble | undefined> {
    const row = (await this.#rows.byId([id])).get(id);
    return row && troubleOf(row);
  }

  close(id: string, note: string, by: string): Promise<Trouble> {
    return this.#service.close(id, note, by);
  }

  /** A printer is removed; see `TroubleService.forget`. */
  forget(printer: string, write: (client: Client) => Promise<void>): Promise<void> {
    return this.#service.forget(printer, write);
  }

  /** Puts rules in force that were checked. */
  use(rules: CompiledRules): Promise<void> {
    return this.#service.use(rules);
  }

  countOpen(): Promise<number> {
    return this.#service.countOpen();
  }
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
