import { defineMethod } from './method.ts';

/** Lets a printer have orders again that was set aside because it spent a budget of installations, downloads or restarts. */
export const printersReadmit = defineMethod(
  'printers.readmit',
  'changes',
  async ({ printer, reason }, caller, { attendance }) => ({
    data: { printer, readmitted: await attendance.readmit(printer, reason, caller.name) },
  }),
);
