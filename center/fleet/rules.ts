/**
 * The trouble rules in force: checked, tried on their own tests, stored as a revision, taken up by the engine.
 */
import { PlatenError } from '../../schemas/errors.ts';
import type { TroubleRules } from '../../schemas/types.ts';
import { checkSchema } from '../../schemas/validate.ts';
import type { DocumentRevision, DocumentService } from '../services.ts';
import type { Documents } from '../store/documents.ts';
import { type CompiledRules, compileRules, type Diagnostic } from '../trouble/index.ts';

function checked(document: unknown): TroubleRules {
  try {
    return checkSchema('rules', document);
  } catch (error) {
    if (error instanceof PlatenError)
      throw new PlatenError('rules/invalid', { count: 1, reason: error.message });
    throw error;
  }
}

/**
 * Compiles rules.
 * @throws PlatenError rules/invalid with the first error when there is any
 */
export function compileChecked(document: TroubleRules): { rules: CompiledRules; diagnostics: Diagnostic[] } {
  const { rules, diagnostics } = compileRules(document);
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  if (errors[0]) {
    throw new PlatenError('rules/invalid', {
      count: errors.length,
      reason: `${errors[0].path}: ${errors[0].message}`,
    });
  }
  return { rules, diagnostics };
}

export class Rules implements DocumentService<TroubleRules> {
  readonly #documents: Documents;
  readonly #use: (rules: CompiledRules) => Promise<void>;

  constructor(documents: Documents, use: (rules: CompiledRules) => Promise<void>) {
    this.#documents = documents;
    this.#use = use;
  }

  async get(name?: string): Promise<DocumentRevision<TroubleRules> | undefined> {
    const revision = await this.#documents.get('rules', name);
    return (
      revision && {
        revision: revision.number,
        at: revision.putAt,
        by: revision.putBy,
        document: revision.document,
      }
    );
  }

  async put(document: unknown, by: string): Promise<{ revision: number; diagnostics: unknown[] }> {
    const rules = checked(document);
    const compiled = compileChecked(rules);
    const revision = await this.#documents.put('rules', rules.rules, rules, by);
    await this.#use(compiled.rules);
    return { revision: revision.number, diagnostics: compiled.diagnostics };
  }
}
