import { defineMethod } from './method.ts';

/**
 * Retires a printer: it leaves updates and counts, but its agent may still report. With `retired: false` it takes part
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
