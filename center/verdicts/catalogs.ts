/**
 * The catalog in force: checked, stored as a revision, compiled once, and the fleet judged again under it.
 */

import { type CompiledCatalog, compileCatalog } from '../../compatibility/index.ts';
import { agreementWarnings } from '../../releases/agreement.ts';
import type { ReleaseTarget } from '../../releases/targets.ts';
import { PlatenError } from '../../schemas/errors.ts';
import type { Catalog } from '../../schemas/types.ts';
import { schemaFault } from '../../schemas/validate.ts';
import type { Documents } from '../database/document-store.ts';
import type { CatalogNames, CatalogService, DocumentRevision } from '../queries.ts';
import { CatalogAssessor, compileChecked } from './assessor.ts';
import type { Choosing } from './choosing.ts';

/** What is worked out of a catalog that somebody wrote, beside the event loop. */
export interface CatalogQuestions {
  /** @throws PlatenError catalog/invalid, request/too-heavy */
  check(document: unknown): Promise<void>;
  impact(document: unknown, current: Catalog | undefined): Promise<Record<string, unknown>>;
}

function checked(document: unknown): Catalog {
  const fault = schemaFault('catalog', document);
  if (fault !== undefined) throw new PlatenError('catalog/invalid', { count: 1, reason: fault });
  return document as Catalog;
}

export class Catalogs implements CatalogService {
  readonly #documents: Documents;
  readonly #questions: CatalogQuestions;
  readonly #choosing: Choosing;
  /** The signed releases, as they were seen last. */
  readonly #released: () => readonly ReleaseTarget[];
  #assessor = new CatalogAssessor('', undefined);
  #current: Catalog | undefined;
  #changed: () => void = () => undefined;

  constructor(
    documents: Documents,
    released: () => readonly ReleaseTarget[],
    questions: CatalogQuestions,
    choosing: Choosing,
  ) {
    this.#documents = documents;
    this.#released = released;
    this.#questions = questions;
    this.#choosing = choosing;
  }

  /** The assessor of the catalog in force. */
  get assessor(): CatalogAssessor {
    return this.#assessor;
  }

  get current(): Catalog | undefined {
    return this.#current;
  }

  onChanged(listener: () => void): void {
    this.#changed = listener;
  }

  /** Takes up the stored catalog; done once at the start. */
  async load(): Promise<void> {
    const revision = await this.#documents.get('catalog');
    // It was checked when it was put, perhaps by an earlier version that refused less: it stays in force.
    if (revision) this.#use(revision.document, compileCatalog(revision.document).catalog);
  }

  #use(document: Catalog, catalog: CompiledCatalog): void {
    this.#assessor = new CatalogAssessor(document.catalog, catalog, { choosing: this.#choosing, document });
    this.#current = document;
  }

  get(name?: string): Promise<DocumentRevision<Catalog> | undefined> {
    return this.#documents.get('catalog', name);
  }

  async put(document: unknown, by: string): Promise<{ revision: number; diagnostics: unknown[] }> {
    await this.#questions.check(document);
    const catalog = checked(document);
    const { catalog: compiled, diagnostics } = compileChecked(catalog);
    const { revision } = await this.#documents.put('catalog', catalog.catalog, catalog, by);
    this.#use(catalog, compiled);
    this.#changed();
    // Where it differs from what is signed it holds all the same: it may have been put before its releases are.
    const warnings = agreementWarnings(catalog, this.#released());
    return { revision, diagnostics: [...diagnostics, ...warnings] };
  }

  names(): CatalogNames {
    const compiled = this.#assessor.compiled;
    return {
      software: [...(compiled?.productsOf.keys() ?? [])],
      models: [...(compiled?.apparatus.keys() ?? [])],
      releases: (software) => (compiled?.productsOf.get(software) ?? []).flatMap(({ releases }) => releases),
    };
  }

  checkRange(software: string, range: string): void {
    this.#assessor.rangeMatcher(software, range);
  }

  impact(document: unknown): Promise<Record<string, unknown>> {
    return this.#questions.impact(document, this.#current);
  }
}
