/**
 * What is done about a trouble: software that cures it, offered to every printer for which it is appropriate; a word to
 * the operator; a request; a policy.
 */
import type { Logger } from 'pino';
import { PlatenError, reasonOf } from '../../schemas/errors.ts';
import type { Policy, Structure } from '../../schemas/types.ts';
import { contextOf, type InRange, inRuleScope } from './engine/context.ts';
import { REMEDY_PRINTERS_MAX } from './engine/limits.ts';
import type { CompiledRule } from './engine/rule.ts';
import type { TroubleNews, TroubleRow } from './rows.ts';

/** Software that is wanted. */
export interface WantedSoftware {
  id: string;
  range: string;
}

/** What a remedy by software needs of campaigns. */
export interface RemedyCampaigns {
  preview(request: RemedyRequest): Promise<{
    targets: number;
    fine: number;
    excluded: Record<string, number>;
    examples: unknown[];
  }>;
  /** @throws PlatenError request/conflict when no printer takes part */
  create(request: RemedyRequest, by: string): Promise<{ id: string }>;
}

export interface RemedyRequest {
  title?: string;
  trouble: string;
  software: WantedSoftware;
  printers: string[];
  options: { propose: boolean };
}

export interface RemedySettings {
  /** Releases that are released and list one of the codes in `fixes`: from which version on each software has the cure. */
  fixing(codes: string[]): WantedSoftware[];
  inRange: InRange;
  /** Printers with some software installed, a page at a time, by id. */
  printersWith(
    software: string,
    after: string,
    limit: number,
  ): Promise<{ printer: string; structure: Structure }[]>;
  structureOf(printer: string): Promise<Structure | undefined>;
  /** A campaign that was proposed for the same rule and software and is not over. */
  proposedFor(rule: string, software: WantedSoftware): Promise<string | undefined>;
  campaigns: RemedyCampaigns;
  request(printer: string, what: 'errors' | 'structure'): Promise<unknown>;
  setPolicy(printer: string, policy: Policy): Promise<void>;
  tell(what: string, details: { printer?: string; data: Record<string, unknown> }): void;
  /** Writes what came of it beside the trouble; resolves when it is written. */
  amend(trouble: string, proposal: Record<string, unknown>): Promise<void>;
  log: Logger;
}

const PAGE = 500;

export class Remedies {
  readonly #settings: RemedySettings;
  /** One after the other: two printers with the same trouble must not make two campaigns. */
  #chain: Promise<void> = Promise.resolve();
  /** What is still to be written beside troubles. */
  readonly #writing = new Set<Promise<void>>();

  constructor(settings: RemedySettings) {
    this.#settings = settings;
  }

  /** Does what the rule says about a trouble that has opened. */
  onNews(news: TroubleNews, row: TroubleRow, rule: CompiledRule | undefined): Promise<void> {
    if ((news !== 'opened' && news !== 'reopened') || !rule?.remedy) return Promise.resolve();
    const result = this.#chain.then(() => this.#begin(row, rule));
    this.#chain = result.catch((error: unknown) =>
      this.#settings.log.error({ trouble: row.id, reason: reasonOf(error) }, 'a remedy could not be begun'),
    );
    return this.#chain;
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await this.#chain;
    await Promise.all(this.#writing);
  }

  /** Writes beside a trouble without waiting for it: troubles that open together are written together. */
  #note(trouble: string, proposal: Record<string, unknown>): void {
    const written = this.#settings
      .amend(trouble, proposal)
      .catch((error: unknown) =>
        this.#settings.log.error({ trouble, reason: reasonOf(error) }, 'a remedy could not be written'),
      )
      .finally(() => this.#writing.delete(written));
    this.#writing.add(written);
  }

