/** Limits of the updater. */

/** Nothing came for so long: the connection is given up and resumed, in ms. */
export const DOWNLOAD_IDLE_MS = 30_000;
/** A download slower than this over so long is given up and resumed, as one that stands still. */
export const DOWNLOAD_BYTES_PER_S_MIN = 256;
export const DOWNLOAD_SLOW_MS = 120_000;
/** Tries that bring it no further than any before (or only slowly) before a download is given up (the center offers the order again later). */
export const DOWNLOAD_TRIES_MAX = 8;
/** Full jitter under a ceiling that doubles from the first to the second value, in ms. */
export const DOWNLOAD_RETRY_MS = 250;
export const DOWNLOAD_RETRY_MS_MAX = 30_000;
/** Progress is reported when it grew by so much. */
export const PROGRESS_SHARE = 0.25;
/** How often a printer that prints is looked at again, in ms. */
export const PRINTING_POLL_MS = 30_000;
/** Longest timer that Node takes, in ms. */
export const TIMER_MS_MAX = 2 ** 31 - 1;
/** Executions that are remembered as ended, so that a replayed order is known. */
export const ENDED_REMEMBERED_MAX = 64;
/** Bytes of one file of release metadata. */
export const METADATA_BYTES_MAX = 5_000_000;
/** How long one file of release metadata may take, in ms. */
export const METADATA_FETCH_MS_MAX = 60_000;
/** Root rotations that are followed in one go. */
export const ROOT_ROTATIONS_MAX = 256;
/** Bytes of one piece over MQTT (64 KiB in base64), and how many pieces may be under way. */
export const CHUNK_BYTES = 48 * 1024;
export const CHUNKS_WINDOW = 4;
/** Tries over HTTP before it is tried over MQTT. */
export const HTTP_TRIES_MAX = 4;
