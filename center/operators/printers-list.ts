import type { PrintersListParams } from '../../schemas/types.ts';
import type { PrinterItem } from '../queries.ts';
import { filterOf } from './addressees.ts';
import { defineMethod } from './method.ts';
import { pageOf } from './paging.ts';

/** An item with only the requested members. */
function chosen(item: PrinterItem, columns: PrintersListParams['columns']): Partial<PrinterItem> {
  if (!columns) return item;
  const { printer } = item;
  return { printer, ...Object.fromEntries(columns.map((name) => [name, item[name]])) };
}

/** The printers of a filter, sorted. */
export const printersList = defineMethod('printers.list', 'reads', async (params, _caller, capabilities) => {
  const filter = await filterOf(params, capabilities);
  const page = await capabilities.fleet.list(filter, { ...pageOf(params), counted: true }, params.sort);
  return { data: { ...page, items: page.items.map((item) => chosen(item, params.columns)) } };
});
