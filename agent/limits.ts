/**
 * A limit on everything that can grow in an agent. Thousands of agents share one process in a simulation, so the
 * figures are those of one agent.
 */

/** Entries of one error batch (contract: at most 500). */
export const BATCH_ENTRIES_MAX = 500;
/** Bytes of one error batch (contract: 64 KiB), less what the envelope around the entries may take. */
export const BATCH_ENTRIES_BYTES_MAX = 64 * 1024 - 512;
/** Error batches that may wait for the broker's acknowledgement at once; further entries are sent together later. */
export const BATCHES_IN_FLIGHT_MAX = 4;
/** Bytes of one entry's `detail`; larger ones are replaced by a remark, or no batch could carry them. */
export const ENTRY_DETAIL_BYTES_MAX = 8 * 1024;
/** Entries a log memory keeps unless told otherwise. */
export const LOG_ENTRIES_DEFAULT = 10_000;
/** Bytes a log memory keeps unless told otherwise. */
export const LOG_BYTES_DEFAULT = 4 * 1024 * 1024;
/** Entries and bytes a log memory may be set to keep at most. */
export const LOG_ENTRIES_MAX = 1_000_000;
export const LOG_BYTES_MAX = 256 * 1024 * 1024;
/** Requests of the center (`request/structure`, `request/errors`, `request/readings`, each) that wait to be answered. */
export const REQUESTS_WAITING_MAX = 16;
/** Update reports that wait for the broker's acknowledgement; beyond it the oldest is dropped. */
export const REPORTS_WAITING_MAX = 64;
/** `ask` calls that wait for their answer. */
export const ASKS_WAITING_MAX = 32;
/** Largest downlink that is parsed, in bytes; larger ones are dropped. */
export const DOWNLINK_BYTES_MAX = 1024 * 1024;

/** Timeout of an `ask`, in ms. */
export const ASK_TIMEOUT_MS = 30_000;
/** After this long without `errors/ack`, unacknowledged entries are sent again; doubled each time. */
export const ACK_TIMEOUT_MS = 60_000;
export const ACK_TIMEOUT_MS_MAX = 15 * 60_000;
/** Delay before a failed read of the printer is tried again; doubled each time. */
export const READ_RETRY_MS = 2_000;
export const READ_RETRY_MS_MAX = 5 * 60_000;
/** Reconnect: full jitter under a ceiling that doubles from the first to the second value, in ms. */
export const RECONNECT_MS = 1_000;
export const RECONNECT_MS_MAX = 2 * 60_000;
/** A connection that lasted this long resets the delay. */
export const CONNECTION_STABLE_MS = 10_000;
/** MQTT keep-alive in seconds. */
export const KEEPALIVE_S = 60;
/** Timeout of CONNECT, in ms. */
export const CONNECT_TIMEOUT_MS = 30_000;
/** How long `stop` waits for the offline presence to be acknowledged, in ms. */
export const FAREWELL_MS = 2_000;
/** Shortest period a policy may set, in ms: a wrong `PT0S` must not make a printer spin. */
export const PERIOD_MS_MIN = 100;
/** Update report numbers reserved on disk with one write. */
export const REPORT_NUMBERS_RESERVED = 100;
/** Files a log memory on disk is spread over: the oldest of them is deleted as a whole. */
export const LOG_SEGMENTS = 4;
/** How long an acknowledgement may wait before it is written to disk, in ms. */
export const CHECKPOINT_MS = 1_000;
