import { defineMethod } from './method.ts';
import { pageOf } from './paging.ts';

/** Printers of a filter, in the order of their ids. */
export const printersList = defineMethod('printers.list', 'reads', async (params, _caller, { fleet }) => ({
  data: { ...(await fleet.list(params.filter ?? {}, pageOf(params))) },
}));
