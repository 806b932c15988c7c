/**
 * Whether something that was stopped may go to a printer. Pure.
 *
 * - What the guard halted speaks against the release: it holds whoever asks, on every configuration.
 * - What a person aborted is that person's word: it holds for everything that starts by itself, on the configurations
 *   that the campaign was for. A person may ask again.
 * - A rule that was changed after the stop is another question.
 */
import type { Cause } from '../cause.ts';

export interface Stop {
  id: string;
  kind: 'guard' | 'person';
  releases: string[];
  /** Configurations; undefined: every one. */
  strata?: string[];
  campaign?: string;
  reason: string;
  by: string;
  /** Milliseconds since the epoch. */
  at: number;
}

/** Who asks for a release, and for which printer. */
export interface Asked {
  releases: readonly string[];
  stratum: string;
  cause: Cause;
  /** When the rule got its present meaning; undefined: always, or it is no rule. */
  ruleSince?: number;
}

/** The stop that forbids it, the oldest one; undefined: it may go. */
export function stopFor(stops: readonly Stop[], asked: Asked): Stop | undefined {
  return stops.find((stop) => holds(stop, asked));
}

function holds(stop: Stop, { releases, stratum, cause, ruleSince }: Asked): boolean {
  if (stop.kind === 'person' && cause.kind === 'person') return false;
  if (cause.kind === 'rule' && ruleSince !== undefined && ruleSince > stop.at) return false;
  if (stop.strata !== undefined && !stop.strata.includes(stratum)) return false;
  return stop.releases.some((release) => releases.includes(release));
}
