/**
 * Every limit of the center, with its unit last in its name. Nothing in the center grows without one of these.
 */
export const CENTER_LIMITS = {
  /** An uplink payload (contract: 64 KiB for error batches; structures may be larger). */
  errors_payload_bytes_max: 64 * 1024,
  structure_payload_bytes_max: 256 * 1024,
  payload_bytes_max: 64 * 1024,
  readings_payload_bytes_max: 64 * 1024,
  /** An operator's request: a catalog of a maker with many releases is the largest. */
  request_payload_bytes_max: 16 * 1024 * 1024,
  /** How long a trouble may be snoozed. */
  snooze_ms_max: 366 * 86_400_000,
  /** The message of an error in a reply; the wire contract lets it be no longer. */
  reply_message_characters_max: 1024,
  /** Printer and kind pairs whose first refusal was logged. */
  refusals_remembered_max: 10_000,
  /** Log memories that a printer may begin in an hour, and printers that are counted. */
  new_logs_per_hour_max: 120,
  new_logs_remembered_max: 50_000,
  /** Log memories of a printer that are listed with it, the newest. */
  logs_listed_max: 100,
  /** Tries after which a message that fails while others are stored is set aside; those whose tries are counted. */
  message_tries_max: 5,
  messages_failed_remembered_max: 1_000,
  /** How long a message waits for its answer to go out before it is acknowledged all the same. */
  answer_wait_ms_max: 5_000,
  /** Times that the broker may end the connection over one message of ours before it is set aside. */
  publish_tries_max: 3,
  /** HTTP connections, WebSockets included. */
  http_connections_max: 4_000,
  /** HTTP connections without a request; then one drawn at random gives way. */
  http_idle_connections_max: 1_000,
  /** The same from one address. */
  http_idle_connections_per_address_max: 500,
  /** HTTP requests of one address under way: a whole site may fetch its images through one proxy. */
  http_requests_per_address_max: 1_000,
  /** Body of an HTTP request that holds no document; as large as a packet of MQTT. */
  http_body_bytes_max: 1024 * 1024,
  /** HTTP requests of one person under way, their bodies included. */
  http_requests_person_max: 256,
  /** Bytes of bodies under way, of one person and of all. */
  http_bodies_person_bytes_max: 48 * 1024 * 1024,
  http_bodies_bytes_max: 256 * 1024 * 1024,
  /** Bytes of bodies of one person that are parsed in a second, and at once after a pause. */
  http_body_bytes_per_second_max: 2 * 1024 * 1024,
  http_body_bytes_burst_max: 64 * 1024 * 1024,
  /** Lists that are sent whole at a time, to one person and to all. */
  http_lists_person_max: 8,
  http_lists_max: 64,
  /** From the first byte of a request to the end of its headers. */
  http_headers_ms_max: 10_000,
  /** From the first byte of a request to its end. */
  http_request_ms_max: 30_000,
  /** How long a connection may be silent, within an answer too. */
  http_silence_ms_max: 30_000,
  /** How long a connection may be without another request. */
  http_idle_ms_max: 5_000,
  /** How often connections are looked through for those that are too slow. */
  http_look_ms: 1_000,
  /** How long a session lasts at most, and without being used. */
  session_ms_max: 12 * 3_600_000,
  session_idle_ms_max: 2 * 3_600_000,
  /** How exactly it is written when a session or a token was last used. */
  session_used_ms: 60_000,
  /** Sessions of one person; with another one the oldest ends. */
  sessions_person_max: 32,
  /** Tokens of one person that hold, and how long one holds at most and when nothing is said. */
  tokens_person_max: 100,
  token_ms_max: 366 * 24 * 3_600_000,
  token_ms_default: 90 * 24 * 3_600_000,
  /** Wrong passwords for one account from one address within a while, before none is looked at for a while; ten times
   * as many for all accounts from one address. And how long the answer to a wrong one takes at least. */
  sign_in_failures_max: 10,
  sign_in_window_ms: 60_000,
  sign_in_ban_ms: 60_000,
  sign_in_wrong_ms: 400,
  /** How long what an OpenID provider says of itself holds, how long one may take to answer, and somebody to come back. */
  oidc_kept_ms: 3_600_000,
  oidc_answer_ms_max: 10_000,
  oidc_flow_ms_max: 600_000,
  /** Address of the page that somebody goes on with after signing in. */
  oidc_page_characters_max: 512,
  /** Body of a request that signs in. */
  sign_in_bytes_max: 4_096,
  /** Requests a minute to what needs nobody signed in: of one address; signing in: of one name at one address. */
  http_open_per_minute_max: 120,
  /** Renderings of the metrics a second, and at once after a pause; more scrapes are given the last one. */
  scrapes_per_second_max: 10,
  scrapes_burst_max: 100,
  /** Items of a list that is sent whole, as JSON lines or CSV. */
  http_list_items_max: 1_000_000,
  /** How long events are kept for those who come back, and how long one gathers others to be written with it. */
  events_kept_ms: 3_600_000,
  events_gather_ms: 50,
  events_retry_ms: 1_000,
  /** Events that wait to be recorded; more are told as a gap. And what one may hold. */
  events_waiting_max: 20_000,
  event_bytes_max: 256 * 1024,
  /** Events that are written or read at once. */
  events_page: 1_000,
  /** Bytes of past events that a reader is given before it has to have taken most of them. */
  events_past_bytes: 64 * 1024,
  /** Streams of events, of everybody and of one person. */
  events_streams_max: 500,
  events_streams_person_max: 32,
  /** What waits for one reader; whoever is slower is dropped. */
  events_stream_bytes_max: 1024 * 1024,
  /** How long a reader of past events may take nothing. */
  events_stalled_ms_max: 20_000,
  /** How long a connection stays open for the reason why it ends. */
  events_farewell_ms_max: 2_000,
  /** How often the record is looked at for events of other nodes, and streams for sessions that ended. */
  events_look_ms: 500,
  events_beat_ms: 15_000,
  /** When a reader that lost its stream comes back. */
  events_reader_retry_ms: 2_000,
  /** Refusals of the broker that are told as events. */
  security_events_per_second_max: 20,
  /** Printers whose verdict waits to be computed; more wait in the store and are taken in pages. */
  verdict_page_printers: 500,
  /** Printers that a round of judging the fleet again takes at once. */
  rejudge_page_printers: 200,
  /** Share of the time that such a round may take while there is much else to do. */
  background_share_max: 0.1,
  /** Use of the event loop and of the processors below which such a round need not wait. */
  background_use_min: 0.5,
  /** Distinct structures whose judgement is remembered. */
  judgement_memo_max: 20_000,
  /** Length of a signature whose whole assessment is remembered. */
  assessed_signature_characters_max: 4_096,
  /** Time for choosing a remedy for one structure. */
  choose_budget_ms_max: 2_000,
  /** Time after which the thread that chooses counts as lost: its start and a new catalog are in it. */
  choose_answer_ms_max: 30_000,
  /** Memory of the thread that chooses, without its clauses (which have a limit of their own). */
  choose_thread_memory_mib_max: 1_024,
  /** Printers whose remedy is being chosen; before more are taken up, some must have theirs. */
  choose_waiting_printers_max: 1_000,
  /** Units and pieces of software beyond which nothing is chosen for a structure, only judged. */
  choose_parts_max: 256,
  /** Time for finding out what would fit a structure (`ask/options`). */
  options_budget_ms_max: 250,
  /** Share of the event loop that one printer may take for what is computed for it; it waits after it took more. */
  printer_compute_share_max: 0.05,
  /** Computing for a printer that takes less is not held against it. */
  printer_compute_ms_free: 20,
  /** Findings in a verdict. */
  verdict_findings_max: 200,
  /** Printers remembered as told of their policy. */
  policies_remembered_max: 200_000,
  /** Credentials kept in memory, about 300 bytes each. */
  accounts_remembered_max: 50_000,
  /** Time for a heavy question (the impact of a catalog, the check of one), and how many may wait for their turn. */
  question_ms_max: 30_000,
  questions_waiting_max: 16,
  question_thread_memory_mib_max: 1_024,
  /** Connections to the database that questions have, all and those of one operator; the others are for what is stored. */
  question_connections_max: 6,
  question_connections_person_max: 2,
  /** A catalog that takes longer to compile is not taken: where it is used nothing else goes on meanwhile. */
  catalog_compile_ms_max: 5_000,
  /** Characters of a range in a request. */
  request_range_characters_max: 4_096,
  /** Requests of one operator under way at once, a second, and at once after a pause. */
  requests_under_way_operator_max: 64,
  requests_operator_per_second_max: 500,
  requests_operator_burst_max: 2_000,
  /**
   * Changes of one operator a second, and at once after a pause, by role: each leaves a row in the audit log. A printer has none.
   */
  changes_per_second_max: { printer: 0, viewer: 0.1, operator: 20, admin: 200 },
  changes_burst_max: { printer: 0, viewer: 100, operator: 5_000, admin: 50_000 },
  /** Requests of operators under way at once. */
  requests_under_way_max: 256,
  /** How long counts for metrics hold at least, and the share of the time that counting may take. */
  gauges_kept_ms: 5_000,
  gauges_share_max: 0.05,
  /** Least time between two summaries. */
  summary_interval_ms_min: 1_000,
  /** Counts older than this are not answered any more. */
  summary_kept_ms_max: 10_000,
  /** Default and greatest page of a list. */
  page_default: 100,
  page_max: 1_000,
  /** Greatest page of inventory documents, which hold whole structures. */
  page_inventory_max: 20,
  /** Values of a facet when nothing is said. */
  facet_values_default: 20,
  /** Labels of one printer that operators set; structures have at most as many. */
  labels_set_max: 32,
  /** Printers of a list that are counted; of more the total is an estimate. */
  exact_total_max: 10_000,
  /** How long an estimate of how many printers a filter finds is kept, and of how many filters. */
  estimates_kept_ms: 10_000,
  estimates_kept_max: 500,
  /** Time for a statement with a filter: one that no index answers looks at every printer. */
  filter_ms_max: 5_000,
  /** Printers that one request (policy.set, structure.request …) is applied to a page at a time. */
  request_page_printers: 500,
  /** Troubles, history entries and options in one answer to a printer. */
  answer_items_max: 200,
  /** Messages of a foreign broker that are handled at once. */
  link_under_way_max: 20_000,
  /** Messages that wait for a foreign broker to take them. */
  link_publishing_max: 100_000,
  /** Entries (and messages) that one statement stores. */
  ingest_batch_entries_max: 2_400,
  /** Entries (and messages) that must have gathered for a statement to be sent while another is under way. */
  ingest_ahead_entries_min: 700,
  /** Entries that one batch adds to the count of lost ones: a printer that skips more has a broken counter. */
  entries_lost_at_once_max: 10_000_000,
  /** Messages of one kind that wait for the database; more are not acknowledged. */
  ingest_waiting_max: 200_000,
  /** What they hold, in bytes as they came; in memory it is several times as much. */
  ingest_waiting_bytes_max: 128 * 1024 * 1024,
  /** Log memories whose cursor is kept in memory. */
  streams_remembered_max: 200_000,
  /** Structures, presences or reports that one statement stores. */
  ingest_batch_documents_max: 2_000,
  /** Readings that one statement stores. */
  ingest_batch_readings_max: 1_000,
  /** How often it is written when printers were last heard of. */
  last_seen_interval_ms: 60_000,
  /** Printers of which one statement writes it. */
  last_seen_page_printers: 1_000,
} as const;
