/** What the composition root passes to every part. */
import type { Logger } from 'pino';
import type { Conclude } from './conclusions.ts';
import type { Store } from './database/store.ts';
import type { FleetEvents } from './fleet/events.ts';
import type { Link } from './link/link.ts';

export interface CenterContext {
  store: Store;
  link: Link;
  events: FleetEvents;
  conclude: Conclude;
  log: Logger;
  /** Milliseconds since the epoch. */
  now(): number;
}
