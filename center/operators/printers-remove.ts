import { PlatenError } from '../../schemas/errors.ts';
import { checkPrinters } from './known-names.ts';
import { defineMethod } from './method.ts';

/**
 * Removes printers: they disappear from lists and counts, and their ids can be enrolled anew. Their log entries stay
 * until retention deletes them.
 */
export const printersRemove = defineMethod(
  'printers.remove',
  'changes',
  async (params, _caller, capabilities) => {
    const { removals } = capabilities;
    const printers = [
      ...new Set([...(params.printer === undefined ? [] : [params.printer]), ...(params.printers ?? [])]),
    ];
    if (printers.length === 0) {
      throw new PlatenError('request/invalid', { reason: '/ needs "printer" or "printers"' });
    }
    const { expect } = params;
    if (printers.length > 1 && expect === undefined) {
      throw new PlatenError('request/invalid', {
        reason: `/ would remove ${printers.length} printers: say "expect": {"printers": ${printers.length}}`,
      });
    }
    if (expect !== undefined && expect.printers !== printers.length) {
      throw new PlatenError('request/conflict', {
        reason: `${printers.length} printers would be removed, ${expect.printers} were expected`,
      });
    }
    // A second request finishes a removal that failed halfway.
    await checkPrinters(
      printers.filter((printer) => !removals.isPending(printer)),
      capabilities,
    );
    await removals.remove(printers);
    return { data: { printers } };
  },
);
