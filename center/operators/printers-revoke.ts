import { PlatenError } from '../../schemas/errors.ts';
import { defineMethod } from './method.ts';

/** Takes a printer's credentials away; its connection ends at once. What it reported is kept. */
export const printersRevoke = defineMethod(
  'printers.revoke',
  'changes',
  async ({ printer }, _caller, { accounts }) => {
    if (!(await accounts.revoke(printer)))
      throw new PlatenError('request/not-found', { kind: 'printer', id: printer });
    return { data: { printer } };
  },
);
