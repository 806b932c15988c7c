import { defineMethod } from './method.ts';

/**
 * Takes a printer out of updates and counts while its agent may go on reporting; with `retired: false` it takes part
 * again.
 */
export const printersRetire = defineMethod(
  'printers.retire',
  'changes',
  async ({ printer, reason, retired = true }, _caller, { attendance }) => {
    await (retired ? attendance.retire(printer, reason) : attendance.takeBack(printer));
    return { data: { printer, retired } };
  },
);
