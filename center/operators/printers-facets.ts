import { PlatenError } from '../../schemas/errors.ts';
import { CENTER_LIMITS } from '../limits.ts';
import { filterOf } from './addressees.ts';
import { defineMethod } from './method.ts';
import { pageOf } from './paging.ts';

const FIELDS_DEFAULT = ['model', 'site', 'verdict', 'presence', 'trouble'];

/** Field values with their numbers of printers, over the printers of a filter. */
export const printersFacets = defineMethod(
  'printers.facets',
  'reads',
  async (params, _caller, capabilities) => {
    const { fields = FIELDS_DEFAULT, limit = CENTER_LIMITS.facet_values_default } = params;
    const twice = fields.find((field, at) => fields.indexOf(field) !== at);
    if (twice !== undefined) {
      throw new PlatenError('request/invalid', { reason: `/fields names "${twice}" twice` });
    }
    const filter = await filterOf(params, capabilities);
    const [total, facets] = [
      await capabilities.fleet.total(filter),
      await capabilities.fleet.facets(filter, fields, limit),
    ];
    return { data: { ...total, facets } };
  },
);

/** Distinct configurations, each with its number of printers. */
export const configurationsList = defineMethod(
  'configurations.list',
  'reads',
  async (params, _caller, capabilities) => {
    const filter = await filterOf(params, capabilities);
    return { data: { ...(await capabilities.fleet.configurations(filter, pageOf(params))) } };
  },
);
