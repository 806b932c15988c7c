/** The input of exports: what is known of one printer. */
import type { Structure } from '../../../schemas/types.ts';
import type { LatestReadings } from '../../queries.ts';

export interface InventoryPrinter {
  printer: string;
  structure?: Structure;
  readings?: LatestReadings;
}
