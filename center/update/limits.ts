/** Limits of orders and campaigns. */

/** Transitions read and written in one statement. */
export const BATCH_TRANSITIONS_MAX = 500;
/** Retries of a transition whose row was changed by somebody else. */
export const TRANSITION_TRIES_MAX = 50;
/** Rows per page when all orders are scanned (start, pause, abort). */
export const PAGE_ROWS = 1000;
/** Jobs in progress at the same time; each mostly waits for its batch. */
export const JOBS_CONCURRENT_MAX = 256;
/** Default deadline of an order, in ms. */
export const ORDER_MS_DEFAULT = 7 * 24 * 3_600_000;
/** Interval at which published versions are recorded, in ms. */
export const PUBLISHED_FLUSH_MS = 250;
/** Printers per page when a campaign looks for its targets. */
export const CANDIDATES_PAGE = 500;
/** Printers per page of a preview: of each configuration one structure is read, so pages are cheap. */
export const PREVIEW_PAGE = 1_000;
/** Most printers of one campaign. */
export const CAMPAIGN_TARGETS_MAX = 200_000;
/** Pages of candidates read at most for one page of printers that would be left out. */
export const EXCLUDED_PAGES_MAX = 20;
/** Most orders that one look at a campaign dispatches. */
export const CAMPAIGN_DISPATCH_MAX = 500;
/** Most error codes watched in one campaign. */
export const CAMPAIGN_CODES_MAX = 256;
/** How often a campaign judges a printer again that rejected its order as outdated. */
export const TARGET_TRIES_MAX = 3;
/** Reasons to look at a campaign are collected for this long, in ms. */
export const CAMPAIGN_LOOK_MS = 20;
/** Shortest interval between two publishes of a campaign's document, in ms. */
export const CAMPAIGN_PUBLISH_MS = 1000;
/** Interval at which a running campaign looks for printers that match now, in ms. */
export const CAMPAIGN_RESCAN_MS = 60_000;
/** Campaigns looked at concurrently. */
export const LOOKS_AT_ONCE_MAX = 4;
/** Wake-ups due within this time of each other share one job, in ms. */
export const WAKE_GRAIN_MS = 250;
/** Most wake-up times remembered. */
export const WAKES_REMEMBERED_MAX = 10_000;
/** Interval of the sweep for due executions, in case the queue lost its jobs, in ms. */
export const SWEEP_EVERY_MS = 30_000;
/** Size of the image cache, and of the largest image in it. */
export const IMAGE_CACHE_BYTES_MAX = 128 << 20;
export const IMAGE_CACHED_BYTES_MAX = 32 << 20;
/** Size of one chunk of an image over MQTT: 64 KiB in base64. */
export const CHUNK_BYTES_MAX = 48 * 1024;
/** Most disagreements with signed metadata listed in the answer to a catalog. */
export const AGREEMENT_WARNINGS_MAX = 100;
/** Most configurations one stop lists; a stop with more holds for all. */
export const STOP_STRATA_MAX = 1000;
/** Delay before a set-aside is announced, in ms: by then its transaction has usually committed. */
export const SET_ASIDE_TOLD_MS = 100;
/** Interval at which a campaign checks whether busy printers are free, in ms. */
export const BUSY_LOOK_MS = 5_000;
/** Delay before a correction whose question failed is asked for again, in ms. */
export const ASK_AGAIN_MS = 5_000;
/** Most refused corrections that are remembered, so that each is told once. */
export const REFUSALS_REMEMBERED_MAX = 1_000;
/** Misfits per page when a start looks for those that no campaign was asked about. */
export const UNASKED_PAGE = 500;
/** An offline canary that has not been heard of for this long gives its place to another printer, in ms. */
export const CANARY_AWAY_MS = 30 * 60_000;
/** Interval at which a campaign whose canaries are all away is looked at, in ms. */
export const AWAY_LOOK_MS = 60_000;
/** Delay before a failed withdrawal is retried, in ms. */
export const WITHDRAWN_RETRY_MS = 5_000;
/** Longest reason of a campaign's state, as its schema allows. */
export const REASON_CHARACTERS_MAX = 1024;
/** Inconclusive orders that pause a campaign: at least this many, and more than this share. */
export const UNRELATED_MIN = 8;
export const UNRELATED_SHARE_MAX = 0.2;
/** Extra printers considered for dispatch, because some of the first may have to wait. */
export const DISPATCH_SPARE = 64;
/** How long error codes are watched after a campaign has finished, in ms. */
export const CODES_WATCHED_AFTER_MS = 7 * 24 * 3_600_000;
/** How far back a printer's own past is used for comparison, in ms. */
export const CODES_PAST_MS = 7 * 24 * 3_600_000;
/** Default time after a start or an update in which errors are ignored, in ms. */
export const CODES_SETTLE_MS = 10 * 60_000;
/** Interval at which online printers are recorded, in ms. */
export const PRESENCE_DAYS_EVERY_MS = 3_600_000;
