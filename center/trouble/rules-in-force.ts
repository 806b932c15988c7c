/**
 * The trouble rules in force: checks a document, runs its own tests, stores it as a revision and puts it in force.
 */
import type { TroubleRules } from '../../schemas/types.ts';
import type { Documents } from '../database/document-store.ts';
import type { DocumentRevision, DocumentService } from '../queries.ts';
import { type CompiledRules, compileRules } from './engine/index.ts';
import { ruleQuestion } from './remedies.ts';

export interface RulesSources {
  documents: Documents;
  /** @throws PlatenError rules/invalid, request/too-heavy, request/busy */
  check(document: unknown): Promise<void>;
  campaigns: { noteRules(rules: readonly { rule: string; question: string }[]): Promise<void> };
  troubles: { use(rules: CompiledRules): Promise<void> };
}

export class Rules implements DocumentService<TroubleRules> {
  readonly #sources: RulesSources;

  constructor(sources: RulesSources) {
    this.#sources = sources;
  }

  get(name?: string): Promise<DocumentRevision<TroubleRules> | undefined> {
    return this.#sources.documents.get('rules', name);
  }

  async put(document: unknown, by: string): Promise<{ revision: number; diagnostics: unknown[] }> {
    const { check, campaigns, troubles } = this.#sources;
    await check(document);
    const rules = document as TroubleRules;
    const compiled = compileRules(rules);
    const { revision } = await this.#sources.documents.put('rules', rules.rules, rules, by);
    const { rules: list } = compiled.rules;
    await campaigns.noteRules(list.map((rule) => ({ rule: rule.id, question: ruleQuestion(rule) })));
    await troubles.use(compiled.rules);
    return { revision, diagnostics: compiled.diagnostics };
  }
}
