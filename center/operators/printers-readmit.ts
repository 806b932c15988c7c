import { defineMethod } from './method.ts';

/** Readmits a printer that was set aside because it spent its budget of installations, downloads or restarts. */
export const printersReadmit = defineMethod(
  'printers.readmit',
  'changes',
  async ({ printer, reason }, caller, { attendance }) => ({
    data: { printer, readmitted: await attendance.readmit(printer, reason, caller.name) },
  }),
);
