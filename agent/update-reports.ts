/** Reports of an order's progress, as the updater writes them and the agent numbers them. */
import type { UpdateReport } from '../schemas/types.ts';

/** A report as the updater writes it; the agent numbers it (`seq` grows within an attempt, over restarts too). */
export type UnnumberedReport = Omit<UpdateReport, 'seq'>;

export interface ReportNumbers {
  /** The next number of this attempt, greater than all before it. */
  next(execution: string, attempt: number): number;
}
