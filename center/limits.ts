/**
 * Every limit of the center, with its unit last in its name. Nothing in the center grows without one of these.
 */
export const CENTER_LIMITS = {
  /** An uplink payload (contract: 64 KiB for error batches; structures may be larger). */
  errors_payload_bytes_max: 64 * 1024,
  structure_payload_bytes_max: 256 * 1024,
  payload_bytes_max: 64 * 1024,
  readings_payload_bytes_max: 64 * 1024,
  /** An operator's request; the largest is a catalog with many releases. */
  request_payload_bytes_max: 16 * 1024 * 1024,
  /** Longest snooze of a trouble. */
  snooze_ms_max: 366 * 86_400_000,
  /** The message of an error in a reply, as the wire contract limits it. */
  reply_message_characters_max: 1024,
  /** Pairs of printer and kind whose first refusal was logged. */
  refusals_remembered_max: 10_000,
  /** New log memories per printer and hour, and printers for which they are counted. */
  new_logs_per_hour_max: 120,
  new_logs_remembered_max: 50_000,
  /** Newest log memories listed with a printer. */
  logs_listed_max: 100,
  /** Tries before a message that fails while others succeed is set aside, and messages whose tries are counted. */
  message_tries_max: 5,
  messages_failed_remembered_max: 1_000,
  /** How long a message waits for its answer to be sent before it is acknowledged anyway. */
  answer_wait_ms_max: 5_000,
  /** Connections that the broker may close over one of our messages before that message is set aside. */
  publish_tries_max: 3,
  /** HTTP connections, WebSockets included. */
  http_connections_max: 4_000,
  /** HTTP connections without a request; above it a random one of them is closed. */
  http_idle_connections_max: 1_000,
  /** The same from one address. */
  http_idle_connections_per_address_max: 500,
  /** Concurrent HTTP requests from one address: a whole site may fetch its images through one proxy. */
  http_requests_per_address_max: 1_000,
  /** Body of an HTTP request without a document; as large as an MQTT packet. */
  http_body_bytes_max: 1024 * 1024,
  /** Concurrent HTTP requests of one person, including the reading of their bodies. */
  http_requests_person_max: 256,
  /** Bytes of request bodies in memory, of one person and in all. */
  http_bodies_person_bytes_max: 48 * 1024 * 1024,
  http_bodies_bytes_max: 256 * 1024 * 1024,
  /** Body bytes of one person parsed per second, and in a burst after a pause. */
  http_body_bytes_per_second_max: 2 * 1024 * 1024,
  http_body_bytes_burst_max: 64 * 1024 * 1024,
  /** Concurrent exports of whole lists, for one person and in all. */
  http_lists_person_max: 8,
  http_lists_max: 64,
  /** From the first byte of a request to the end of its headers. */
  http_headers_ms_max: 10_000,
  /** From the first byte of a request to its end. */
  http_request_ms_max: 30_000,
  /** How long a connection may be silent, also during an answer. */
  http_silence_ms_max: 30_000,
  /** How long a connection may wait for its next request. */
  http_idle_ms_max: 5_000,
  /** Interval of the search for connections that are too slow. */
  http_look_ms: 1_000,
  /** Longest duration of a session, in all and unused. */
  session_ms_max: 12 * 3_600_000,
  session_idle_ms_max: 2 * 3_600_000,
  /** Precision with which the last use of a session or a token is stored. */
  session_used_ms: 60_000,
  /** Sessions of one person; a further one ends the oldest. */
  sessions_person_max: 32,
  /** Valid tokens of one person, and the longest and the default lifetime of a token. */
  tokens_person_max: 100,
  token_ms_max: 366 * 24 * 3_600_000,
  token_ms_default: 90 * 24 * 3_600_000,
  /** Wrong passwords for one account from one address within a window before further tries are refused; ten times as many
   * for all accounts from one address. And the shortest time of the answer to a wrong one. */
  sign_in_failures_max: 10,
  sign_in_window_ms: 60_000,
  sign_in_ban_ms: 60_000,
  sign_in_wrong_ms: 400,
  /**
   * How long an OpenID provider's metadata is cached, and how long the provider may take to answer and the person to
   * return.
   */
  oidc_kept_ms: 3_600_000,
  oidc_answer_ms_max: 10_000,
  oidc_flow_ms_max: 600_000,
  /** Address of the page to return to after signing in. */
  oidc_page_characters_max: 512,
  /** Body of a sign-in request. */
  sign_in_bytes_max: 4_096,
  /** Requests per minute without a session from one address; sign-ins per minute of one name from one address. */
  http_open_per_minute_max: 120,
  /** Renderings of the metrics per second, and in a burst after a pause; further scrapes get the last one. */
  scrapes_per_second_max: 10,
  scrapes_burst_max: 100,
  /** Items of a whole list exported as JSON lines or CSV. */
  http_list_items_max: 1_000_000,
  /** How long events are kept for clients that reconnect, and how long they are collected into a batch. */
  events_kept_ms: 3_600_000,
  events_gather_ms: 50,
  events_retry_ms: 1_000,
  /** Events that wait to be recorded (further ones become a gap), and the size of one. */
  events_waiting_max: 20_000,
  event_bytes_max: 256 * 1024,
  /** Events written or read in one statement. */
  events_page: 1_000,
  /** Bytes of past events sent ahead to a reader before it must have received most of them. */
  events_past_bytes: 64 * 1024,
  /** Event streams, in all and of one person. */
  events_streams_max: 500,
  events_streams_person_max: 32,
  /** Bytes that wait for one reader; a slower reader is disconnected. */
  events_stream_bytes_max: 1024 * 1024,
  /** How long a reader of past events may stall. */
  events_stalled_ms_max: 20_000,
  /** How long a closing connection stays open, so that the client gets the reason. */
  events_farewell_ms_max: 2_000,
  /** Intervals at which the record is polled for events of other nodes, and streams are checked for ended sessions. */
  events_look_ms: 500,
  events_beat_ms: 15_000,
  /** Delay before a reader that lost its stream reconnects. */
  events_reader_retry_ms: 2_000,
  /** Refusals of the broker published as events. */
  security_events_per_second_max: 20,
  /** Printers queued for a verdict; further ones wait in the store and are read in pages. */
  verdict_page_printers: 500,
  /** Printers per page when the whole fleet is judged again. */
  rejudge_page_printers: 200,
  /** Share of the time for such a round while the machine is busy. */
  background_share_max: 0.1,
  /** Use of the event loop and of the processors below which such a round runs without waiting. */
  background_use_min: 0.5,
  /** Distinct structures whose judgement is cached. */
  judgement_memo_max: 20_000,
  /** Longest signature whose whole assessment is cached. */
  assessed_signature_characters_max: 4_096,
  /** Time to choose a remedy for one structure. */
  choose_budget_ms_max: 2_000,
  /** Time after which the choosing thread counts as lost; includes its start and compiling a catalog. */
  choose_answer_ms_max: 30_000,
  /** Memory of the choosing thread, without its clauses (which have a limit of their own). */
  choose_thread_memory_mib_max: 1_024,
  /** Printers whose remedy is being chosen at the same time. */
  choose_waiting_printers_max: 1_000,
  /** Units and pieces of software above which a structure is only judged, without choosing a remedy. */
  choose_parts_max: 256,
  /** Time to compute the options for a structure (`ask/options`). */
  options_budget_ms_max: 250,
  /** Share of the event loop for one printer's computations; above it the printer has to wait. */
  printer_compute_share_max: 0.05,
  /** Computations shorter than this don't count against a printer. */
  printer_compute_ms_free: 20,
  /** Findings in a verdict. */
  verdict_findings_max: 200,
  /** Printers remembered as having received their policy. */
  policies_remembered_max: 200_000,
  /** Credentials kept in memory, about 300 bytes each. */
  accounts_remembered_max: 50_000,
  /** Time for a heavy question (the impact or the check of a catalog), and heavy questions that may wait. */
  question_ms_max: 30_000,
  questions_waiting_max: 16,
  question_thread_memory_mib_max: 1_024,
  /** Database connections for queries, in all and of one operator; the rest are reserved for ingest. */
  question_connections_max: 6,
  question_connections_person_max: 2,
  /** A catalog that takes longer to compile is refused, because compiling blocks the thread that uses it. */
  catalog_compile_ms_max: 5_000,
  /** Characters of a range in a request. */
  request_range_characters_max: 4_096,
  /** Requests of one operator: concurrent, per second, and in a burst after a pause. */
  requests_under_way_operator_max: 64,
  requests_operator_per_second_max: 500,
  requests_operator_burst_max: 2_000,
  /**
   * Changes of one operator per second, and in a burst after a pause, by role: each adds a row to the audit log.
   * Printers make none.
   */
  changes_per_second_max: { printer: 0, viewer: 0.1, operator: 20, admin: 200 },
  changes_burst_max: { printer: 0, viewer: 100, operator: 5_000, admin: 50_000 },
  /** Concurrent requests of all operators. */
  requests_under_way_max: 256,
  /** Shortest time for which counts for metrics are cached, and the share of the time that counting may take. */
  gauges_kept_ms: 5_000,
  gauges_share_max: 0.05,
  /** Shortest time between two summaries. */
  summary_interval_ms_min: 1_000,
  /** Counts older than this are not returned. */
  summary_kept_ms_max: 10_000,
  /** Default and largest page of a list. */
  page_default: 100,
  page_max: 1_000,
  /** Largest page of inventory documents, which contain whole structures. */
  page_inventory_max: 20,
  /** Default number of values of a facet. */
  facet_values_default: 20,
  /** Labels that operators may set on one printer; structures may have as many of their own. */
  labels_set_max: 32,
  /** Largest exact total of a list of printers; a larger one is estimated. */
  exact_total_max: 10_000,
  /** How long the estimated total of a filter is cached, and for how many filters. */
  estimates_kept_ms: 10_000,
  estimates_kept_max: 500,
  /** Timeout of a statement with a filter: without a usable index it scans all printers. */
  filter_ms_max: 5_000,
  /** Printers per page when one request (policy.set, structure.request …) applies to many. */
  request_page_printers: 500,
  /** Troubles, history entries and options in one answer to a printer. */
  answer_items_max: 200,
  /** Messages of a foreign broker handled concurrently. */
  link_under_way_max: 20_000,
  /** Messages that wait to be sent to a foreign broker. */
  link_publishing_max: 100_000,
  /** Entries (and messages) stored by one statement. */
  ingest_batch_entries_max: 2_400,
  /** Entries (and messages) that must be collected before a statement is sent while another is under way. */
  ingest_ahead_entries_min: 700,
  /** Largest gap that one batch adds to the count of lost entries: a printer that skips more has a broken counter. */
  entries_lost_at_once_max: 10_000_000,
  /** Messages of one kind that wait for the database; more are not acknowledged. */
  ingest_waiting_max: 200_000,
  /** Their size in bytes as received; in memory they take several times as much. */
  ingest_waiting_bytes_max: 128 * 1024 * 1024,
  /** Log memories whose cursor is cached. */
  streams_remembered_max: 200_000,
  /** Structures, presences or reports stored by one statement. */
  ingest_batch_documents_max: 2_000,
  /** Readings stored by one statement. */
  ingest_batch_readings_max: 1_000,
  /** Interval at which the times printers were last heard of are written. */
  last_seen_interval_ms: 60_000,
  /** Printers per statement that writes them. */
  last_seen_page_printers: 1_000,
} as const;
