import { defineMethod } from './method.ts';

/** Asks a printer, or every printer of a filter, for its structure now. */
export const structureRequest = defineMethod(
  'structure.request',
  'changes',
  async (params, _caller, services) => {
    const { requests } = services;
    if (params.printer !== undefined) {
      return { status: 'accepted', data: { request: await requests.ask(params.printer, 'structure') } };
    }
    const printers = await requests.forEach(params.filter ?? {}, (printer) =>
      requests.ask(printer, 'structure'),
    );
    return { status: 'accepted', data: { printers } };
  },
);

/** Asks a printer, or every printer of a filter, for its log now. */
export const errorsRequest = defineMethod('errors.request', 'changes', async (params, _caller, services) => {
  const { requests } = services;
  if (params.printer !== undefined) {
    return {
      status: 'accepted',
      data: { request: await requests.ask(params.printer, 'errors', params.since) },
    };
  }
  const printers = await requests.forEach(params.filter ?? {}, (printer) => requests.ask(printer, 'errors'));
  return { status: 'accepted', data: { printers } };
});
