import { checkFilter } from './known-names.ts';
import { defineMethod } from './method.ts';
import { pageOf } from './paging.ts';

/** Printers of a filter, in the order of their ids. */
export const printersList = defineMethod('printers.list', 'reads', async (params, _caller, services) => {
  if (params.filter) await checkFilter(params.filter, services);
  return { data: { ...(await services.fleet.list(params.filter ?? {}, pageOf(params))) } };
});
