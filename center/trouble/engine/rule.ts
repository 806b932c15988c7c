/** A rule as the engine runs it. */
import type { Condition } from './conditions.ts';
import type { ReadingTest } from './reading-when.ts';
import type { CodeDemand, Facts, Test } from './where.ts';

/** Rule ids with this prefix belong to the center; changing the rules leaves their troubles alone. */
export const OWN_RULES = 'platen.';

/** What a rule's state may be kept by. */
export const BY = ['printer', 'unit', 'code', 'model', 'site', 'fleet'] as const;
export type By = (typeof BY)[number];

/** `all`/`any`/`not` over the conditions of a rule; a number is the index of a condition. */
export type Formula = number | { all: Formula[] } | { any: Formula[] } | { not: Formula };

export interface CompiledRule {
  id: string;
  title: string | undefined;
  /** Changes with the rule's meaning; state with another fingerprint is dropped. */
  fingerprint: string;
  by: By[];
  /** Whether each key belongs to one printer. */
  perPrinter: boolean;
  demand: CodeDemand;
  /** `where` in two parts: the tests of code, severity and model only, and the rest. Undefined: everything passes. */
  fixed: Test | undefined;
  rest: Test | undefined;
  /** The inner `where`s, by number. */
  inner: Test[];
  /** Whether all inner `where`s test code, severity and model only. */
  innerFixed: boolean;
  /** Whether every condition uses inner `where`s: an entry that passes none of them can be ignored. */
  innerOnly: boolean;
  /** Fields whose values `distinct` counts. */
  fields: ((facts: Facts) => unknown)[];
  scope: {
    models: ((model: string) => boolean) | undefined;
    kind: string | undefined;
    software: { id: string; range: string } | undefined;
  };
  /** What its conditions test of readings. */
  reads: ReadingTest[];
  conditions: Condition[];
  formula: Formula;
  /** Which conditions stand under an odd number of `not`s. */
  negated: boolean[];
  /** With fewer sightings of a key no trouble is possible, and time alone changes nothing. */
  needs: number;
  /** Longest window of a `rate`, ms, for which the printer's page readings are kept; 0 without one. */
  pagesMs: number;
  cohort: CohortOptions | undefined;
  clear: { quietMs: number } | { lt: number; overMs: number } | undefined;
  dedupMs: number;
  lateMs: number;
  /** Names of the severities with the measure at which they begin, ascending. */
  severity: { name: string; from: number }[];
  suppressedBy: string[];
  /** How long after its last sighting a state without an open trouble still matters, ms. */
  horizonMs: number;
  remedy: Record<string, unknown> | undefined;
  fleet: boolean;
  auto: boolean;
}

export interface CohortOptions {
  software: string;
  /** The release on trial, as a range. */
  range: string | undefined;
  against: string | undefined;
  ratio: number;
  alpha: number;
}

/** What tells a group's lanes within one printer apart: nothing, the unit, or the whole key. */
export type LaneSort = 'one' | 'unit' | 'key';
