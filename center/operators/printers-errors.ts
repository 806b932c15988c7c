import { defineMethod } from './method.ts';
import { pageOf } from './paging.ts';

/** Stored log entries of one printer, newest first. */
export const printersErrors = defineMethod(
  'printers.errors',
  'reads',
  async (params, _caller, { fleet }) => ({
    data: { ...(await fleet.errors(params.printer, params, pageOf(params))) },
  }),
);
