/**
 * Starts the remedy of a trouble: offers the software that cures it to every printer for which it is appropriate, tells
 * the operator, sends a request, or sets a policy.
 */
import { createHash } from 'node:crypto';
import type { Logger } from 'pino';
import { Serial } from '../../base/serial.ts';
import type { CompiledCatalog } from '../../compatibility/index.ts';
import { reasonOf } from '../../schemas/errors.ts';
import type { Policy } from '../../schemas/types.ts';
import type { Conclusion } from '../conclusions.ts';
import type { FleetEvents } from '../fleet/events.ts';
import type { Policies } from '../fleet/policies.ts';
import type { PrinterRequests } from '../fleet/requests.ts';
import type { Catalogs } from '../verdicts/catalogs.ts';
import { contextOf, type InRange, inRuleScope } from './engine/context.ts';
import { REMEDY_PRINTERS_MAX } from './engine/limits.ts';
import type { CompiledRule } from './engine/rule.ts';
import type { TroubleRow, WantedSoftware } from './rows.ts';
import type { TroubleStore } from './store.ts';
import type { Troubles } from './troubles.ts';

/** What a remedy by software needs of campaigns. */
export interface RemedyCampaigns {
  preview(request: RemedyRequest): Promise<{
    targets: number;
    fine: number;
    excluded: Record<string, number>;
    examples: unknown[];
  }>;
  /** Adds the printers to the campaign for this question; the first to ask creates it. */
  ask(question: {
    key: string;
    request: RemedyRequest;
    mode: 'automatic' | 'propose';
  }): Promise<{ campaign?: string; outcome: 'created' | 'joined' | 'nobody'; why?: string }>;
  /** What a rule may do on its own. */
  ruleMode(rule: string, auto: boolean): Promise<'automatic' | 'propose' | 'off'>;
}

export interface RemedyRequest {
  title?: string;
  trouble: string;
  software: WantedSoftware;
  printers: string[];
  cause: { kind: 'rule'; rule: string; question: string; trouble: string };
}

export interface RemedySources {
  rows: Pick<TroubleStore, 'printersWith' | 'structuresOf'>;
  troubles: Pick<Troubles, 'amend'>;
  catalogs: Pick<Catalogs, 'assessor'>;
  campaigns: RemedyCampaigns;
  requests: Pick<PrinterRequests, 'ask'>;
  policies: Pick<Policies, 'set'>;
  events: Pick<FleetEvents, 'tell'>;
  log: Logger;
}

const PAGE = 500;

/** By software: the first version that cures one of the codes. */
function fixing(catalog: CompiledCatalog | undefined, codes: string[]): WantedSoftware[] {
  return (catalog?.products ?? []).flatMap(({ id, releases }) => {
    const first = releases.find(
      ({ status, fixes }) => status === 'released' && fixes.some((code) => codes.includes(code)),
    );
    return first ? [{ id, range: `>=${first.version}` }] : [];
  });
}

/** Identifies what a rule means and does: with another name it is another question. */
export function ruleQuestion(rule: CompiledRule): string {
  const text = JSON.stringify([rule.fingerprint, rule.remedy ?? {}, rule.fleet], byName);
  return createHash('sha256').update(text).digest('base64url').slice(0, 16);
}

