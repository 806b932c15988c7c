import { PlatenError } from '../../schemas/errors.ts';
import { defineMethod } from './method.ts';

/** Revokes a printer's credentials: its connection and its order end immediately. Its reports are kept. */
export const printersRevoke = defineMethod(
  'printers.revoke',
  'changes',
  async ({ printer }, _caller, { accounts, attendance }) => {
    if (!(await accounts.revoke(printer)))
      throw new PlatenError('request/not-found', { kind: 'printer', id: printer });
    await attendance.left(printer, 'revoked', 'its credentials were revoked', false);
    return { data: { printer } };
  },
);
