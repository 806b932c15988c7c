/**
 * Judges structures and chooses remedies for the fleet. A catalog is compiled once and each distinct structure assessed
 * once, because a fleet of a million printers has a few thousand distinct structures.
 */

import {
  attainable,
  type Budget,
  type Choice,
  type ChooseOptions,
  type CompiledCatalog,
  compileCatalog,
  type Diagnostic,
  type Judgement,
  Memo,
} from '../../compatibility/index.ts';
import { signatureOf } from '../../compatibility/signature.ts';
import { inRange, SCHEMES, type VersionRange } from '../../compatibility/versions.ts';
import { PlatenError, reasonOf } from '../../schemas/errors.ts';
import type { Catalog, Structure } from '../../schemas/types.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { Choosing } from './choosing.ts';
import type { Assessment, Assessor } from './verdicts.ts';

const NOTHING_KNOWN: Judgement = {
  status: 'unknown',
  findings: [],
  unknown: [
    {
      rule: 'there is no catalog',
      subjects: ['apparatus'],
      severity: 'function',
      message: 'No catalog was put yet, so nothing can be judged.',
    },
  ],
};

/**
 * Compiles a catalog.
 * @throws PlatenError catalog/invalid with its first error
 */
export function compileChecked(document: Catalog): { catalog: CompiledCatalog; diagnostics: Diagnostic[] } {
  const { catalog, diagnostics } = compileCatalog(document);
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  if (errors[0]) {
    throw new PlatenError('catalog/invalid', {
      count: errors.length,
      reason: `${errors[0].path}: ${errors[0].message}`,
    });
  }
  return { catalog, diagnostics };
}

/** Assesses structures against one catalog and caches the results. */
export class CatalogAssessor implements Assessor {
  readonly catalog: string;
  readonly #compiled: CompiledCatalog | undefined;
  /** Judgements and choices by signature: a campaign asks the same for thousands of equal printers. */
  readonly #memo: Memo | undefined;
  /** Finished assessments by signature, oldest first, so that a reconnecting fleet needs only lookups. */
  readonly #assessed = new Map<string, Assessment>();

  /** The choosing thread, with the catalog as a document; undefined: chooses in this thread. */
  readonly #thread: { choosing: Choosing; document: Catalog } | undefined;

  constructor(
    name: string,
    compiled: CompiledCatalog | undefined,
    thread?: { choosing: Choosing; document: Catalog },
  ) {
    this.catalog = name;
    this.#thread = thread;
    this.#compiled = compiled;
    this.#memo = compiled && new Memo(compiled, CENTER_LIMITS.judgement_memo_max);
  }

  get compiled(): CompiledCatalog | undefined {
    return this.#compiled;
  }

  judge(structure: Structure): Judgement {
    return this.#memo ? this.#memo.judge(structure) : NOTHING_KNOWN;
  }

  /** Released versions of a software, newest first. */
  releasedVersions(software: string): string[] {
    const products = this.#compiled?.productsOf.get(software) ?? [];
    return products
      .flatMap(({ releases }) => releases.filter(({ status }) => status === 'released'))
      .map(({ version }) => version)
      .reverse();
  }

  /** Whether the catalog lists a release as withdrawn. */
  isWithdrawn(software: string, version: string): boolean {
    const products = this.#compiled?.productsOf.get(software) ?? [];
    return products.some(({ releases }) =>
      releases.some((release) => release.version === version && release.status === 'withdrawn'),
    );
  }

  /** Models that the slots of an apparatus accept for a kind of unit. */
  modelsFor(apparatus: string, kind: string): string[] {
    const slots = this.#compiled?.apparatus.get(apparatus)?.slots ?? [];
    return [...new Set(slots.filter((slot) => slot.kind === kind).flatMap(({ modelList }) => modelList))];
  }

  /** Whether a version is in a range, in the catalog's order for the software; undefined when that can't be decided. */
  inRange(software: string, version: string, range: string): boolean | undefined {
    const scheme = this.#compiled?.productsOf.get(software)?.[0]?.scheme ?? SCHEMES.semver;
    const key = scheme.parse(version);
    if (key === undefined) return undefined;
    try {
      return inRange(scheme, scheme.range(range), key);
    } catch {
      // An invalid range decides nothing; the compiler of the rules has warned about it.
      return undefined;
    }
  }

