/** The history of one printer: its timeline, its orders, its structures. */
import { checkPrinters } from './known-names.ts';
import { defineMethod } from './method.ts';
import { pageOf } from './paging.ts';

export const printersTimeline = defineMethod(
  'printers.timeline',
  'reads',
  async (params, _caller, capabilities) => {
    await checkPrinters([params.printer], capabilities);
    return { data: { ...(await capabilities.past.timeline(params.printer, params, pageOf(params))) } };
  },
);

export const printersOrders = defineMethod(
  'printers.orders',
  'reads',
  async (params, _caller, capabilities) => {
    await checkPrinters([params.printer], capabilities);
    return { data: { ...(await capabilities.past.orders(params.printer, pageOf(params))) } };
  },
);

export const printersStructures = defineMethod(
  'printers.structures',
  'reads',
  async ({ printer, documents = false, ...page }, _caller, capabilities) => {
    await checkPrinters([printer], capabilities);
    return { data: { ...(await capabilities.past.structures(printer, { documents }, pageOf(page))) } };
  },
);
