import { randomUUID } from 'node:crypto';
import { PlatenError } from '../../schemas/errors.ts';
import { CENTER_LIMITS } from '../limits.ts';
import { cyclonedxInventory } from '../readings/inventory/cyclonedx.ts';
import { glpiInventory } from '../readings/inventory/glpi.ts';
import type { InventoryPrinter } from '../readings/inventory/inventory.ts';
import { filterOf } from './addressees.ts';
import { checkPrinters } from './known-names.ts';
import { defineMethod } from './method.ts';
import { pageOf } from './paging.ts';

/** Exports printers as inventory documents: GLPI's format, or a CycloneDX bill of materials. */
export const reportsInventory = defineMethod(
  'reports.inventory',
  'reads',
  async (params, _caller, capabilities) => {
    const { form, printer, filter, where } = params;
    const { fleet, now } = capabilities;
    const document = (one: InventoryPrinter) =>
      form === 'glpi' ? glpiInventory(one) : cyclonedxInventory(one, randomUUID(), now());
    if (printer !== undefined) {
      if (filter !== undefined || where !== undefined) {
        throw new PlatenError('request/invalid', {
          reason: '/ "printer", "filter" or "where", one of them only',
        });
      }
      await checkPrinters([printer], capabilities);
    }
    const wanted = await filterOf({ filter, where }, capabilities);
    const { limit, cursor } = pageOf(params);
    const page =
      printer === undefined
        ? await fleet.list(wanted, { limit: Math.min(limit, CENTER_LIMITS.page_inventory_max), cursor })
        : { items: [{ printer }] };
    const items: { printer: string; document: Record<string, unknown> }[] = [];
    for (const one of page.items) {
      const details = await fleet.get(one.printer);
      // The printer was removed after the page was read.
      if (details) items.push({ printer: one.printer, document: document(details) });
    }
    return { data: { items, ...('next' in page && page.next !== undefined ? { next: page.next } : {}) } };
  },
);
