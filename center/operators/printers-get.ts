import { PlatenError } from '../../schemas/errors.ts';
import { defineMethod } from './method.ts';

/** The details of one printer; without `enrolment` it may not connect. */
export const printersGet = defineMethod(
  'printers.get',
  'reads',
  async ({ printer }, _caller, { fleet, accounts, attendance }) => {
    const details = await fleet.get(printer);
    if (!details) throw new PlatenError('request/not-found', { kind: 'printer', id: printer });
    const enrolment = await accounts.enrolmentOf(printer);
    const setAside = await attendance.setAside(printer);
    return {
      data: {
        ...details,
        ...(enrolment === undefined ? {} : { enrolment }),
        ...(setAside.length > 0 ? { setAside } : {}),
      },
    };
  },
);
