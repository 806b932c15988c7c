import { PlatenError } from '../../schemas/errors.ts';
import { CENTER_LIMITS } from '../limits.ts';
import { addresseesOf } from './addressees.ts';
import { defineMethod } from './method.ts';

/** Sets and removes labels of printers. */
export const printersLabel = defineMethod(
  'printers.label',
  'changes',
  async (params, _caller, capabilities) => {
    const { set = {}, remove = [], expect, printer, printers, filter, where, fleet } = params;
    if (Object.keys(set).length === 0 && remove.length === 0) {
      throw new PlatenError('request/invalid', { reason: '/ needs "set", "remove" or both' });
    }
    const both = remove.find((name) => Object.hasOwn(set, name));
    if (both !== undefined) {
      throw new PlatenError('request/invalid', {
        reason: `/ the label "${both}" is both in "set" and in "remove"`,
      });
    }
    if (printer !== undefined && printers !== undefined) {
      throw new PlatenError('request/invalid', { reason: '/ "printer" or "printers", one of them only' });
    }
    const named = printer === undefined ? printers : [printer];
    const choices = ['"printer"', '"printers"', '"filter"', '"where"'];
    const whom = await addresseesOf(
      {
        ...(named === undefined ? {} : { printers: named }),
        ...(filter === undefined ? {} : { filter }),
        ...(where === undefined ? {} : { where }),
        ...(fleet === undefined ? {} : { fleet }),
      },
      choices,
      capabilities,
    );
    const concerned = whom.printers ?? (await capabilities.fleet.ids(whom.filter));
    if (expect !== undefined && expect.printers !== concerned.length) {
      throw new PlatenError('request/conflict', {
        reason: `It would label ${concerned.length} printers, not ${expect.printers}`,
      });
    }
    let count = 0;
    for (let at = 0; at < concerned.length; at += CENTER_LIMITS.request_page_printers) {
      const page = concerned.slice(at, at + CENTER_LIMITS.request_page_printers);
      count += await capabilities.labels.change(page, { set: set as Record<string, string>, remove });
    }
    const { warnings } = whom;
    return { data: { printers: count, ...(warnings.length > 0 ? { warnings } : {}) } };
  },
);
