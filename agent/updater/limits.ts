/** Limits of the updater. */

/** Without data for this long, the connection is dropped and the download resumed, in ms. */
export const DOWNLOAD_IDLE_MS = 30_000;
/** A download slower than this over this window is dropped and resumed like one that stalls. */
export const DOWNLOAD_BYTES_PER_S_MIN = 256;
export const DOWNLOAD_SLOW_MS = 120_000;
/** Tries without (fast enough) progress before a download fails; the center offers the order again later. */
export const DOWNLOAD_TRIES_MAX = 8;
/** Full jitter under a ceiling that doubles from the first to the second value, in ms. */
export const DOWNLOAD_RETRY_MS = 250;
export const DOWNLOAD_RETRY_MS_MAX = 30_000;
/** Progress is reported when it grew by this share. */
export const PROGRESS_SHARE = 0.25;
/** How often a printing printer is checked again, in ms. */
export const PRINTING_POLL_MS = 30_000;
/** Longest timer that Node supports, in ms. */
export const TIMER_MS_MAX = 2 ** 31 - 1;
/** Ended executions that are remembered, to recognise a replayed order. */
export const ENDED_REMEMBERED_MAX = 64;
/** Bytes of one file of release metadata. */
export const METADATA_BYTES_MAX = 5_000_000;
/** Timeout for one file of release metadata, in ms. */
export const METADATA_FETCH_MS_MAX = 60_000;
/** Root rotations followed at once. */
export const ROOT_ROTATIONS_MAX = 256;
/** Bytes of one piece over MQTT (64 KiB in base64), and how many pieces may be under way. */
export const CHUNK_BYTES = 48 * 1024;
export const CHUNKS_WINDOW = 4;
/** Tries over HTTP before falling back to MQTT. */
export const HTTP_TRIES_MAX = 4;
