/** What a trouble rule and the state it keeps may grow to. */

/** Highest `ge`, and therefore the number of sightings that one condition keeps for one key. */
export const GE_MAX = 10_000;
/** Inner wheres of one rule (they are bits of a 31 bit mask). */
export const INNER_WHERES_MAX = 30;
/** Patterns of one `seq`, `cooccur` or `flap`. */
export const SEQUENCE_MAX = 16;
/** Sightings of `after` that wait at once for one key. */
export const WAITING_MAX = 100;
/** Sightings of one `rate` window for one key. */
export const RATE_SIGHTINGS_MAX = 10_000;
/** Page counter readings kept for one printer. */
export const ODOMETER_READINGS_MAX = 4096;
/** Evidence of one trouble, entries; further ones are only counted. */
export const EVIDENCE_MAX = 100;
/** Sightings of one key that wait for late ones; beyond it the oldest half is settled early. */
export const PENDING_MAX = 4096;
/** Sightings of all keys that aren't kept by printer that wait for late ones; with more, older ones are settled early. */
export const FLEET_SIGHTINGS_MAX = 200_000;
/** Structures of one printer that are remembered, to judge late entries by the one that was in force. */
export const CONTEXTS_MAX = 4;
/** Sorts of printers at which it is worth looking for those that no printer is of any more. */
export const SORTS_SWEEP_MIN = 1_000;
/** Codes whose candidate rules are remembered for one sort of printer. */
export const CODES_CACHED_MAX = 20_000;
/** How far behind an entry may be when the rule doesn't say, ms. */
export const LATE_DEFAULT_MS = 3_600_000;
/** How far back the log is read when state has to be rebuilt, ms. */
export const REBUILD_MAX_MS = 30 * 86_400_000;
/**
 * How far back readings are read when state has to be rebuilt, ms: whatever lasts is told by each of them again, and
 * there are millions.
 */
export const READS_BACK_MS = 86_400_000;
/** How far ahead of the center's clock an entry's time may lie to be believed, ms. */
export const EARLY_MAX_MS = 86_400_000;
/**
 * When the next entry of a log lies so far before the one before it, the printer's clock was wrong and has been set
 * back, ms: what it had dated later is not believed, or nothing would be judged until that time has come.
 */
export const SET_BACK_MIN_MS = 4 * 3_600_000;
/** Entries that wait while the rules' memory is loaded; beyond it they are read from the store. */
export const WAITING_ENTRIES_MAX = 200_000;
/** Entries that are gathered to be judged together; more are judged at once. */
export const JUDGED_TOGETHER_MAX = 20_000;
/** Retained documents published at once. */
export const PUBLISH_AT_ONCE_MAX = 200;
/** Printers to which one remedy is offered. */
export const REMEDY_PRINTERS_MAX = 100_000;
/** Codes that one cohort rule watches. */
export const COHORT_CODES_MAX = 1000;
/** Events of one cohort rule that wait, at which it is worth leaving out those that cannot count. */
export const COHORT_PRUNE_MIN = 10_000;
/** Versions that one cohort rule puts on trial, when it names none. */
export const COHORT_VERSIONS_MAX = 20;
/** Keys (units, codes …) that are kept for one printer; sightings of further ones are only counted. */
export const KEYS_PER_PRINTER_MAX = 5_000;
/**
 * Keys that one printer may begin for one rule (or the rules that are kept together with it), also where they are kept
 * across printers: each may become a trouble, and codes are the printer's own words.
 */
export const KEYS_PER_RULE_AND_PRINTER_MAX = 500;
/** The same for rules that keep each other silent: each sighting is looked at against all of them. */
export const KEYS_JOINT_MAX = 500;
/** Keys of rules that aren't kept by printer. */
export const KEYS_FLEET_MAX = 100_000;
/** Fewer pending sightings of one key are not worth settling. */
export const SETTLE_MIN = 6;

/** What one engine may hold. */
export interface EngineLimits {
  /** Sightings of one key that may wait for late ones. */
  pendingMax: number;
  /** Sightings of one key at which it is worth settling. */
  settleMin: number;
  /** Sightings of all keys that aren't kept by printer that may wait for late ones. */
  fleetPendingMax: number;
  contextsMax: number;
  readingsMax: number;
  keysMax: number;
  keysPerRuleMax: number;
  keysJointMax: number;
  keysFleetMax: number;
}

/** Of the running center, which printers of all sorts report to. */
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

/** While a file is replayed: whoever does that has the machine, and wants the exact answer. */
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
