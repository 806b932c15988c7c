/**
 * The catalog in force: checked, stored as a revision, compiled once, and the fleet judged again under it.
 */

import { type CompiledCatalog, compileCatalog, type ImpactResult } from '../../compatibility/index.ts';
import { agreementWarnings } from '../../releases/agreement.ts';
import type { ReleaseTarget } from '../../releases/targets.ts';
import { PlatenError } from '../../schemas/errors.ts';
import type { Catalog } from '../../schemas/types.ts';
import { schemaFault } from '../../schemas/validate.ts';
import type { Conclude } from '../conclusions.ts';
import type { Documents } from '../database/document-store.ts';
import type {
  CatalogNames,
  CatalogPut,
  CatalogService,
  DocumentRevision,
  FirmwareAge,
  Gone,
} from '../queries.ts';
import { firmwareAge } from '../readings/firmware.ts';
import { CatalogAssessor, compileChecked } from './assessor.ts';
import type { Choosing } from './choosing.ts';

/** What is worked out of a catalog that somebody wrote, beside the event loop. */
export interface CatalogQuestions {
  /** @throws PlatenError catalog/invalid, request/too-heavy */
  check(document: unknown): Promise<void>;
  impact(document: unknown, current: Catalog | undefined, signal?: Gone): Promise<ImpactResult>;
}

/** Catalogs that concern so many printers that a person has to agree. */
export interface CatalogConfirm {
  /** So many may be corrected without asking. */
  limit(): Promise<number>;
  /** @param printers undefined: nobody knows how many */
  hold(catalog: string, printers: number | undefined, most: number): Promise<void>;
  /** The corrections of a catalog need no agreement, whatever was said of it before. */
  agree(catalog: string): Promise<void>;
  /** Name of the latest catalog whose corrections needed no agreement; undefined: there is none. */
  lastAgreed(): Promise<string | undefined>;
}

function checked(document: unknown): Catalog {
  const fault = schemaFault('catalog', document);
  if (fault !== undefined) throw new PlatenError('catalog/invalid', { count: 1, reason: fault });
  return document as Catalog;
}

/** Between asking and putting some printers come and go. */
const EXPECT_FACTOR_MAX = 1.1;

export interface CatalogSources {
  documents: Documents;
  /** The signed releases, as they were seen last. */
  released(): readonly ReleaseTarget[];
  questions: CatalogQuestions;
  choosing: Choosing;
  confirm: CatalogConfirm;
  conclude: Conclude;
}

export class Catalogs implements CatalogService {
  readonly #sources: CatalogSources;
  #assessor = new CatalogAssessor('', undefined);
  #current: Catalog | undefined;

  constructor(sources: CatalogSources) {
    this.#sources = sources;
  }

  /** The assessor of the catalog in force. */
  get assessor(): CatalogAssessor {
    return this.#assessor;
  }

  get current(): Catalog | undefined {
    return this.#current;
  }

  /** Whether a version lies in a range, in the order that the catalog in force gives to versions. */
  readonly inRange: CatalogAssessor['inRange'] = (software, version, range) =>
    this.#assessor.inRange(software, version, range);

  /** The same for many versions and one range. */
  readonly rangeMatcher: CatalogAssessor['rangeMatcher'] = (software, range) =>
    this.#assessor.rangeMatcher(software, range);

  /** Reads the stored catalog; done once at the start. */
  async load(): Promise<void> {
    const revision = await this.#sources.documents.get('catalog');
    // It was checked when it was put, perhaps by an earlier version that refused less: it stays in force.
    if (revision) this.#use(revision.document, compileCatalog(revision.document).catalog);
  }

  #use(document: Catalog, catalog: CompiledCatalog): void {
    this.#assessor = new CatalogAssessor(document.catalog, catalog, {
      choosing: this.#sources.choosing,
      document,
    });
    this.#current = document;
  }

  get(name?: string): Promise<DocumentRevision<Catalog> | undefined> {
    return this.#sources.documents.get('catalog', name);
  }

  /**
   * The catalog that misfits are counted against: the latest one whose corrections needed no agreement. Counted against one
   * that waits for agreement, its misfits would be nothing new, and any further catalog would let them through.
   */
  async #agreed(): Promise<Catalog | undefined> {
    const { confirm, documents } = this.#sources;
    const name = await confirm.lastAgreed();
    if (name === this.#current?.catalog) return this.#current;
    return name === undefined ? undefined : (await documents.get('catalog', name))?.document;
  }

  /** Of how many printers a catalog makes misfits; undefined when it takes too long to find out. */
  async #misfits(document: unknown): Promise<number | undefined> {
    try {
      return (await this.#sources.questions.impact(document, await this.#agreed())).misfits;
    } catch (error) {
      if (
        error instanceof PlatenError &&
        (error.code === 'request/too-heavy' || error.code === 'request/busy')
      ) {
        return undefined;
      }
      throw error;
    }
  }

  /**
   * Puts a catalog in force.
   * @param expect how many misfits it makes: with it their corrections need no agreement
   * @throws PlatenError request/conflict when it makes more misfits than expected
   */
  async put(document: unknown, by: string, expect?: { printers: number }): Promise<CatalogPut> {
    await this.#sources.questions.check(document);
    const catalog = checked(document);
    const { diagnostics, catalog: compiled } = compileChecked(catalog);
    const misfits = await this.#misfits(document);
    if (expect && misfits !== undefined && misfits > expect.printers * EXPECT_FACTOR_MAX) {
      throw new PlatenError('request/conflict', {
        reason: `The catalog makes misfits of ${misfits} printers, not of ${expect.printers} (catalog.impact tells of whom)`,
      });
    }
    const most = await this.#sources.confirm.limit();
    const held = expect === undefined && (misfits === undefined || misfits > most);
    // Before it is in force: no correction may come between.
    if (held) await this.#sources.confirm.hold(catalog.catalog, misfits, most);
    else await this.#sources.confirm.agree(catalog.catalog);
    const { revision } = await this.#sources.documents.put('catalog', catalog.catalog, catalog, by);
    this.#use(catalog, compiled);
    this.#sources.conclude({ kind: 'catalog' });
    // Where it differs from what is signed it holds all the same: it may have been put before its releases are.
    const warnings = agreementWarnings(catalog, this.#sources.released());
    return {
      revision,
      diagnostics: [...diagnostics, ...warnings],
      ...(misfits === undefined ? {} : { misfits }),
      corrections: held ? 'propose' : 'automatic',
    };
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

  firmwareAge(software: string, version: string): FirmwareAge {
    return firmwareAge(this.#assessor.compiled, software, version);
  }

  /** What a catalog would change. `misfits` is the number that `put` compares with what is expected. */
  async impact(document: unknown, signal?: Gone): Promise<ImpactResult> {
    const { questions } = this.#sources;
    const result = await questions.impact(document, this.#current, signal);
    const agreed = await this.#agreed();
    if (agreed === this.#current) return result;
    return { ...result, misfits: (await questions.impact(document, agreed, signal)).misfits };
  }
}
