/** The result of a benchmark. */
export interface BenchResult {
  /** Every figure by name, its unit last in the name (`entries_per_s`). */
  figures: Record<string, number | string>;
  /** Ratios to the peers measured in the same run. */
  ratios: Record<string, number>;
  /** Bars: the required ratio or figure, and whether it is met. */
  bars: { name: string; value: number; bar: string; met: boolean }[];
  /** Name of the variant when options change what is measured; part of the file name. */
  part?: string;
}
