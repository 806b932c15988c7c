/**
 * What is done about a trouble: software that cures it, offered to every printer for which it is appropriate; a word to
 * the operator; a request; a policy.
 */
import { createHash } from 'node:crypto';
import type { Logger } from 'pino';
import { Serial } from '../../base/serial.ts';
import type { CompiledCatalog } from '../../compatibility/index.ts';
import { reasonOf } from '../../schemas/errors.ts';
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
  /** Brings the printers to the campaign of this question; the first to ask makes it. */
  ask(question: {
    key: string;
    request: RemedyRequest;
    mode: 'automatic' | 'propose';
  }): Promise<{ campaign?: string; outcome: 'created' | 'joined' | 'nobody'; why?: string }>;
  /** What a rule may do by itself. */
  ruleMode(rule: string, auto: boolean): Promise<'automatic' | 'propose' | 'off'>;
}

export interface RemedyRequest {
  title?: string;
  trouble: string;
  software: WantedSoftware;
  printers: string[];
  cause: { kind: 'rule'; rule: string; question: string; trouble: string };
}

export interface RemedySettings {
  /** The catalog in force. */
  catalog(): CompiledCatalog | undefined;
  inRange: InRange;
  /** Printers with some software installed, a page at a time, by id. */
  printersWith(
    software: string,
    after: string,
    limit: number,
  ): Promise<{ printer: string; structure: Structure }[]>;
  structureOf(printer: string): Promise<Structure | undefined>;
  campaigns: RemedyCampaigns;
  request(printer: string, what: 'errors' | 'structure'): Promise<unknown>;
  setPolicy(printer: string, policy: Policy): Promise<void>;
  tell(what: string, details: { printer?: string; data: Record<string, unknown> }): void;
  /** Writes what came of it beside the trouble; resolves when it is written. */
  amend(trouble: string, proposal: Record<string, unknown>): Promise<void>;
  log: Logger;
}

const PAGE = 500;

/** From which version on each software has a cure for one of the codes. */
function fixing(catalog: CompiledCatalog | undefined, codes: string[]): WantedSoftware[] {
  return (catalog?.products ?? []).flatMap(({ id, releases }) => {
    const first = releases.find(
      ({ status, fixes }) => status === 'released' && fixes.some((code) => codes.includes(code)),
    );
    return first ? [{ id, range: `>=${first.version}` }] : [];
  });
}

/** Names what a rule means and does: another name is another question. */
export function ruleQuestion(rule: CompiledRule): string {
  const text = JSON.stringify([rule.fingerprint, rule.remedy ?? {}, rule.fleet], byName);
  return createHash('sha256').update(text).digest('base64url').slice(0, 16);
}

/** For `JSON.stringify`: members of objects in the order of their names. */
function byName(_name: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

export class Remedies {
  readonly #settings: RemedySettings;
  /** One after the other: two printers with the same trouble must not make two campaigns. */
  readonly #serial = new Serial();
  /** What is still to be written beside troubles. */
  readonly #notes = new Set<Promise<void>>();

  constructor(settings: RemedySettings) {
    this.#settings = settings;
  }

  /** Does what the rule says about a trouble that has opened. */
  onNews(news: TroubleNews, row: TroubleRow, rule: CompiledRule | undefined): Promise<void> {
    if ((news !== 'opened' && news !== 'reopened') || !rule?.remedy) return Promise.resolve();
    return this.#serial
      .run(() => this.#begin(row, rule))
      .catch((error: unknown) =>
        this.#settings.log.error({ trouble: row.id, reason: reasonOf(error) }, 'a remedy could not be begun'),
      );
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await this.#serial.idle();
    await Promise.all(this.#notes);
  }

  /** Writes beside a trouble without waiting for it: troubles that open together are written together. */
  #note(trouble: string, proposal: Record<string, unknown>): void {
    const written = this.#settings
      .amend(trouble, proposal)
      .catch((error: unknown) =>
        this.#settings.log.error({ trouble, reason: reasonOf(error) }, 'a remedy could not be written'),
      )
      .finally(() => this.#notes.delete(written));
    this.#notes.add(written);
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
    const { amend, catalog, campaigns, tell } = this.#settings;
    const printer = row.printer ?? undefined;
    const offered = software === 'fixes' ? fixing(catalog(), row.codes) : [software as WantedSoftware];
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
    const question = ruleQuestion(rule);
    const request: RemedyRequest = {
      title: rule.title ?? rule.id,
      trouble: row.id,
      software: wanted,
      printers,
      cause: { kind: 'rule', rule: rule.id, question, trouble: row.id },
    };
    const { targets, fine, excluded, examples } = await campaigns.preview(request);
    const mode = await campaigns.ruleMode(rule.id, rule.auto);
    const proposal: Record<string, unknown> = {
      software: wanted,
      printers: printers.length,
      targets,
      fine,
      excluded,
      examples,
      approval: mode === 'automatic' ? 'auto' : 'needed',
    };
    if (mode === 'off') {
      this.#note(row.id, { ...proposal, explanation: 'Corrections are off for this rule (rollout.get).' });
      return;
    }
    const key = `rule ${rule.id} ${question} ${wanted.id} ${wanted.range}`;
    const { campaign, outcome, why } = await campaigns.ask({ key, request, mode });
    const told = {
      ...proposal,
      ...(campaign === undefined ? {} : { campaign }),
      ...(why === undefined ? {} : { explanation: why }),
    };
    if (outcome !== 'created') {
      this.#note(row.id, told);
      return;
    }
    await amend(row.id, told);
    tell('proposed', {
      printer,
      data: { trouble: row.id, rule: rule.id, campaign, targets, excluded },
    });
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
