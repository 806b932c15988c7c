/**
 * Checks the names in requests: software, releases, models, rules, troubles and printers must exist, because a misspelt
 * one would quietly match no printer, or every one.
 */
import { type ErrorCode, PlatenError } from '../../schemas/errors.ts';
import { didYouMean } from '../../schemas/nearest-name.ts';
import type { PrinterFilter, TroubleRules } from '../../schemas/types.ts';
import type { Term } from '../../schemas/where.ts';
import { rangesOf } from '../fleet/filter-sql.ts';
import { termsOf } from '../fleet/fleet-queries.ts';
import type { FleetFilter } from '../queries.ts';
import type { Capabilities } from './capabilities.ts';

/** What is looked at to say what is known. */
export type NameSources = Pick<
  Capabilities,
  'catalog' | 'fleet' | 'releases' | 'rules' | 'summary' | 'troubles'
>;

/** Software named in a request. */
export interface NamedSoftware {
  id: string;
  range?: string;
}

/** Printers with a similar prefix that a suggestion is chosen from. */
const LIKE_PRINTERS_MAX = 500;

function unknown(code: ErrorCode, id: string, known: Iterable<string>): PlatenError {
  return new PlatenError(code, { id, nearest: didYouMean(id, known) });
}

/** Software ids in the catalog or in the signed releases. */
function softwareIds({ catalog, releases }: NameSources): Set<string> {
  return new Set([...catalog.names().software, ...releases.list().map(({ custom }) => custom.software)]);
}

/**
 * Checks the software that a campaign is to install.
 * @throws PlatenError request/unknown-software, request/invalid for an invalid range
 */
export function checkSoftware(software: NamedSoftware, sources: NameSources): void {
  const known = softwareIds(sources);
  if (!known.has(software.id)) throw unknown('request/unknown-software', software.id, known);
  if (software.range !== undefined) sources.catalog.checkRange(software.id, software.range);
}

/** A release, as `id@version` names it. */
export interface NamedRelease {
  id: string;
  version: string;
  staged: boolean;
}

/**
 * The release that `id@version` names.
 * @throws PlatenError request/unknown-software, request/unknown-release, request/conflict for a withdrawn one
 */
export function namedRelease(name: string, sources: NameSources): NamedRelease {
  const at = name.lastIndexOf('@');
  const [id, version] = [name.slice(0, at), name.slice(at + 1)];
  checkSoftware({ id }, sources);
  const catalogued = sources.catalog.names().releases(id);
  const signed = sources.releases.list().filter(({ custom }) => custom.software === id);
  const found = catalogued.find((release) => release.version === version);
  if (found?.status === 'withdrawn') {
    throw new PlatenError('request/conflict', { reason: `The release ${name} is withdrawn` });
  }
  if (!found && !signed.some(({ custom }) => custom.version === version)) {
    const versions = [...catalogued, ...signed.map(({ custom }) => custom)].map((each) => each.version);
    throw unknown('request/unknown-release', name, new Set(versions.map((each) => `${id}@${each}`)));
  }
  return { id, version, staged: found?.status === 'staged' };
}

async function isAnywhere(filter: PrinterFilter, { fleet }: NameSources): Promise<boolean> {
  return (await fleet.list(filter, { limit: 1, cursor: undefined })).items.length > 0;
}

/**
 * Checks the rule that a request names: an active rule, or the rule of a stored trouble.
 * @throws PlatenError request/unknown-rule
 */
export async function checkRule(rule: string, sources: NameSources): Promise<void> {
  const { rules, troubles } = sources;
  const known = ((await rules.get())?.document.list ?? []).map(({ id }) => id);
  if (known.includes(rule)) return;
  const { items } = await troubles.list({ rule }, { limit: 1, cursor: undefined });
  if (items.length === 0) throw unknown('request/unknown-rule', rule, known);
}

/** A name in a document that nothing known has. */
export interface NameWarning {
  path: string;
  severity: 'warning';
  message: string;
}

