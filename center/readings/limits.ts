/** Limits of what is followed of one printer's readings. */
export const READING_LIMITS = {
  /** Names of counters, and symbols of supplies, that are followed; more are told on `refused` and left out. */
  counters_max: 128,
  supplies_max: 256,
  /** A name that was not in a reading for so long makes room for another. */
  name_unseen_ms_max: 35 * 86_400_000,
  /** Exchanges of supplies that are told apart on one day; with more the serial numbers, or the levels, are broken. */
  exchanges_day_max: 100,
  /** Agent starts whose highest number is remembered, so that a reading that comes again is known. */
  sessions_max: 8,
  /** Falls of a counter from which it may still come back. */
  falls_max: 4,
  /** Days of levels that are kept with a supply, for its forecast. */
  level_days_max: 35,
  /** Distinct time zones of printers that a report looks at; there are about 600 in the world. */
  zones_max: 2_000,
  /** Distinct versions of software that are sorted by age. */
  versions_sorted_max: 10_000,
  /** How far a printer's clock may be off; beyond it a reading counts for the moment in which it came. */
  at_behind_ms_max: 86_400_000,
  at_ahead_ms_max: 600_000,
} as const;
