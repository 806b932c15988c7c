/**
 * How an agent reaches its broker. mqtt.js serves a single printer; simulations bring a transport over raw sockets.
 */

export interface Will {
  topic: string;
  payload: string;
}

export interface ConnectOptions {
  clientId: string;
  username: string;
  /** Left out where the broker asks for no credentials. */
  password?: string;
  /** The broker publishes it retained with QoS 1 when the connection ends without DISCONNECT. */
  will: Will;
  /** Subscribed with QoS 1 as soon as the broker accepted the connection. */
  filters: string[];
  /** Seconds. */
  keepalive: number;
  /** Milliseconds until an unanswered attempt is given up. */
  timeoutMs: number;
}

/** Events of a connection. None follows `closed`. */
export interface ConnectionEvents {
  /** The broker accepted the connection; subscriptions are under way. */
  connected(): void;
  message(topic: string, payload: Buffer): void;
  /** The connection closed or was never established; `reason` says why unless `end` was called. */
  closed(reason?: Error): void;
}

export interface Connection {
  /** Publishes with QoS 1. `acknowledged` is called at most once, and not after the connection is gone. */
  publish(topic: string, payload: string, retain: boolean, acknowledged: () => void): void;
  /** Sends DISCONNECT: the broker drops the will. */
  end(): void;
  /** Drops the connection without DISCONNECT, as a power loss does: the broker publishes the will. */
  cut(): void;
}

export interface Transport {
  connect(options: ConnectOptions, events: ConnectionEvents): Connection;
}

/** A refusal of the broker in a CONNACK (MQTT-3.2.2.3) or SUBACK. */
export class ConnectionRefused extends Error {
  /** CONNACK return code: 4 bad user name or password, 5 not authorized; 0x80 for a refused subscription. */
  readonly returnCode: number;

  constructor(returnCode: number, message: string) {
    super(message);
    this.name = 'ConnectionRefused';
    this.returnCode = returnCode;
  }
}
