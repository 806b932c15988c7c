/** The center as the process around it sees it. */
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
  /** The release repository, and its address as printers reach it, with a slash at its end. */
  repository: Repository;
  repositoryUrl: string;
  /** Redis for the queue; undefined: the queue is on the store's Postgres. */
  redisUrl: string | undefined;
  log: Logger;
  /** Milliseconds since the epoch. */
  now(): number;
}

export interface Center {
  readonly capabilities: Capabilities;
  /** What HTTP serves: requests of operators, and the record of events. */
  readonly door: { answer(asked: Asked): Promise<Answered>; readonly events: EventRecord };
  /** Why the queue of orders can't be used at the moment. */
  queueFault(): string | undefined;
  /** The broker in this process saw a printer's connection begin or end. */
  connection(printer: string, connected: boolean): void;
  /** Begins to listen and finishes what a stop or a kill left undone. What was opened is closed when it fails. */
  start(): Promise<void>;
  stop(): Promise<void>;
}
