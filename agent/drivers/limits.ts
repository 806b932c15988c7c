/**
 * Limits of the drivers, each with its unit. A printer is somebody else's program: whatever it sends is bounded here.
 */
export const DRIVER_LIMITS = {
  /** Conditions of one printer that are remembered; a printer that shows more has its surplus counted, not kept. */
  conditionsMax: 256,
  /** Entries of one condition within `flapWindowMs`; more are counted and told in one entry. */
  flapEntriesMax: 5,
  flapWindowMs: 10 * 60_000,
  /** A warning must be gone this long before it counts as over, so that a level that hovers is one entry. */
  settleMs: 5 * 60_000,
  /** Values and bytes of one SNMP read, and rows of one table: an endless one must not cost the others their place. */
  snmpValuesMax: 20_000,
  snmpBytesMax: 4 * 1024 * 1024,
  snmpRowsMax: 1_000,
  /** Bytes of one IPP answer, its attributes, and the values of one of them that are kept. */
  ippAnswerBytesMax: 4 * 1024 * 1024,
  ippAttributesMax: 4_096,
  ippValuesMax: 1_024,
  /** Time for one whole read of a printer. */
  readMs: 30_000,
  /** After so long an SNMP read asks no further and what came is a half-answer; below `readMs`. */
  snmpReadMs: 20_000,
  /** Pause between two reads that a trap or a pushed message asks for, so that a flood of them is no flood of reads. */
  nudgeMs: 200,
  /** Time for one IPP request. */
  ippRequestMs: 10_000,
  /** IPP Firmware Update: between two looks, for finding what is offered, and for installing it. */
  firmwarePollMs: 2_000,
  firmwareLookMs: 2 * 60_000,
  firmwareInstallMs: 60 * 60_000,
  /** Time that one SNMP request waits, before it is tried again. */
  snmpRequestMs: 2_500,
  snmpRetries: 1,
  /** Values asked for in one GETBULK: UDP carries about 1,400 bytes, what is more is cut by the printer anyway. */
  snmpVarbindsMax: 71,
  /** Rows that may come out of order in one column before it is taken for a circle. */
  snmpBackwardsMax: 128,
  /** Rows asked for in one GETBULK. */
  snmpRepetitionsMax: 20,
  /** Traps that wait for the look-up of a name; more are dropped, the next poll sees what they told. */
  trapsWaitingMax: 1_000,
  /** How old the addresses of printers' names may be for a trap from a known address, and from an unknown one. */
  trapNamesKnownMs: 5 * 60_000,
  trapNamesUnknownMs: 30_000,
  /** Places of one printer that is looked for; a fleet may have hundreds of its model. */
  placesMax: 16,
  /** Listening for printers that announce themselves, and how long it serves those who come after it. */
  findMs: 3_000,
  findAgainMs: 30_000,
  /** How long a printer is silent before it is looked for, and how often then. */
  seekAfterMs: 60_000,
  seekPauseMs: 5 * 60_000,
  /** How long a search that is under way may hold the end of the process. */
  seekEndMs: 1_000,
  /** A connection that shows whether a silent printer is there. */
  aliveMs: 2_000,
  /** A printer that takes connections and answers nothing is asleep; after a long weekend it is told all the same. */
  asleepMs: 4 * 24 * 60 * 60_000,
  /** How long a printer that doesn't answer is left alone, at most. */
  backOffMaxMs: 5 * 60_000,
  /** Bytes of one line from an external driver. */
  commandLineBytesMax: 1024 * 1024,
  /** How long an external driver has to answer a request other than an installation. */
  commandRequestMs: 30_000,
  commandInstallMs: 60 * 60_000,
  /** Pause before an external driver that ended is started again. */
  commandRestartMs: 5_000,
  /** Bytes of one message of a printer that speaks MQTT. */
  bambuMessageBytesMax: 1024 * 1024,
  /** A full state may be asked for at most this often. */
  bambuPushAllMs: 5 * 60_000,
} as const;
