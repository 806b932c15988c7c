/** Queries the history of one printer. */
import type { Database } from '../database/database.ts';
import type { PrinterPast } from '../queries.ts';
import { printerOrders } from '../update/orders/printer-orders.ts';
import { structurePage } from './structure-pages.ts';
import { timelinePage } from './timeline-store.ts';

export function printerPast(database: Database): PrinterPast {
  return {
    timeline: (printer, query, page) => timelinePage(database, printer, query, page),
    orders: (printer, page) => printerOrders(database, printer, page),
    structures: (printer, query, page) => structurePage(database, printer, query, page),
  };
}
