/**
 * How a printer reports: the center's policy over the agent's own settings over the contract's defaults.
 */
import type { Policy } from '../schemas/types.ts';
import { durationMs } from './duration.ts';
import { PERIOD_MS_MIN } from './limits.ts';

export interface StructurePolicy {
  /** Milliseconds between two periodic structures. */
  everyMs: number;
}

export interface ErrorPolicy {
  mode: 'stream' | 'periodic' | 'accumulate';
  /** Milliseconds between two periodic batches. */
  everyMs: number;
  /** So many waiting entries are sent at once; undefined in periodic mode unless it is set. */
  atEntries: number | undefined;
}

export interface EffectivePolicy {
  structure: StructurePolicy;
  errors: ErrorPolicy;
}

const STRUCTURE_EVERY_MS = 6 * 3_600_000;
const ERRORS_EVERY_MS = 10 * 60_000;
const AT_ENTRIES = 50;

function period(text: string | undefined, fallback: number): number {
  const ms = text === undefined ? undefined : durationMs(text);
  return ms === undefined ? fallback : Math.max(PERIOD_MS_MIN, ms);
}

/** The policy that holds: each field from `center`, else `own`, else the contract's default. */
export function effectivePolicy(own: Policy | undefined, center: Policy | undefined): EffectivePolicy {
  const mode = center?.errors?.mode ?? own?.errors?.mode ?? 'stream';
  const atEntries = center?.errors?.atEntries ?? own?.errors?.atEntries;
  return {
    structure: { everyMs: period(center?.structure?.every ?? own?.structure?.every, STRUCTURE_EVERY_MS) },
    errors: {
      mode,
      everyMs: period(center?.errors?.every ?? own?.errors?.every, ERRORS_EVERY_MS),
      atEntries: atEntries ?? (mode === 'accumulate' ? AT_ENTRIES : undefined),
    },
  };
}
