/**
 * All limits of the broker, unit last in the name. Each can be set (`createBroker({ limits })`, `--limit`). Every time
 * a limit is reached, that is counted and reported with its reason.
 */
export interface BrokerLimits {
  /** Size of one control packet, fixed header included. */
  packetBytesMax: number;
  /** The same before CONNECT is accepted: strangers get less memory. */
  connectPacketBytesMax: number;
  /** Time from accepting the socket to a complete CONNECT. */
  connectMsMax: number;
  /** Of client ids, in bytes of UTF-8. */
  clientIdBytesMax: number;
  /** Clients whose CONNECT was accepted, over all listeners. */
  connectionsMax: number;
  /** Open connections from one address. */
  connectionsPerAddressMax: number;
  /** Connections of one operator; a printer has one. */
  connectionsPerUserMax: number;
  /** Sockets before CONNECT, over all addresses. Beyond it a random one is closed. */
  strangersMax: number;
  /** The same from one address. */
  strangersPerAddressMax: number;
  /** File descriptors kept free for the database, files and downloads. */
  descriptorsReserve: number;
  /** Sockets in the connect queue. Beyond it the last one of the longest queue (by address) is closed. */
  waitingConnectionsMax: number;
  /** Connections begun per second. The others wait. */
  connectsPerSecondMax: number;
  /** Longest keepalive. Longer ones, and none, are supervised as if they were this long. 0 = as the client asks. */
  keepaliveSecondsMax: number;
  /** Of topics and filters, in bytes of UTF-8. */
  topicBytesMax: number;
  /** Levels of a topic or filter. */
  topicLevelsMax: number;
  /** Subscriptions of one session. */
  subscriptionsMax: number;
  /** Messages a client may publish per second. Beyond it the client isn't read for a while. 0 = unbounded. */
  publishesPerSecondMax: number;
  /** Bytes a client may send per second. Beyond it the client isn't read for a while. 0 = unbounded. */
  bytesPerSecondMax: number;
  /** Messages a printer may publish per second, over all its connections. 0 = unbounded. */
  printerPublishesPerSecondMax: number;
  /** Bytes a printer may send per second, over all its connections. 0 = unbounded. */
  printerBytesPerSecondMax: number;
  /** Messages an operator may publish per second, over all its connections. 0 = unbounded. */
  operatorPublishesPerSecondMax: number;
  /** Bytes an operator may send per second, over all its connections: parsing a request takes up to 75 ms a MiB. 0 = unbounded. */
  operatorBytesPerSecondMax: number;
  /** How far an operator may run ahead of its rates. */
  operatorBurstSeconds: number;
  /**
   * Packets a printer or operator may send per second, without PUBLISH and awaited acknowledgements. Each filter of
   * SUBSCRIBE and UNSUBSCRIBE counts as one. 0 = unbounded.
   */
  packetsPerSecondMax: number;
  /** How far a client may run ahead of that rate. */
  packetBurstSeconds: number;
  /** Filters of one SUBSCRIBE that are checked. The others are refused. */
  filtersPerPacketMax: number;
  /** How far a printer may run ahead of its rates: after an absence it sends everything at once. */
  printerBurstSeconds: number;
  /** Publishes of one client that await acknowledgement. Beyond it the client isn't read. */
  inboundInFlightMax: number;
  /** Payload bytes of one client that await acknowledgement. Beyond it the client isn't read. */
  inboundInFlightBytesMax: number;
  /** The same for all clients together. Beyond it no client with a publish in flight is read. */
  inboundInFlightBytesTotalMax: number;
  /** QoS 2 publishes of one session that await PUBREL. One more closes the connection. */
  inboundQos2Max: number;
  /** QoS 1 and 2 messages in flight to one client. */
  outboundInFlightMax: number;
  /** Bytes written to a socket and not read by its peer. Beyond it deliveries wait in the queue of the session. */
  outboundSocketBytesMax: number;
  /** Messages queued for a connected subscriber. Beyond it the subscriber is disconnected (`slow-consumer`). */
  queuedMessagesMax: number;
  /** Bytes queued for a connected subscriber. Beyond it the subscriber is disconnected (`slow-consumer`). */
  queuedBytesMax: number;
  /** Bytes queued for all sessions of one operator or printer. */
  queuedBytesPerUserMax: number;
  /** Bytes queued for all sessions. */
  queuedBytesTotalMax: number;
  /** Retained documents that a connected subscriber still has to get. Beyond it: `slow-consumer`. */
  replayTopicsMax: number;
  /** How long a subscriber may read nothing while output waits. Then it is disconnected. */
  stalledMsMax: number;
  /** Messages queued for an absent client. */
  offlineMessagesMax: number;
  /** Bytes queued for an absent client. */
  offlineBytesMax: number;
  /** What is dropped when the queue of an absent client is full. */
  offlineFull: 'drop-oldest' | 'drop-newest';
  /** Sessions without a connection. Beyond it the one absent longest ends. */
  offlineSessionsMax: number;
  /** Persistent sessions of one operator. Beyond it the one absent longest ends. */
  sessionsPerUserMax: number;
  /** How long a session is kept without a connection. */
  offlineSecondsMax: number;
  /** Retained documents. */
  retainedMax: number;
  /** Bytes of all retained payloads. */
  retainedBytesMax: number;
  /** Connects of one client within `flapWindowMs`. Beyond it the client is banned for `flapBanMs`. */
  flapConnectsMax: number;
  flapWindowMs: number;
  flapBanMs: number;
  /**
   * Wrong passwords for one user from one address within `flapWindowMs`. Beyond it that user is banned there; beyond ten
   * times as many, the address is.
   */
  failuresMax: number;
  /** Costly password checks that run at once, over all addresses. */
  passwordChecksMax: number;
  /** The same for one address. Users that logged in from there before have a queue of their own. */
  passwordChecksPerAddressMax: number;
  /** Costly password checks that wait, over all addresses. Beyond it clients are told to try again later. */
  passwordChecksWaitingMax: number;
  /** The same for one address. */
  passwordChecksWaitingPerAddressMax: number;
  /** Wrong credentials are answered at multiples of this time, so that timing reveals nothing. */
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
  operatorBytesPerSecondMax: 4 * MIB,
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

/** Used with `PLATEN_ACCESS=open`: what the protocol itself allows, because conformance suites try it. */
export const OPEN_LIMITS: Partial<BrokerLimits> = {
  packetBytesMax: 256 * MIB + 5,
  connectPacketBytesMax: 400 * KIB,
  clientIdBytesMax: 65_535,
  topicBytesMax: 65_535,
  // As mosquitto: 200 slashes.
  topicLevelsMax: 201,
  subscriptionsMax: 100_000,
  filtersPerPacketMax: 100_000,
  packetsPerSecondMax: 0,
  inboundQos2Max: 65_535,
  connectsPerSecondMax: 100_000,
  flapConnectsMax: 1_000_000,
  failuresMax: 1_000_000,
};
