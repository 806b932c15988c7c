/** The center, as seen from its process. */
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Repository } from '../releases/repository.ts';
import type { StoredAccounts } from './accounts/accounts.ts';
import type { Tokens } from './accounts/tokens.ts';
import type { Store } from './database/store.ts';
import type { EventRecord } from './fleet/event-record.ts';
import type { Link } from './link/link.ts';
import type { Capabilities } from './operators/capabilities.ts';
import type { Answered, Asked } from './operators/dispatch.ts';

export interface CenterOptions {
  store: Store;
  link: Link;
  accounts: StoredAccounts;
  tokens: Tokens;
  registry: Registry;
  /** The release repository, and its address for printers, ending with a slash. */
  repository: Repository;
  repositoryUrl: string;
  /** Redis for the queue; undefined: the queue uses the store's Postgres. */
  redisUrl: string | undefined;
  log: Logger;
  /** Milliseconds since the epoch. */
  now(): number;
}

export interface Center {
  readonly capabilities: Capabilities;
  /** For the HTTP server: answers requests of operators, and has the record of events. */
  readonly door: { answer(asked: Asked): Promise<Answered>; readonly events: EventRecord };
  /** Why the queue of orders can't be used; undefined while it can. */
  queueFault(): string | undefined;
  /** The broker in this process saw a printer's connection begin or end. */
  connection(printer: string, connected: boolean): void;
  /** Starts listening and finishes what a stop or a kill left undone. If it fails, it closes what was opened. */
  start(): Promise<void>;
  stop(): Promise<void>;
}
