/** What a benchmark gives back. */
export interface BenchResult {
  /** Every figure by name, its unit last in the name (`entries_per_s`). */
  figures: Record<string, number | string>;
  /** Ratios to the peers measured in the same run. */
  ratios: Record<string, number>;
  /** Bars: what the ratio or figure must be, and whether it is. */
  bars: { name: string; value: number; bar: string; met: boolean }[];
  /** What was measured, when it isn't what the benchmark measures without options: part of the file's name. */
  part?: string;
}
