/**
 * What is used of the inside of Aedes 1.2.0 (pinned exactly) beyond its typed surface. Read in `lib/client.js` and
 * `lib/handlers/`; a new version must be compared with this page.
 */
import type { EventEmitter } from 'node:events';
import type { Will } from '../../mqtt/packet.ts';

/** One connection in Aedes (`lib/client.js`). */
export interface AedesClient extends EventEmitter {
  id: string;
  closed: boolean;
  /** What Aedes reads from and writes to. Replaced by a Wire. */
  conn: unknown;
  /** The broker as this client sees it. Replaced by a view. */
  broker: unknown;
  will: Will | null;
  /** That of its CONNECT, until the client is let in: then it is `will`, which is published when it goes. */
  _will: Will | null;
  clean: boolean;
  version: number | null;
  /** Without it the end of the connection unregisters nothing. */
  _authorized: boolean;
  /** Ends a connection that sends no CONNECT. */
  _connectTimer: NodeJS.Timeout | null;
  /** Set when DISCONNECT came. */
  _disconnected: boolean;
  /** Packets being handled; 0 when a packet is offered lets it be handled at once. */
  _parsingBatch: number;
  /** Milliseconds; 0 or less: none. */
  _keepaliveInterval: number;
  /** Ends the connection when it isn't refreshed. */
  _keepaliveTimer: { refresh(): void } | null;
  /** Called when a packet was handled, with an error when the connection must end. */
  _nextBatch: (error?: Error | null) => void;
  /** Ends what Node's `finished` listens to. */
  _eos: () => void;
  /** By filter; nothing is ever subscribed to there. */
  subscriptions: Record<string, unknown>;
  /** Of what was delivered last, by origin; nothing is delivered through Aedes. */
  duplicates: Record<string, unknown>;
  /** Replaced by the strict decoder of the Wire. Aedes's listener for `packet` expects itself to be called on it. */
  _parser: AedesParser;
  connecting: boolean;
  connected: boolean;
  connackSent: boolean;
  pause(): void;
  resume(): void;
  close(done?: () => void): void;
}

/** What Aedes touches of its parser. */
export interface AedesParser {
  client: AedesClient;
  _queue: unknown[] | null;
  listeners?(event: 'packet'): ((packet: unknown) => void)[];
  removeAllListeners(event?: string): unknown;
}
