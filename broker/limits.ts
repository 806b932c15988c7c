/**
 * Every limit of the broker, with its unit last in the name. All can be set (`createBroker({ limits })`, flags of
 * `platen broker`); a limit that is hit is counted by its name and told.
 */
export interface BrokerLimits {
  /** A whole control packet, its fixed header included. */
  packetBytesMax: number;
  /** The same before CONNECT was accepted: strangers get less memory. */
  connectPacketBytesMax: number;
  /** From the accepted socket to a complete CONNECT. */
  connectMsMax: number;
  /** Of client ids, in bytes of UTF-8. */
  clientIdBytesMax: number;
  /** Clients whose CONNECT was accepted, over all listeners. */
  connectionsMax: number;
  /** Open connections from one address. */
  connectionsPerAddressMax: number;
  /** Connections of one operator; a printer has one. */
  connectionsPerUserMax: number;
  /** Sockets before CONNECT, over all addresses; then one drawn at random gives way. */
  strangersMax: number;
  /** The same from one address. */
  strangersPerAddressMax: number;
  /** File descriptors that sockets leave to the database, files and downloads. */
  descriptorsReserve: number;
  /** Sockets that wait for their turn in a storm; then the last of the longest line (by address) is closed. */
  waitingConnectionsMax: number;
  /** Connections begun per second; the others wait. */
  connectsPerSecondMax: number;
  /** Keepalive the broker accepts; longer ones (and 0) are supervised as if they were this long. 0 = as asked. */
  keepaliveSecondsMax: number;
  /** Of topics and filters, in bytes of UTF-8. */
  topicBytesMax: number;
  /** Levels of a topic or filter. */
  topicLevelsMax: number;
  /** Subscriptions of one session. */
  subscriptionsMax: number;
  /** Messages any client may publish per second, kept by not reading it for a while. 0 = unbounded. */
  publishesPerSecondMax: number;
  /** Bytes any client may send per second, kept by not reading it for a while. 0 = unbounded. */
  bytesPerSecondMax: number;
  /** The same for a printer, over all its connections; what it publishes is stored. 0 = unbounded. */
  printerPublishesPerSecondMax: number;
  /** The same for a printer, over all its connections. 0 = unbounded. */
  printerBytesPerSecondMax: number;
  /** Messages one operator may publish per second, over all connections. 0 = unbounded. */
  operatorPublishesPerSecondMax: number;
  /** Bytes one operator may send per second, over all connections. 0 = unbounded. */
  operatorBytesPerSecondMax: number;
  /** How far ahead of its rates an operator may be. */
  operatorBurstSeconds: number;
  /**
   * Packets of one printer or operator per second that are neither publishes nor the answers to what it was sent; each
   * filter of SUBSCRIBE and UNSUBSCRIBE counts as one. 0 = unbounded.
   */
  packetsPerSecondMax: number;
  /** How far ahead of that rate a client may be. */
  packetBurstSeconds: number;
  /** Filters of one SUBSCRIBE that are looked at; the others are refused. */
  filtersPerPacketMax: number;
  /** How far ahead of its rates a printer may be: what it kept while it was away comes at once. */
  printerBurstSeconds: number;
  /** Publishes of one client handed over and not yet acknowledged; then it isn't read. */
  inboundInFlightMax: number;
  /** Bytes of payload of one client handed over and not yet acknowledged; then it isn't read. */
  inboundInFlightBytesMax: number;
  /** The same of all clients together; then none is read that has something under way. */
  inboundInFlightBytesTotalMax: number;
  /** QoS 2 publishes of one client between PUBREC and PUBREL; more close the connection. */
  inboundQos2Max: number;
  /** QoS 1 and 2 messages sent to one client and not yet acknowledged. */
  outboundInFlightMax: number;
  /** Bytes written to a socket that its peer hasn't taken; then deliveries wait in the session's queue. */
  outboundSocketBytesMax: number;
  /** Messages waiting for one connected subscriber; more and it is disconnected (`slow-consumer`). */
  queuedMessagesMax: number;
  /** Bytes waiting for one connected subscriber; more and it is disconnected (`slow-consumer`). */
  queuedBytesMax: number;
  /** Bytes waiting for all sessions of one user or printer together. */
  queuedBytesPerUserMax: number;
  /** Bytes waiting for all sessions of all together. */
  queuedBytesTotalMax: number;
  /** Topics of retained documents that one connected subscriber asked for and hasn't taken; then as above. */
  replayTopicsMax: number;
  /** How long a subscriber may take nothing while something waits for it; then it is disconnected. */
  stalledMsMax: number;
  /** Messages kept for a session whose client is away. */
  offlineMessagesMax: number;
  /** Bytes kept for a session whose client is away. */
  offlineBytesMax: number;
  /** What gives way when a queue for an absent client is full. */
  offlineFull: 'drop-oldest' | 'drop-newest';
  /** Sessions kept without a connection; the one away longest gives way. */
  offlineSessionsMax: number;
  /** Sessions of one operator that are kept; the one away longest gives way. */
  sessionsPerUserMax: number;
  /** How long a session is kept without a connection. */
  offlineSecondsMax: number;
  /** Retained documents. */
  retainedMax: number;
  /** Bytes of all retained payloads. */
  retainedBytesMax: number;
  /** Connections begun by one id, user or address within `flapWindowMs` before it is banned for `flapBanMs`. */
  flapConnectsMax: number;
  flapWindowMs: number;
  flapBanMs: number;
  /** Wrong passwords for one user from one address within `flapWindowMs` before it is banned there; ten times as
   * many for all users of an address. */
  failuresMax: number;
  /** Costly password checks under way at once, over all addresses. */
  passwordChecksMax: number;
  /** The same for one address. Users that proved themselves there before have a turn of their own. */
  passwordChecksPerAddressMax: number;
  /** Costly password checks that wait, over all addresses; more are told to come again. */
  passwordChecksWaitingMax: number;
  /** The same for one address. */
  passwordChecksWaitingPerAddressMax: number;
  /** Wrong credentials are answered at multiples of this time, so that the answer's time tells nothing. */
  refusalStepMs: number;
  /** Ids, users and addresses watched for flapping and failures. */
  watchedMax: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;

export const DEFAULT_LIMITS: BrokerLimits = {
  packetBytesMax: MIB,
  connectPacketBytesMax: 16 * KIB,
  connectMsMax: 15_000,
  clientIdBytesMax: 256,
  connectionsMax: 19_000,
  connectionsPerAddressMax: 19_000,
  connectionsPerUserMax: 200,
  strangersMax: 6_000,
  strangersPerAddressMax: 3_000,
  descriptorsReserve: 256,
  waitingConnectionsMax: 19_000,
  connectsPerSecondMax: 5_000,
  keepaliveSecondsMax: 0,
  topicBytesMax: KIB,
  topicLevelsMax: 200,
  subscriptionsMax: 1_000,
  publishesPerSecondMax: 0,
  bytesPerSecondMax: 0,
  printerPublishesPerSecondMax: 50,
  printerBytesPerSecondMax: 128 * KIB,
  printerBurstSeconds: 300,
  operatorPublishesPerSecondMax: 2_000,
  operatorBytesPerSecondMax: 32 * MIB,
  operatorBurstSeconds: 10,
  packetsPerSecondMax: 200,
  packetBurstSeconds: 10,
  filtersPerPacketMax: 1_000,
  inboundInFlightMax: 1_000,
  inboundInFlightBytesMax: 4 * MIB,
  inboundInFlightBytesTotalMax: 512 * MIB,
  inboundQos2Max: 1_000,
  outboundInFlightMax: 64,
  outboundSocketBytesMax: 256 * KIB,
  queuedMessagesMax: 50_000,
  queuedBytesMax: 16 * MIB,
  queuedBytesPerUserMax: 64 * MIB,
  queuedBytesTotalMax: 1024 * MIB,
  replayTopicsMax: 2_000_000,
  stalledMsMax: 30_000,
  offlineMessagesMax: 1_000,
  offlineBytesMax: 4 * MIB,
  offlineFull: 'drop-oldest',
  offlineSessionsMax: 100_000,
  sessionsPerUserMax: 100,
  offlineSecondsMax: 7 * 24 * 3600,
  retainedMax: 2_000_000,
  retainedBytesMax: 4096 * MIB,
  flapConnectsMax: 60,
  flapWindowMs: 60_000,
  flapBanMs: 30_000,
  failuresMax: 30,
  passwordChecksMax: 3,
  passwordChecksPerAddressMax: 1,
  passwordChecksWaitingMax: 2_000,
  passwordChecksWaitingPerAddressMax: 64,
  refusalStepMs: 250,
  watchedMax: 100_000,
};

/** What `PLATEN_ACCESS=open` uses instead: what the protocol itself allows, because conformance suites try it. */
export const OPEN_LIMITS: Partial<BrokerLimits> = {
  packetBytesMax: 256 * MIB + 5,
  connectPacketBytesMax: 400 * KIB,
  clientIdBytesMax: 65_535,
  topicBytesMax: 65_535,
  // The bound of mosquitto: 200 slashes.
  topicLevelsMax: 201,
  subscriptionsMax: 100_000,
  filtersPerPacketMax: 100_000,
  packetsPerSecondMax: 0,
  inboundQos2Max: 65_535,
  connectsPerSecondMax: 100_000,
  flapConnectsMax: 1_000_000,
  failuresMax: 1_000_000,
};
