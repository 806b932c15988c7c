/**
 * What the center consists of, as its request methods and asks see it. Each capability has one service; they are put
 * together in `center.ts`.
 */
import type { Logger } from 'pino';
import type { Link } from './link.ts';

export interface Services {
  link: Link;
  log: Logger;
  /** The time now, in milliseconds since the epoch: passed in, so that tests can hold it. */
  now(): number;
}
