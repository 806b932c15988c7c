/**
 * How a printer reports: the center's policy over the agent's own settings over the contract's defaults.
 */

import { durationMs } from '../schemas/duration.ts';
import type { Policy } from '../schemas/types.ts';
import { PERIOD_MS_MIN } from './limits.ts';

export interface StructurePolicy {
  /** Milliseconds between two periodic structures. */
  everyMs: number;
}

export interface ErrorPolicy {
  mode: 'stream' | 'periodic' | 'accumulate';
  /** Milliseconds between two periodic batches. */
  everyMs: number;
  /** This many waiting entries are sent at once; undefined in periodic mode unless set. */
  atEntries: number | undefined;
}

export interface ReadingsPolicy {
  /** Milliseconds between two periodic readings. */
  everyMs: number;
  /** Whether relevant changes are sent too. */
  onChange: boolean;
}

export interface EffectivePolicy {
  readings: ReadingsPolicy;
  structure: StructurePolicy;
  errors: ErrorPolicy;
}

const STRUCTURE_EVERY_MS = 6 * 3_600_000;
const ERRORS_EVERY_MS = 10 * 60_000;
const READINGS_EVERY_MS = 3_600_000;
const AT_ENTRIES = 50;

function period(text: string | undefined, fallback: number): number {
  const ms = text === undefined ? undefined : durationMs(text);
  return ms === undefined ? fallback : Math.max(PERIOD_MS_MIN, ms);
}

/** The effective policy. The center's settings for errors, structures or readings replace the agent's own as a whole. */
export function effectivePolicy(own: Policy | undefined, center: Policy | undefined): EffectivePolicy {
  const { every, mode = 'stream', atEntries } = center?.errors ?? own?.errors ?? {};
  const structure = center?.structure ?? own?.structure;
  const readings = center?.readings ?? own?.readings;
  return {
    structure: { everyMs: period(structure?.every, STRUCTURE_EVERY_MS) },
    readings: {
      everyMs: period(readings?.every, READINGS_EVERY_MS),
      onChange: readings?.onChange ?? true,
    },
    errors: {
      mode,
      everyMs: period(every, ERRORS_EVERY_MS),
      atEntries: atEntries ?? (mode === 'accumulate' ? AT_ENTRIES : undefined),
    },
  };
}
