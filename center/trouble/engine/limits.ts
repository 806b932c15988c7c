/** Limits of a trouble rule and its state. */

/** Highest `ge`, hence the number of sightings that one condition keeps per key. */
export const GE_MAX = 10_000;
/** Inner wheres of one rule (they are bits of a 31 bit mask). */
export const INNER_WHERES_MAX = 30;
/** Patterns of one `seq`, `cooccur` or `flap`. */
export const SEQUENCE_MAX = 16;
/** Pending `after` sightings per key. */
export const WAITING_MAX = 100;
/** Sightings of one `rate` window per key. */
export const RATE_SIGHTINGS_MAX = 10_000;
/** Page counter readings kept per printer. */
export const ODOMETER_READINGS_MAX = 4096;
/** Entries kept as evidence of one trouble; further ones are only counted. */
export const EVIDENCE_MAX = 100;
/** Pending sightings per key; above it the older half is settled early. */
export const PENDING_MAX = 4096;
/** Pending sightings of all keys not kept by printer; above it older ones are settled early. */
export const FLEET_SIGHTINGS_MAX = 200_000;
/** Structures remembered per printer, to judge late entries by the one in force at their time. */
export const CONTEXTS_MAX = 4;
/** Number of structure classes at which to look for unused ones. */
export const SORTS_SWEEP_MIN = 1_000;
/** Codes whose candidate rules are cached per structure class. */
export const CODES_CACHED_MAX = 20_000;
/** How far behind an entry may be when the rule doesn't say, ms. */
export const LATE_DEFAULT_MS = 3_600_000;
/** How far back the log is read to rebuild state, ms. */
export const REBUILD_MAX_MS = 30 * 86_400_000;
/**
 * How far back readings are read to rebuild state, ms. A short time is enough because every reading repeats what lasts,
 * and there are millions of them.
 */
export const READS_BACK_MS = 86_400_000;
/** How far ahead of the center's clock the time of an entry may be, ms. */
export const EARLY_MAX_MS = 86_400_000;
/**
 * When an entry is this much older than the one before it in the same log, the printer's clock was wrong and has been
 * set back, ms. Entries with later times are then discarded; otherwise nothing would be judged until that time.
 */
export const SET_BACK_MIN_MS = 4 * 3_600_000;
/** Entries queued while the rules' state is loaded; above it they are read from the store. */
export const WAITING_ENTRIES_MAX = 200_000;
/** Entries gathered to be judged together; with more they are judged at once. */
export const JUDGED_TOGETHER_MAX = 20_000;
/** Retained documents published at once. */
export const PUBLISH_AT_ONCE_MAX = 200;
/** Printers to which one remedy is offered. */
export const REMEDY_PRINTERS_MAX = 100_000;
/** Codes that one cohort rule watches. */
export const COHORT_CODES_MAX = 1000;
/** Queued events of one cohort rule at which to drop those that cannot count. */
export const COHORT_PRUNE_MIN = 10_000;
/** Versions on trial per cohort rule that names none. */
export const COHORT_VERSIONS_MAX = 20;
/** Keys (units, codes …) kept per printer; sightings of further ones are only counted. */
export const KEYS_PER_PRINTER_MAX = 5_000;
/**
 * Keys that one printer may add to one rule (or to the rules grouped with it), also where keys are kept across
 * printers: each may become a trouble, and printers choose their codes.
 */
export const KEYS_PER_RULE_AND_PRINTER_MAX = 500;
/** The same for rules that suppress each other: each sighting is checked against all of their keys. */
export const KEYS_JOINT_MAX = 500;
/** Keys of rules not kept by printer. */
export const KEYS_FLEET_MAX = 100_000;
/** With fewer pending sightings per key settling doesn't pay off. */
export const SETTLE_MIN = 6;

/** What one engine may hold. */
export interface EngineLimits {
  /** Pending sightings per key. */
  pendingMax: number;
  /** Pending sightings per key at which settling pays off. */
  settleMin: number;
  /** Pending sightings of all keys not kept by printer. */
  fleetPendingMax: number;
  contextsMax: number;
  readingsMax: number;
  keysMax: number;
  keysPerRuleMax: number;
  keysJointMax: number;
  keysFleetMax: number;
}

/** For the running center, whose printers may be hostile. */
export const ENGINE_LIMITS: EngineLimits = {
  pendingMax: PENDING_MAX,
  settleMin: SETTLE_MIN,
  fleetPendingMax: FLEET_SIGHTINGS_MAX,
  contextsMax: CONTEXTS_MAX,
  readingsMax: ODOMETER_READINGS_MAX,
  keysMax: KEYS_PER_PRINTER_MAX,
  keysPerRuleMax: KEYS_PER_RULE_AND_PRINTER_MAX,
  keysJointMax: KEYS_JOINT_MAX,
  keysFleetMax: KEYS_FLEET_MAX,
};

/** For replaying a file: its owner owns the machine and wants the exact answer. */
export const REPLAY_LIMITS: EngineLimits = {
  pendingMax: 1_000_000,
  settleMin: SETTLE_MIN,
  fleetPendingMax: 1_000_000,
  contextsMax: 100_000,
  readingsMax: 1_000_000,
  keysMax: 1_000_000,
  keysPerRuleMax: 1_000_000,
  keysJointMax: 10_000,
  keysFleetMax: 1_000_000,
};