/**
 * Names in trouble rules that neither the catalog nor a release has. They are warnings, because rules may come before the
 * catalog that they speak of.
 */
export function unknownRuleNames({ list }: TroubleRules, sources: NameSources): NameWarning[] {
  const models = sources.catalog.names().models;
  const software = softwareIds(sources);
  const warnings: NameWarning[] = [];
  const check = (path: string, what: string, name: string | undefined, known: Iterable<string>) => {
    const names = [...known];
    // Without a catalog nothing is known; a pattern is no name.
    if (name === undefined || names.length === 0 || name.includes('*') || names.includes(name)) return;
    warnings.push({
      path,
      severity: 'warning',
      message: `no ${what} is called "${name}"${didYouMean(name, names)}`,
    });
  };
  for (const [at, { scope, remedy }] of list.entries()) {
    for (const [i, model] of (scope?.models ?? []).entries()) {
      check(`/list/${at}/scope/models/${i}`, 'model', model, models);
    }
    check(`/list/${at}/scope/software/id`, 'software', scope?.software?.id, software);
    const wanted = (remedy as { software?: unknown } | undefined)?.software;
    if (typeof wanted === 'object' && wanted !== null) {
      check(`/list/${at}/remedy/software/id`, 'software', (wanted as { id?: string }).id, software);
    }
  }
  return warnings;
}

/**
 * Checks models and rules that exceptions of a rollout name. A rule of the catalog is a sentence, so only names without
 * spaces are looked up.
 * @throws PlatenError request/unknown-model, request/unknown-rule
 */
export async function checkExceptions(
  exceptions: readonly { model?: string; rule?: string }[],
  sources: NameSources,
): Promise<void> {
  for (const { model, rule } of exceptions) {
    if (model !== undefined) await checkModels([model], sources);
    if (rule !== undefined && !rule.includes(' ')) await checkRule(rule, sources);
  }
}

/** The values of a term that are complete names, not prefixes. */
function namesIn({ values }: Term): string[] {
  return values.filter(({ prefix }) => !prefix).map(({ text }) => text);
}

async function checkModels(models: readonly string[], sources: NameSources): Promise<void> {
  const known = new Set(sources.catalog.names().models);
  for (const model of models) {
    if (!known.has(model) && !(await isAnywhere({ model }, sources))) {
      for (const seen of Object.keys((await sources.summary.current()).model)) known.add(seen);
      throw unknown('request/unknown-model', model, known);
    }
  }
}

/**
 * Checks the names in a filter. A filter may also use names that only printers report, such as software that no catalog
 * lists.
 * @throws PlatenError request/where, request/unknown-software, request/unknown-model, request/unknown-rule,
 *   request/invalid for an invalid range
 */
export async function checkFilter(filter: FleetFilter, sources: NameSources): Promise<void> {
  const terms = termsOf(filter);
  for (const term of terms) {
    if (term.field === 'model' && term.operator !== '~') await checkModels(namesIn(term), sources);
    if (term.field === 'trouble') {
      for (const rule of namesIn(term)) if (rule !== 'any') await checkRule(rule, sources);
    }
    if (term.field === 'software') {
      const { name: id = '' } = term;
      const known = softwareIds(sources);
      if (!known.has(id) && !(await isAnywhere({ software: { id } }, sources))) {
        throw unknown('request/unknown-software', id, known);
      }
    }
  }
  for (const { software, range } of rangesOf(terms)) sources.catalog.checkRange(software, range);
}

/**
 * Checks that printers exist.
 * @throws PlatenError request/unknown-printer for the first that doesn't
 */
export async function checkPrinters(printers: readonly string[], sources: NameSources): Promise<void> {
  const [missing] = await sources.fleet.missing(printers);
  if (missing === undefined) return;
  const idPrefix = missing.slice(0, Math.ceil(missing.length / 2));
  const { items } = await sources.fleet.list({ idPrefix }, { limit: LIKE_PRINTERS_MAX, cursor: undefined });
  throw unknown(
    'request/unknown-printer',
    missing,
    items.map(({ printer }) => printer),
  );
}
