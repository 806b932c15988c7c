import { PlatenError } from '../../schemas/errors.ts';
import type { ReportKind } from '../fleet/requests.ts';
import { type AddresseeParams, addresseesOf } from './addressees.ts';
import type { Capabilities } from './capabilities.ts';
import { checkPrinters } from './known-names.ts';
import { defineMethod, type MethodReply } from './method.ts';

type Since = { log: string; seq: number };

/** Asks one printer, or those of a filter, or the fleet, to report now. */
async function askFor(
  what: ReportKind,
  params: AddresseeParams & { printer?: string },
  capabilities: Capabilities,
  since?: Since,
): Promise<MethodReply> {
  const { requests } = capabilities;
  const { printer, filter, where, fleet } = params;
  if (printer !== undefined) {
    if (filter !== undefined || where !== undefined || fleet !== undefined) {
      throw new PlatenError('request/invalid', {
        reason: '/ say whom: "printer", "filter", "where" or "fleet": true, one of them only',
      });
    }
    await checkPrinters([printer], capabilities);
    return { status: 'accepted', data: { request: await requests.ask(printer, what, since) } };
  }
  const whom = await addresseesOf(
    { filter, where, fleet },
    ['"printer"', '"filter"', '"where"'],
    capabilities,
  );
  const printers = await requests.forEach(whom.filter, (one) => requests.ask(one, what));
  const { warnings } = whom;
  return { status: 'accepted', data: { printers, ...(warnings.length > 0 ? { warnings } : {}) } };
}

/** Asks printers for their structure now. */
export const structureRequest = defineMethod(
  'structure.request',
  'changes',
  async (params, _caller, capabilities) => askFor('structure', params, capabilities),
);

/** Asks printers for their counters and supplies now. */
export const readingsRequest = defineMethod(
  'readings.request',
  'changes',
  async (params, _caller, capabilities) => askFor('readings', params, capabilities),
);

/** Asks printers for their log now. */
export const errorsRequest = defineMethod(
  'errors.request',
  'changes',
  async (params, _caller, capabilities) => {
    if (params.since !== undefined && params.printer === undefined) {
      throw new PlatenError('request/invalid', {
        reason: '/since is a place in the log of one printer: it needs "printer"',
      });
    }
    return askFor('errors', params, capabilities, params.since);
  },
);
