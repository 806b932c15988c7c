/**
 * The trouble rules in force: checked, tried on their own tests, stored as a revision, taken up by the engine.
 */
import type { TroubleRules } from '../../schemas/types.ts';
import type { Documents } from '../database/document-store.ts';
import type { DocumentRevision, DocumentService } from '../queries.ts';
import { type CompiledRules, compileRules } from './engine/index.ts';

export class Rules implements DocumentService<TroubleRules> {
  readonly #documents: Documents;
  readonly #use: (rules: CompiledRules) => Promise<void>;
  readonly #check: (document: unknown) => Promise<void>;

  constructor(
    documents: Documents,
    use: (rules: CompiledRules) => Promise<void>,
    check: (document: unknown) => Promise<void>,
  ) {
    this.#documents = documents;
    this.#use = use;
    this.#check = check;
  }

  get(name?: string): Promise<DocumentRevision<TroubleRules> | undefined> {
    return this.#documents.get('rules', name);
  }

  async put(document: unknown, by: string): Promise<{ revision: number; diagnostics: unknown[] }> {
    await this.#check(document);
    const rules = document as TroubleRules;
    const compiled = compileRules(rules);
    const { revision } = await this.#documents.put('rules', rules.rules, rules, by);
    await this.#use(compiled.rules);
    return { revision, diagnostics: compiled.diagnostics };
  }
}
