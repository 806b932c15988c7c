/** What happened to one printer: everything in one list, its orders, its structures. */
import { checkPrinters } from './known-names.ts';
import { defineMethod } from './method.ts';
import { pageOf } from './paging.ts';

export const printersTimeline = defineMethod(
  'printers.timeline',
  'reads',
  async (params, _caller, services) => {
    await checkPrinters([params.printer], services);
    return { data: { ...(await services.past.timeline(params.printer, params, pageOf(params))) } };
  },
);

export const printersOrders = defineMethod('printers.orders', 'reads', async (params, _caller, services) => {
  await checkPrinters([params.printer], services);
  return { data: { ...(await services.past.orders(params.printer, pageOf(params))) } };
});

export const printersStructures = defineMethod(
  'printers.structures',
  'reads',
  async ({ printer, documents = false, ...page }, _caller, services) => {
    await checkPrinters([printer], services);
    return { data: { ...(await services.past.structures(printer, { documents }, pageOf(page))) } };
  },
);
