/** A rule as the engine runs it. */
import type { Condition } from './conditions.ts';
import type { ReadingTest } from './reading-when.ts';
import type { CodeDemand, Facts, Test } from './where.ts';

/** Rule ids that begin so are the center's own: rules that come and go say nothing of their troubles. */
export const OWN_RULES = 'platen.';

/** What one state may be kept for. */
export const BY = ['printer', 'unit', 'code', 'model', 'site', 'fleet'] as const;
export type By = (typeof BY)[number];

/** `all`/`any`/`not` over the conditions of a rule; a number is the index of a condition. */
export type Formula = number | { all: Formula[] } | { any: Formula[] } | { not: Formula };

export interface CompiledRule {
  id: string;
  title: string | undefined;
  /** Changes whenever the rule's meaning does: state made by another version of the rule is dropped. */
  fingerprint: string;
  by: By[];
  /** Whether each state belongs to one printer. */
  perPrinter: boolean;
  demand: CodeDemand;
  /** What of `where` looks at code, severity and model only, and the rest of it; undefined: everything passes. */
  fixed: Test | undefined;
  rest: Test | undefined;
  /** Inner `where`s, by number. */
  inner: Test[];
  /** All inner `where`s look at code, severity and model only. */
  innerFixed: boolean;
  /** Every condition looks at inner `where`s only: an entry that passes none of them means nothing. */
  innerOnly: boolean;
  /** Fields whose values `distinct` counts. */
  fields: ((facts: Facts) => unknown)[];
  scope: {
    models: ((model: string) => boolean) | undefined;
    kind: string | undefined;
    software: { id: string; range: string } | undefined;
  };
  /** What readings are asked for it. */
  reads: ReadingTest[];
  conditions: Condition[];
  formula: Formula;
  /** Which conditions stand under an odd number of `not`s. */
  negated: boolean[];
  /** With fewer sightings of a key there is neither a trouble nor anything that time alone changes. */
  needs: number;
  /** Longest window in which the pages that the whole printer printed are counted (rate), ms; 0 when none are. */
  pagesMs: number;
  cohort: CohortOptions | undefined;
  clear: { quietMs: number } | { lt: number; overMs: number } | undefined;
  dedupMs: number;
  lateMs: number;
  /** Names of the severities with the measure from which they hold, ascending. */
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

/** What distinguishes a group's lanes within one printer: nothing, the unit, or the whole key. */
export type LaneSort = 'one' | 'unit' | 'key';
