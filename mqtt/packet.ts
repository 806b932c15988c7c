/**
 * The MQTT 3.1.1 packets that a server receives. Fields have the names of mqtt-packet, because Aedes gets some of these
 * packets. Section numbers refer to the standard.
 */
/** Quality of service [MQTT-4.3]. */
export type QoS = 0 | 1 | 2;

/** Control packet types (2.2.1). */
export const TYPE = {
  connect: 1,
  connack: 2,
  publish: 3,
  puback: 4,
  pubrec: 5,
  pubrel: 6,
  pubcomp: 7,
  subscribe: 8,
  suback: 9,
  unsubscribe: 10,
  unsuback: 11,
  pingreq: 12,
  pingresp: 13,
  disconnect: 14,
} as const;

/** CONNACK return codes (3.2.2.3). */
export const CONNACK = {
  accepted: 0,
  protocol: 1,
  identifier: 2,
  unavailable: 3,
  credentials: 4,
  notAuthorized: 5,
} as const;

export interface Will {
  topic: string;
  payload: Buffer;
  qos: QoS;
  retain: boolean;
}

export interface ConnectPacket {
  cmd: 'connect';
  /** Whether it is MQTT 3.1 or 3.1.1. Otherwise CONNACK is 0x01 and the other fields are not decoded. */
  supported: boolean;
  protocolId: string;
  /** 3 is MQTT 3.1, 4 is MQTT 3.1.1. */
  protocolVersion: number;
  clean: boolean;
  /** Seconds. */
  keepalive: number;
  clientId: string;
  will: Will | undefined;
  username: string | undefined;
  password: Buffer | undefined;
}

export interface PublishPacket {
  cmd: 'publish';
  topic: string;
  payload: Buffer;
  qos: QoS;
  retain: boolean;
  dup: boolean;
  /** 0 with QoS 0. */
  messageId: number;
}

export interface AckPacket {
  cmd: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp';
  messageId: number;
}

export interface SubscribePacket {
  cmd: 'subscribe';
  messageId: number;
  subscriptions: { topic: string; qos: QoS }[];
}

export interface UnsubscribePacket {
  cmd: 'unsubscribe';
  messageId: number;
  unsubscriptions: string[];
}

export interface EmptyPacket {
  cmd: 'pingreq' | 'disconnect';
}

export type Packet =
  | ConnectPacket
  | PublishPacket
  | AckPacket
  | SubscribePacket
  | UnsubscribePacket
  | EmptyPacket;

/**
 * Thrown for bytes that the standard forbids or that exceed a limit; the connection is closed [MQTT-4.8.0-1]. `reason`
 * is a stable word for counters. The message says what is wrong and names the statement.
 */
export class ProtocolError extends Error {
  readonly reason: string;

  constructor(message: string, reason = 'malformed') {
    super(message);
    this.name = 'ProtocolError';
    this.reason = reason;
  }
}
