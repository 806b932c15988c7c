/** Limits of orders and campaigns. */

/** Transitions that are read and written in one statement. */
export const BATCH_TRANSITIONS_MAX = 500;
/** How often a transition is tried again when others changed the row meanwhile. */
export const TRANSITION_TRIES_MAX = 50;
/** Rows read at once when everything is gone through (start, pause, abort). */
export const PAGE_ROWS = 1000;
/** Jobs that are worked on at the same time; each mostly waits for its batch. */
export const JOBS_CONCURRENT_MAX = 256;
/** How long an order may take unless told otherwise. */
export const ORDER_MS_DEFAULT = 7 * 24 * 3_600_000;
/** How often what was published is noted, in ms. */
export const PUBLISHED_FLUSH_MS = 250;
/** Printers looked at together when a campaign's targets are found. */
export const CANDIDATES_PAGE = 500;
/** Printers of one campaign. */
export const CAMPAIGN_TARGETS_MAX = 200_000;
/** Pages of candidates that are looked at for one page of printers that would be left out. */
export const EXCLUDED_PAGES_MAX = 20;
/** Orders that one look at a campaign gives out. */
export const CAMPAIGN_DISPATCH_MAX = 500;
/** Different error codes that are watched in one campaign. */
export const CAMPAIGN_CODES_MAX = 256;
/** How often a printer that is not as it was judged is judged again within one campaign. */
export const TARGET_TRIES_MAX = 3;
/** Many reasons to look at a campaign within so many ms make one look. */
export const CAMPAIGN_LOOK_MS = 20;
/** A campaign's document is published at most so often, in ms. */
export const CAMPAIGN_PUBLISH_MS = 1000;
/** How often a running campaign looks for printers that have come to match, in ms. */
export const CAMPAIGN_RESCAN_MS = 60_000;
/** Campaigns that are looked at in the same moment. */
export const LOOKS_AT_ONCE_MAX = 4;
/** Looks at executions that are due within so many ms of each other are one look. */
export const WAKE_GRAIN_MS = 250;
/** Times remembered for which a look is planned. */
export const WAKES_REMEMBERED_MAX = 10_000;
/** How often what is due is looked for without having been asked to, in ms. */
export const SWEEP_EVERY_MS = 30_000;
/** Bytes of images kept in memory in all, and of one image. */
export const IMAGE_CACHE_BYTES_MAX = 128 << 20;
export const IMAGE_CACHED_BYTES_MAX = 32 << 20;
/** Bytes of one piece of an image over MQTT: 64 KiB in base64. */
export const CHUNK_BYTES_MAX = 48 * 1024;
/** Disagreements with signed metadata that the answer to a catalog tells one by one. */
export const AGREEMENT_WARNINGS_MAX = 100;
/** Configurations that one stop names; one that was for more holds for all. */
export const STOP_STRATA_MAX = 1000;
/** That a printer was set aside is told after so many ms: by then the transaction that did it has mostly ended. */
export const SET_ASIDE_TOLD_MS = 100;
/** A campaign whose last printers are held by others looks this often whether they are free, in ms. */
export const BUSY_LOOK_MS = 5_000;
/** How long what failed to take back withdrawn releases waits before it tries again, in ms. */
export const WITHDRAWN_RETRY_MS = 5_000;
/** Length of the reason for a campaign's state, as its schema allows it. */
export const REASON_CHARACTERS_MAX = 1024;
/** Orders that say nothing of the release before a campaign is paused because of them, and their share. */
export const UNRELATED_MIN = 8;
export const UNRELATED_SHARE_MAX = 0.2;
/** Printers looked at beyond those that are to get an order: some of the first may have to wait. */
export const DISPATCH_SPARE = 64;
/** How long the codes of a campaign's printers are watched after it has finished, in ms. */
export const CODES_WATCHED_AFTER_MS = 7 * 24 * 3_600_000;
/** How far back printers are compared with their own past, in ms. */
export const CODES_PAST_MS = 7 * 24 * 3_600_000;
/** What a printer logs within so long of a start or its update is left out, in ms, unless a campaign says otherwise. */
export const CODES_SETTLE_MS = 10 * 60_000;
/** How often it is noted which printers are on, in ms. */
export const PRESENCE_DAYS_EVERY_MS = 3_600_000;
