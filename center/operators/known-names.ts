/**
 * Checks the names in requests: software, releases, models, rules, troubles and printers must exist, because a misspelt
 * one would quietly match no printer, or every one.
 */
import { type ErrorCode, PlatenError } from '../../schemas/errors.ts';
import { didYouMean } from '../../schemas/nearest-name.ts';
import type { PrinterFilter } from '../../schemas/types.ts';
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
