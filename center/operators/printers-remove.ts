import { PlatenError } from '../../schemas/errors.ts';
import { checkPrinters } from './known-names.ts';
import { defineMethod } from './method.ts';

/**
 * Forgets printers: they are in no list and no count any more, and their ids can be enrolled anew. Their entries stay
 * until the retention drops them.
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
    // One whose removal failed on its way is finished by asking again.
    await checkPrinters(
      printers.filter((printer) => !removals.isPending(printer)),
      capabilities,
    );
    await removals.remove(printers);
    return { data: { printers } };
  },
);
