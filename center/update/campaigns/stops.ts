/**
 * Whether a stop keeps a release from a printer. Pure.
 *
 * - A stop by the guard is evidence against the release. It holds for every cause and configuration.
 * - A stop by a person (an abort) holds for everything that starts automatically, on the configurations of the campaign. A
 *   person may ask again.
 * - A rule that changed after the stop is a new question.
 */
import type { Cause } from '../cause.ts';

export interface Stop {
  id: string;
  kind: 'guard' | 'person';
  releases: string[];
  /** Configurations; undefined: all. */
  strata?: string[];
  campaign?: string;
  reason: string;
  by: string;
  /** Milliseconds since the epoch. */
  at: number;
}

/** A request for releases for a printer. */
export interface Asked {
  releases: readonly string[];
  stratum: string;
  cause: Cause;
  /** When the rule got its current meaning; undefined: unknown, or not a rule. */
  ruleSince?: number;
}

/** The oldest stop that applies; undefined: none. */
export function stopFor(stops: readonly Stop[], asked: Asked): Stop | undefined {
  return stops.find((stop) => holds(stop, asked));
}

function holds(stop: Stop, { releases, stratum, cause, ruleSince }: Asked): boolean {
  if (stop.kind === 'person' && cause.kind === 'person') return false;
  if (cause.kind === 'rule' && ruleSince !== undefined && ruleSince > stop.at) return false;
  if (stop.strata !== undefined && !stop.strata.includes(stratum)) return false;
  return stop.releases.some((release) => releases.includes(release));
}
