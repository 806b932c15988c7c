/**
 * Which printers a request is for. It must say so: the whole fleet is `"fleet": true`, never the meaning of a missing
 * filter.
 */
import { PlatenError } from '../../schemas/errors.ts';
import type { PrinterFilter } from '../../schemas/types.ts';
import type { PrinterConditions } from '../fleet/filter-sql.ts';
import { termsOf } from '../fleet/fleet-queries.ts';
import type { FleetFilter } from '../queries.ts';
import { checkFilter, checkPrinters, type NameSources } from './known-names.ts';

/** The parameters that select printers. */
export interface AddresseeParams {
  filter?: PrinterFilter | undefined;
  where?: string | undefined;
  printers?: string[];
  fleet?: true;
}

/** The selected printers: named, or by a filter; an empty filter selects all. */
export interface Addressees {
  printers?: string[];
  filter: FleetFilter;
  /** What the caller should know before anything runs. */
  warnings: string[];
}

/**
 * The filter of a list: an object, a text, or nothing for everything.
 * @throws PlatenError request/invalid for both, request/where, request/unknown-*
 */
export async function filterOf(
  { filter, where }: Pick<AddresseeParams, 'filter' | 'where'>,
  sources: NameSources,
): Promise<FleetFilter> {
  if (filter !== undefined && where !== undefined) {
    throw new PlatenError('request/invalid', {
      reason: '/ "filter" and "where" say the same: one of them only',
    });
  }
  const wanted = where === undefined ? { ...filter } : { where };
  await checkFilter(wanted, sources);
  return wanted;
}

/** The same as part of a statement; undefined when there is no filter. */
export async function conditionsOf(
  said: Pick<AddresseeParams, 'filter' | 'where'>,
  sources: NameSources,
): Promise<PrinterConditions | undefined> {
  if (said.filter === undefined && said.where === undefined) return undefined;
  return sources.fleet.conditions(await filterOf(said, sources));
}

/** The ways to select printers, for an error message. */
function wayToSay(choices: readonly string[]): string {
  return `say whom: ${choices.join(', ')} or "fleet": true`;
}

/**
 * The printers that a request selects.
 * @param choices what the method takes beside `fleet`, for the sentence that asks for it
 * @throws PlatenError request/invalid when nothing, too much or an empty filter is said, request/unknown-*,
 *   request/conflict when nobody matches
 */
export async function addresseesOf(
  params: AddresseeParams,
  choices: readonly string[],
  sources: NameSources,
): Promise<Addressees> {
  const { filter, where, printers, fleet } = params;
  const said = [filter, where, printers, fleet].filter((each) => each !== undefined).length;
  if (said !== 1) {
    const many = said > 1 ? ', one of them only' : '';
    throw new PlatenError('request/invalid', { reason: `/ ${wayToSay(choices)}${many}` });
  }
  if (printers) {
    await checkPrinters(printers, sources);
    return { printers: [...new Set(printers)], filter: {}, warnings: [] };
  }
  if (fleet) return { filter: {}, warnings: [] };
  const wanted = await filterOf(params, sources);
  if (termsOf(wanted).length === 0) {
    throw new PlatenError('request/invalid', {
      reason: `/${where === undefined ? 'filter' : 'where'} is empty, which would be every printer: say "fleet": true for that`,
    });
  }
  const [matching, all] = [await sources.fleet.count(wanted), await sources.fleet.count({})];
  if (matching === 0) {
    throw new PlatenError('request/conflict', { reason: `No printer matches the filter, of ${all}` });
  }
  const everybody = matching === all && all > 1;
  return { filter: wanted, warnings: everybody ? [`The filter matches every printer, all ${all}`] : [] };
}
