import { PlatenError } from '../../schemas/errors.ts';
import { defineMethod } from './method.ts';

/** Enrols printers. Passwords are only in the reply; an enrolled printer gets a new one only on request. */
export const printersEnroll = defineMethod(
  'printers.enroll',
  'changes',
  async (params, _caller, { accounts }) => {
    const printers = [
      ...new Set([...(params.printer === undefined ? [] : [params.printer]), ...(params.printers ?? [])]),
    ];
    if (printers.length === 0) {
      throw new PlatenError('request/invalid', { reason: '/ needs "printer" or "printers"' });
    }
    const items = await accounts.enroll(printers, params.again);
    return { data: { items, ...(params.printer === undefined ? {} : items[0]) } };
  },
);