  /**
   * A test whether versions of a software are in a range, in the catalog's order.
   * @throws PlatenError request/invalid for an invalid range
   */
  rangeMatcher(software: string, text: string): (version: string) => boolean {
    const scheme = this.#compiled?.productsOf.get(software)?.[0]?.scheme ?? SCHEMES.semver;
    let range: VersionRange;
    if (text.length > CENTER_LIMITS.request_range_characters_max) {
      throw new PlatenError('request/invalid', {
        reason: `the range has ${text.length} characters, the limit is ${CENTER_LIMITS.request_range_characters_max}`,
      });
    }
    try {
      range = scheme.range(text);
    } catch (error) {
      throw new PlatenError('request/invalid', { reason: `the range "${text}": ${reasonOf(error)}` });
    }
    return (version) => {
      const key = scheme.parse(version);
      return key !== undefined && inRange(scheme, range, key);
    };
  }

  /**
   * Chooses the best set of parts for a structure under the given wishes: immediately if the choice is cached or
   * refused, else in the choosing thread.
   * @param took called with the time that the thread took, in milliseconds
   * @param verdict whether a verdict waits for the choice
   */
  choose(
    structure: Structure,
    wish: ChooseOptions,
    took?: (ms: number) => void,
    verdict = false,
  ): Choice | Promise<Choice> {
    const memo = this.#memo;
    if (!memo) return { outcome: 'impossible', explanation: 'No catalog was put yet.' };
    // Building the search takes time quadratic in the parts, before it first checks its budget.
    if (partsOf(structure) > CENTER_LIMITS.choose_parts_max) {
      return {
        outcome: 'gave-up',
        explanation: `Nothing is chosen for more than ${CENTER_LIMITS.choose_parts_max} units and pieces of software.`,
      };
    }
    const recall = (): Choice | undefined => memo.recall(structure, wish);
    const known = recall();
    if (known) return known;
    if (!this.#thread) return memo.choose(structure, wish, choiceBudget());
    const { choosing, document } = this.#thread;
    const job = { catalog: document, structure, options: wish, verdict, recall };
    return choosing.choose(job).then(({ choice, ms }) => {
      memo.remember(structure, wish, choice);
      took?.(ms);
      return choice;
    });
  }

  /** The cached result of `assess` for an equal structure. */
  known(structure: Structure): Assessment | undefined {
    return this.#assessed.get(signatureOf(structure));
  }

  #remember(structure: Structure, assessment: Assessment): Assessment {
    const signature = signatureOf(structure);
    if (signature.length > CENTER_LIMITS.assessed_signature_characters_max) return assessment;
    if (this.#assessed.size >= CENTER_LIMITS.judgement_memo_max) {
      this.#assessed.delete(this.#assessed.keys().next().value as string);
    }
    this.#assessed.set(signature, assessment);
    return assessment;
  }

  assess(structure: Structure, took?: (ms: number) => void): Assessment | Promise<Assessment> {
    const judgement = this.judge(structure);
    if (judgement.status !== 'incompatible') return this.#remember(structure, judgement);
    const choice = this.choose(structure, {}, took, true);
    if (choice instanceof Promise)
      return choice.then((chosen) => this.#conclude(structure, judgement, chosen));
    return this.#conclude(structure, judgement, choice);
  }

  #conclude(structure: Structure, { status, findings, unknown }: Judgement, choice: Choice): Assessment {
    // A best set that no steps lead to is only explained; the remedy must be reachable.
    const doable = attainable(choice);
    const suggestions = (choice.suggestions ?? []).map(({ text }) => text);
    const explanation = [choice.explanation, ...suggestions].filter(
      (text) => text !== undefined && text !== '',
    );
    const assessment: Assessment = {
      status,
      findings,
      unknown,
      ...(doable ? { remedy: doable.remedy } : {}),
      ...(explanation.length > 0 ? { explanation: explanation.join('\n') } : {}),
    };
    // Not cached, because another try may have more time.
    return choice.outcome === 'gave-up' ? assessment : this.#remember(structure, assessment);
  }
}

/** The number of units and pieces of software. */
export function partsOf({ apparatus, units }: Structure): number {
  let parts = units.length + (apparatus.software?.length ?? 0);
  for (const { software } of units) parts += software?.length ?? 0;
  return parts;
}

/** The time budget to choose for one structure; starts now. */
export function choiceBudget(): Budget {
  const ms = CENTER_LIMITS.choose_budget_ms_max;
  const started_ms = performance.now();
  const spent = (): number => (performance.now() - started_ms) / ms;
  return { exhausted: () => spent() > 1, spent, ms };
}
