import { PlatenError } from '../../schemas/errors.ts';
import { addresseesOf } from './addressees.ts';
import { checkPrinters } from './known-names.ts';
import { defineMethod } from './method.ts';

/** Sets the reporting policy of one printer, of the printers of a filter, or the fleet's default. */
export const policySet = defineMethod('policy.set', 'changes', async (params, _caller, capabilities) => {
  const { policies, requests } = capabilities;
  const { printer, filter, where, fleet } = params;
  const said = [printer, filter, where, fleet, params.default].filter(
    (each) => each !== undefined && each !== false,
  );
  if (said.length !== 1) {
    throw new PlatenError('request/invalid', {
      reason: '/ needs exactly one of "printer", "filter", "where", "fleet": true, "default": true',
    });
  }
  if (params.printer !== undefined) {
    await checkPrinters([params.printer], capabilities);
    await policies.set(params.printer, params.policy);
    return { data: { printers: 1 } };
  }
  if (params.default === true) {
    await policies.setDefault(params.policy);
    return { data: { printers: await requests.forEach({}, (printer) => policies.tell(printer)) } };
  }
  const whom = await addresseesOf(params, ['"printer"', '"filter"', '"where"'], capabilities);
  const printers = await requests.forEach(whom.filter, (one) => policies.set(one, params.policy));
  return { data: { printers, ...(whom.warnings.length > 0 ? { warnings: whom.warnings } : {}) } };
});
