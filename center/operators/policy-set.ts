import { PlatenError } from '../../schemas/errors.ts';
import { defineMethod } from './method.ts';

/** Sets how one printer, the printers of a filter, or the fleet by default report. */
export const policySet = defineMethod(
  'policy.set',
  'changes',
  async (params, _caller, { policies, requests }) => {
    const targets = [params.printer !== undefined, params.filter !== undefined, params.default === true];
    if (targets.filter(Boolean).length !== 1) {
      throw new PlatenError('request/invalid', {
        reason: '/ needs exactly one of "printer", "filter", "default": true',
      });
    }
    if (params.printer !== undefined) {
      await policies.set(params.printer, params.policy);
      return { data: { printers: 1 } };
    }
    if (params.default === true) {
      await policies.setDefault(params.policy);
      return { data: { printers: await requests.forEach({}, (printer) => policies.tell(printer)) } };
    }
    const printers = await requests.forEach(params.filter ?? {}, (printer) =>
      policies.set(printer, params.policy),
    );
    return { data: { printers } };
  },
);