  async #begin(row: TroubleRow, rule: CompiledRule): Promise<void> {
    const { request, setPolicy, tell } = this.#settings;
    const { notify, request: asked, policy, software } = rule.remedy ?? {};
    const printer = row.printer ?? undefined;
    if (typeof notify === 'string') {
      tell('notify', { printer, data: { trouble: row.id, rule: rule.id, text: notify } });
      this.#note(row.id, { notify });
    }
    if ((asked === 'errors' || asked === 'structure') && printer !== undefined) {
      await request(printer, asked);
      this.#note(row.id, { requested: asked });
    }
    if (typeof policy === 'object' && policy !== null && printer !== undefined) {
      await setPolicy(printer, policy as Policy);
      this.#note(row.id, { policy: policy as Record<string, unknown> });
    }
    if (software !== undefined) await this.#software(row, rule, software);
  }

  async #software(row: TroubleRow, rule: CompiledRule, software: unknown): Promise<void> {
    const { amend, fixing, campaigns, proposedFor, tell } = this.#settings;
    const printer = row.printer ?? undefined;
    const offered = software === 'fixes' ? fixing(row.codes) : [software as WantedSoftware];
    const wanted = await this.#fitting(offered, printer);
    if (!wanted) {
      const why =
        offered.length === 0
          ? `No release that is released lists ${row.codes.join(', ')} in its fixes.`
          : 'The software that cures it is not on this printer, or it has the cure already.';
      this.#note(row.id, { software: null, explanation: why });
      return;
    }
    const printers = rule.fleet
      ? await this.#appropriate(rule, wanted, printer)
      : printer === undefined
        ? []
        : [printer];
    const request: RemedyRequest = {
      title: rule.title ?? rule.id,
      trouble: row.id,
      software: wanted,
      printers,
      options: { propose: !rule.auto },
    };
    const { targets, fine, excluded, examples } = await campaigns.preview(request);
    const proposal: Record<string, unknown> = {
      software: wanted,
      printers: printers.length,
      targets,
      fine,
      excluded,
      examples,
      approval: rule.auto ? 'auto' : 'needed',
    };
    const known = await proposedFor(rule.id, wanted);
    if (known !== undefined) {
      this.#note(row.id, { ...proposal, campaign: known });
      return;
    }
    try {
      const { id } = await campaigns.create(request, `rule ${rule.id}`);
      // The next trouble of the rule has to find it.
      await amend(row.id, { ...proposal, campaign: id });
      tell('proposed', {
        printer,
        data: { trouble: row.id, rule: rule.id, campaign: id, targets, excluded },
      });
    } catch (error) {
      if (!(error instanceof PlatenError && error.code === 'request/conflict')) throw error;
      this.#note(row.id, { ...proposal, explanation: error.message });
    }
  }

  /** Of what is offered the first that the printer has and in a version that lacks the cure. */
  async #fitting(
    offered: WantedSoftware[],
    printer: string | undefined,
  ): Promise<WantedSoftware | undefined> {
    if (printer === undefined) return offered[0];
    const structure = await this.#settings.structureOf(printer);
    if (!structure) return undefined;
    const { software } = contextOf(structure);
    return offered.find(({ id, range }) =>
      software.some((one) => one.id === id && this.#lacks(id, one.version, range)),
    );
  }

  #lacks(id: string, version: string | undefined, range: string): boolean {
    return version === undefined || this.#settings.inRange(id, version, range) !== true;
  }

  /** Printers in the rule's scope that have the software and lack the cure; the one in trouble among them. */
  async #appropriate(
    rule: CompiledRule,
    wanted: WantedSoftware,
    first: string | undefined,
  ): Promise<string[]> {
    const found: string[] = first === undefined ? [] : [first];
    for (let after = ''; found.length < REMEDY_PRINTERS_MAX; ) {
      const page = await this.#settings.printersWith(wanted.id, after, PAGE);
      for (const { printer, structure } of page) {
        if (printer === first) continue;
        const context = contextOf(structure);
        const lacking = context.software.some(
          ({ id, version }) => id === wanted.id && this.#lacks(id, version, wanted.range),
        );
        if (lacking && inRuleScope(rule, context, this.#settings.inRange)) found.push(printer);
      }
      const last = page.at(-1);
      if (!last || page.length < PAGE) break;
      after = last.printer;
    }
    return found.slice(0, REMEDY_PRINTERS_MAX);
  }
}
