/** Counts and reports events: refusals, dropped messages, clients that connect or disconnect. */
import { EventEmitter } from 'node:events';
import type { Role } from '../schemas/roles.ts';
import type { Connection } from './connection/connection.ts';

/** A client connected or disconnected. A client that takes over its own session connects again without a disconnect. */
export interface SessionEvent {
  /** The principal's name; the client id with open access. */
  name: string;
  /** The principal's role; undefined with open access. */
  role: Role | undefined;
  clientId: string;
  state: 'connected' | 'disconnected';
  /** RFC 3339. */
  at: string;
  /** Why it disconnected. */
  reason?: string;
}

/** Something was refused, or a client was disconnected for what it did. */
export interface RefusedEvent {
  /** A stable word. */
  reason: string;
  /** The authenticated name; undefined without one. */
  name: string | undefined;
  /** The user name that it claimed but did not prove. */
  claimed?: string;
  clientId: string;
  address: string;
  topic?: string;
  at: string;
}

export interface HubEvents {
  session: [SessionEvent];
  refused: [RefusedEvent];
}

/** Counters since the start. Gauges are read from the hub. */
export interface Counters {
  bytesReceived: number;
  bytesSent: number;
  packetsReceived: number;
  packetsSent: number;
  publishesReceived: number;
  publishesSent: number;
  /** Payload bytes in PUBLISH packets. */
  payloadBytesReceived: number;
  payloadBytesSent: number;
  connectsAccepted: number;
  socketsOpened: number;
  dropped: Map<string, number>;
  refused: Map<string, number>;
  closed: Map<string, number>;
}

/** A name that was authenticated, or only claimed. */
export interface Who {
  name: string | undefined;
  claimed?: string | undefined;
}

function increment(counts: Map<string, number>, reason: string): void {
  counts.set(reason, (counts.get(reason) ?? 0) + 1);
}

export class Monitor extends EventEmitter<HubEvents> {
  readonly counters: Counters = {
    bytesReceived: 0,
    bytesSent: 0,
    packetsReceived: 0,
    packetsSent: 0,
    publishesReceived: 0,
    publishesSent: 0,
    payloadBytesReceived: 0,
    payloadBytesSent: 0,
    connectsAccepted: 0,
    socketsOpened: 0,
    dropped: new Map(),
    refused: new Map(),
    closed: new Map(),
  };

  /** A message was dropped. */
  dropped(reason: string): void {
    increment(this.counters.dropped, reason);
  }

  /** A connection ended. */
  closed(reason: string): void {
    increment(this.counters.closed, reason);
  }

  /** A repeated refusal: counted, but not reported again. */
  refusedAgain(reason: string): void {
    increment(this.counters.refused, reason);
  }

  /** Something was refused. `who` is set when it isn't the connection's principal. */
  refused(
    connection: Connection,
    reason: string,
    about: { who?: Who | undefined; topic?: string | undefined } = {},
  ): void {
    increment(this.counters.refused, reason);
    const { topic, who = { name: connection.principal?.name } } = about;
    this.emit('refused', {
      reason,
      name: who.name,
      ...(who.claimed === undefined ? {} : { claimed: who.claimed }),
      clientId: connection.clientId,
      address: connection.origin.address,
      ...(topic === undefined ? {} : { topic }),
      at: new Date().toISOString(),
    });
  }

  /** A socket was turned away before it sent a byte. */
  turnedAway(reason: string, address: string): void {
    increment(this.counters.refused, reason);
    this.emit('refused', { reason, name: undefined, clientId: '', address, at: new Date().toISOString() });
  }

  /** A client connected or disconnected. */
  session(connection: Connection, state: SessionEvent['state'], reason?: string): void {
    this.emit('session', {
      name: connection.principal?.name ?? connection.clientId,
      role: connection.principal?.role,
      clientId: connection.clientId,
      state,
      at: new Date().toISOString(),
      ...(reason === undefined ? {} : { reason }),
    });
  }
}
