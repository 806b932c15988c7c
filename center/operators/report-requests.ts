import { PlatenError } from '../../schemas/errors.ts';
import type { ReportKind } from '../fleet/requests.ts';
import { type AddresseeParams, addresseesOf } from './addressees.ts';
import { checkPrinters } from './known-names.ts';
import { defineMethod, type MethodReply } from './method.ts';
import type { Services } from './services.ts';

type Since = { log: string; seq: number };

/** Asks one printer, or those of a filter, or the fleet, to report now. */
async function askFor(
  what: ReportKind,
  params: AddresseeParams & { printer?: string },
  services: Services,
  since?: Since,
): Promise<MethodReply> {
  const { requests } = services;
  const { printer, filter, where, fleet } = params;
  if (printer !== undefined) {
    if (filter !== undefined || where !== undefined || fleet !== undefined) {
      throw new PlatenError('request/invalid', {
        reason: '/ say whom: "printer", "filter", "where" or "fleet": true, one of them only',
      });
    }
    await checkPrinters([printer], services);
    return { status: 'accepted', data: { request: await requests.ask(printer, what, since) } };
  }
  const whom = await addresseesOf({ filter, where, fleet }, ['"printer"', '"filter"', '"where"'], services);
  const printers = await requests.forEach(whom.filter, (one) => requests.ask(one, what));
  const { warnings } = whom;
  return { status: 'accepted', data: { printers, ...(warnings.length > 0 ? { warnings } : {}) } };
}

/** Asks printers for their structure now. */
export const structureRequest = defineMethod(
  'structure.request',
  'changes',
  async (params, _caller, services) => askFor('structure', params, services),
);

/** Asks printers for their counters and supplies now. */
export const readingsRequest = defineMethod(
  'readings.request',
  'changes',
  async (params, _caller, services) => askFor('readings', params, services),
);

/** Asks printers for their log now. */
export const errorsRequest = defineMethod('errors.request', 'changes', async (params, _caller, services) => {
  if (params.since !== undefined && params.printer === undefined) {
    throw new PlatenError('request/invalid', {
      reason: '/since is a place in the log of one printer: it needs "printer"',
    });
  }
  return askFor('errors', params, services, params.since);
});
