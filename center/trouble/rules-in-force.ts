/**
 * The trouble rules in force: checked, tried on their own tests, stored as a revision, taken up by the engine.
 */
import type { TroubleRules } from '../../schemas/types.ts';
import type { Documents } from '../database/document-store.ts';
import type { DocumentRevision, DocumentService } from '../queries.ts';
import { checkRules } from './engine/expectations.ts';
import { type CompiledRules, compileRules, type InRange } from './engine/index.ts';

export class Rules implements DocumentService<TroubleRules> {
  readonly #documents: Documents;
  readonly #use: (rules: CompiledRules) => Promise<void>;
  readonly #inRange: InRange;

  constructor(documents: Documents, use: (rules: CompiledRules) => Promise<void>, inRange: InRange) {
    this.#documents = documents;
    this.#use = use;
    this.#inRange = inRange;
  }

  get(name?: string): Promise<DocumentRevision<TroubleRules> | undefined> {
    return this.#documents.get('rules', name);
  }

  async put(document: unknown, by: string): Promise<{ revision: number; diagnostics: unknown[] }> {
    const rules = checkRules(document, this.#inRange);
    const compiled = compileRules(rules);
    const { revision } = await this.#documents.put('rules', rules.rules, rules, by);
    await this.#use(compiled.rules);
    return { revision, diagnostics: compiled.diagnostics };
  }
}
