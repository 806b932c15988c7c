/**
 * Limits of the drivers, each with its unit. Whatever a printer sends is bounded here.
 */
export const DRIVER_LIMITS = {
  /** Conditions remembered per printer; more are only counted. */
  conditionsMax: 256,
  /** Entries of one condition within `flapWindowMs`; further ones are counted and reported in one entry. */
  flapEntriesMax: 5,
  flapWindowMs: 10 * 60_000,
  /** A warning must be gone this long before it counts as cleared, so that a hovering level is one entry. */
  settleMs: 5 * 60_000,
  /** Values and bytes of one SNMP read, and rows of one table, so that an endless table doesn't use up the others' share. */
  snmpValuesMax: 20_000,
  snmpBytesMax: 4 * 1024 * 1024,
  snmpRowsMax: 1_000,
  /** Bytes and attributes of one IPP response, and values kept per attribute. */
  ippAnswerBytesMax: 4 * 1024 * 1024,
  ippAttributesMax: 4_096,
  ippValuesMax: 1_024,
  /** Time for one whole read of a printer. */
  readMs: 30_000,
  /** After this long an SNMP read stops asking and is treated as incomplete; less than `readMs`. */
  snmpReadMs: 20_000,
  /** Minimum pause between two reads caused by traps or pushed messages, so that a flood of them is not a flood of reads. */
  nudgeMs: 200,
  /** Time for one IPP request. */
  ippRequestMs: 10_000,
  /** IPP Firmware Update: poll interval, and timeouts for finding an offer and for installing it. */
  firmwarePollMs: 2_000,
  firmwareLookMs: 2 * 60_000,
  firmwareInstallMs: 60 * 60_000,
  /** Timeout of one SNMP request before it is retried. */
  snmpRequestMs: 2_500,
  snmpRetries: 1,
  /** Values asked for in one GETBULK: UDP carries about 1,400 bytes, and printers cut longer responses anyway. */
  snmpVarbindsMax: 71,
  /** Rows that may be out of order in one column before it counts as a loop. */
  snmpBackwardsMax: 128,
  /** Rows asked for in one GETBULK. */
  snmpRepetitionsMax: 20,
  /** Traps that wait for a name lookup; more are dropped, and the next poll sees the change they announced. */
  trapsWaitingMax: 1_000,
  /** Maximum age of resolved printer names for a trap from a known address, and from an unknown one. */
  trapNamesKnownMs: 5 * 60_000,
  trapNamesUnknownMs: 30_000,
  /** Candidate places of a printer that moved; a fleet may have hundreds of its model. */
  placesMax: 16,
  /** Duration of one mDNS search, and how long its result is reused. */
  findMs: 3_000,
  findAgainMs: 30_000,
  /** How long a printer is silent before it is searched for, and the pause between searches. */
  seekAfterMs: 60_000,
  seekPauseMs: 5 * 60_000,
  /** How long a running search may delay the end of the process. */
  seekEndMs: 1_000,
  /** Timeout of the connection that checks whether a silent printer is on. */
  aliveMs: 2_000,
  /** A printer that accepts connections but answers nothing is asleep; after a long weekend it is reported anyway. */
  asleepMs: 4 * 24 * 60 * 60_000,
  /** Longest pause between reads of a printer that doesn't answer. */
  backOffMaxMs: 5 * 60_000,
  /** Bytes of one line from an external driver. */
  commandLineBytesMax: 1024 * 1024,
  /** Timeout of requests to an external driver, and of installations. */
  commandRequestMs: 30_000,
  commandInstallMs: 60 * 60_000,
  /** Pause before an external driver that exited is restarted. */
  commandRestartMs: 5_000,
  /** Bytes of one MQTT message of a printer. */
  bambuMessageBytesMax: 1024 * 1024,
  /** Minimum pause between two requests for the full state. */
  bambuPushAllMs: 5 * 60_000,
} as const;