/** For `JSON.stringify`: sorts the members of objects by name. */
function byName(_name: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

export class Remedies {
  readonly #sources: RemedySources;
  /** One after the other: two printers with the same trouble must not create two campaigns. */
  readonly #serial = new Serial();
  /** Notes on troubles that are still being written. */
  readonly #notes = new Set<Promise<void>>();
  #stopped = false;

  constructor(sources: RemedySources) {
    this.#sources = sources;
  }

  /** Starts the remedy of a trouble that has opened. */
  hear(conclusion: Conclusion): void | Promise<void> {
    if (conclusion.kind !== 'trouble' || this.#stopped) return;
    const { news, row, rule } = conclusion;
    if ((news !== 'opened' && news !== 'reopened') || !rule?.remedy) return;
    return this.#serial.run(() => this.#begin(row, rule));
  }

  /** Waits for running work. The next start begins the remedies of troubles that open from now on. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#serial.idle();
    await Promise.all(this.#notes);
  }

  /** Writes a note on a trouble without waiting for it, so that troubles that open together are written together. */
  #note(trouble: string, proposal: Record<string, unknown>): void {
    const written = this.#amend(trouble, proposal)
      .catch((error: unknown) =>
        this.#sources.log.error({ trouble, reason: reasonOf(error) }, 'cannot write a remedy'),
      )
      .finally(() => this.#notes.delete(written));
    this.#notes.add(written);
  }

  #amend(trouble: string, proposal: Record<string, unknown>): Promise<void> {
    return this.#sources.troubles.amend(trouble, (row) => ({ proposal: { ...row.proposal, ...proposal } }));
  }

  async #begin(row: TroubleRow, rule: CompiledRule): Promise<void> {
    const { requests, policies, events } = this.#sources;
    const { notify, request: asked, policy, software } = rule.remedy ?? {};
    const printer = row.printer ?? undefined;
    if (typeof notify === 'string') {
      events.tell('trouble', 'notify', { printer, data: { trouble: row.id, rule: rule.id, text: notify } });
      this.#note(row.id, { notify });
    }
    if ((asked === 'errors' || asked === 'structure') && printer !== undefined) {
      await requests.ask(printer, asked);
      this.#note(row.id, { requested: asked });
    }
    if (typeof policy === 'object' && policy !== null && printer !== undefined) {
      await policies.set(printer, policy as Policy);
      this.#note(row.id, { policy: policy as Record<string, unknown> });
    }
    if (software !== undefined) await this.#software(row, rule, software);
  }

  async #software(row: TroubleRow, rule: CompiledRule, software: unknown): Promise<void> {
    const { catalogs, campaigns, events } = this.#sources;
    const printer = row.printer ?? undefined;
    const offered =
      software === 'fixes' ? fixing(catalogs.assessor.compiled, row.codes) : [software as WantedSoftware];
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
    const noted = {
      ...proposal,
      ...(campaign === undefined ? {} : { campaign }),
      ...(why === undefined ? {} : { explanation: why }),
    };
    if (outcome !== 'created') {
      this.#note(row.id, noted);
      return;
    }
    await this.#amend(row.id, noted);
    events.tell('trouble', 'proposed', {
      printer,
      data: { trouble: row.id, rule: rule.id, campaign, targets, excluded },
    });
  }

  /** The first software on offer that the printer has in a version without the cure. */
  async #fitting(
    offered: WantedSoftware[],
    printer: string | undefined,
  ): Promise<WantedSoftware | undefined> {
    if (printer === undefined) return offered[0];
    const structure = (await this.#sources.rows.structuresOf([printer])).get(printer);
    if (!structure) return undefined;
    const { software } = contextOf(structure);
    return offered.find(({ id, range }) =>
      software.some((one) => one.id === id && this.#lacks(id, one.version, range)),
    );
  }

  readonly #inRange: InRange = (id, version, range) =>
    this.#sources.catalogs.assessor.inRange(id, version, range);

  #lacks(id: string, version: string | undefined, range: string): boolean {
    return version === undefined || this.#inRange(id, version, range) !== true;
  }

  /** Printers in the rule's scope that have the software without the cure, including the one in trouble. */
  async #appropriate(
    rule: CompiledRule,
    wanted: WantedSoftware,
    first: string | undefined,
  ): Promise<string[]> {
    const found: string[] = first === undefined ? [] : [first];
    for (let after = ''; found.length < REMEDY_PRINTERS_MAX; ) {
      const page = await this.#sources.rows.printersWith(wanted.id, after, PAGE);
      for (const { printer, structure } of page) {
        if (printer === first) continue;
        const context = contextOf(structure);
        const lacking = context.software.some(
          ({ id, version }) => id === wanted.id && this.#lacks(id, version, wanted.range),
        );
        if (lacking && inRuleScope(rule, context, this.#inRange)) found.push(printer);
      }
      const last = page.at(-1);
      if (!last || page.length < PAGE) break;
      after = last.printer;
    }
    return found.slice(0, REMEDY_PRINTERS_MAX);
  }
}
