/** Limits of one printer's readings. */
export const READING_LIMITS = {
  /** Names of counters and symbols of supplies that are followed; further ones are reported on `refused` and ignored. */
  counters_max: 128,
  supplies_max: 256,
  /** A name not seen for this long makes room for another. */
  name_unseen_ms_max: 35 * 86_400_000,
  /** Exchanges of supplies counted per day; with more, the serial numbers or levels are wrong. */
  exchanges_day_max: 100,
  /** Agent starts whose highest number is remembered, to recognise repeated readings. */
  sessions_max: 8,
  /** Remembered falls of a counter from which it may come back. */
  falls_max: 4,
  /** Days of levels kept per supply, for its forecast. */
  level_days_max: 35,
  /** Distinct time zones in a report; there are about 600 in the world. */
  zones_max: 2_000,
  /** Distinct versions of software sorted by age. */
  versions_sorted_max: 10_000,
  /** Maximum error of a printer's clock; above it a reading gets its time of arrival. */
  at_behind_ms_max: 86_400_000,
  at_ahead_ms_max: 600_000,
} as const;
