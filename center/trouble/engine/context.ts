/** The parts of a printer's structure that rules look at. */
import semver from 'semver';
import type { LogEntry } from '../../../schemas/types.ts';
import type { RuleGroup, RuleIndex } from './compile.ts';
import { CODES_CACHED_MAX } from './limits.ts';
import type { CompiledRule, LaneSort } from './rule.ts';
import { allOf, type Facts, type Test } from './where.ts';

/** The facts of a structure that rules look at. */
export interface PrinterContext {
  model?: string;
  site?: string;
  units: Record<string, { kind: string; model: string }>;
  software: { id: string; version?: string; symbol: string }[];
}

/** The part of a structure document that is read; in a replayed log any of it may be missing. */
export interface StructureLike {
  at?: string;
  site?: string;
  timezone?: string;
  apparatus?: { model?: string; software?: { id: string; version?: string }[] };
  units?: { symbol: string; kind: string; model: string; software?: { id: string; version?: string }[] }[];
}

export function contextOf(structure: StructureLike): PrinterContext {
  const units: PrinterContext['units'] = {};
  const software: PrinterContext['software'] = [];
  for (const item of structure.apparatus?.software ?? []) {
    software.push({ id: item.id, version: item.version, symbol: 'apparatus' });
  }
  for (const unit of structure.units ?? []) {
    units[unit.symbol] = { kind: unit.kind, model: unit.model };
    for (const item of unit.software ?? []) {
      software.push({ id: item.id, version: item.version, symbol: unit.symbol });
    }
  }
  return { model: structure.apparatus?.model, site: structure.site, units, software };
}

/** Whether `version` of software `id` lies in `range`; undefined when unknown. */
export type InRange = (id: string, version: string, range: string) => boolean | undefined;

/** Compares semver versions; for other versions only the range "any" can be answered. */
export const semverInRange: InRange = (_id, version, range) => {
  if (range === '' || range === '*') return true;
  if (semver.validRange(range) === null || semver.valid(version) === null) return undefined;
  return semver.satisfies(version, range);
};

/**
 * A rule that an entry may match, with the fields needed for every entry. They are copied here because with many rules
 * reading them from `CompiledRule` would cost a cache miss each.
 */
export interface Match {
  /** The code, as one string shared by everything that holds it. */
  code: string;
  rule: CompiledRule;
  group: number;
  /** Position of the rule in its group. */
  place: number;
  sort: LaneSort;
  perPrinter: boolean;
  /** The key is printer, then unit, so all such rules can share its text. */
  sharesUnit: boolean;
  lateMs: number;
  /** What remains of `where` after the part that only needs code, severity and model. */
  test: Test | undefined;
  /** Bits of the inner `where`s that pass; -1 when they also look at other fields. */
  mask: number;
  /** The rule has a condition on software. */
  software: boolean;
  /** The rule compares cohorts. */
  cohort: boolean;
  /** An entry that passes none of the inner `where`s can be ignored. */
  innerOnly: boolean;
  /** Fields whose values are counted. */
  fields: CompiledRule['fields'];
  /** The rule's group, when readings advance its time too. */
  reads: RuleGroup | undefined;
  /** The next rule for the same code and severity. */
  next: Match | undefined;
}

/** The first candidate rule for a code, by severity: null for none, undefined when not yet looked up. */
class Candidates {
  info: Match | null | undefined = undefined;
  warning: Match | null | undefined = undefined;
  error: Match | null | undefined = undefined;
  fatal: Match | null | undefined = undefined;
}

/** Printers with equal structures share a class, which caches the rules that may match a code. */
export class ContextClass {
  readonly context: PrinterContext;
  private readonly index: RuleIndex;
  private readonly inRange: InRange;
  private readonly byCode = new Map<string, Candidates>();
  private readonly inScope = new Map<CompiledRule, Map<string | undefined, boolean>>();

  constructor(context: PrinterContext, index: RuleIndex, inRange: InRange) {
    this.context = context;
    this.index = index;
    this.inRange = inRange;
  }

  /** The first rule that an entry with this code and severity may match on this printer; null for none. */
  match(code: string, severity: LogEntry['severity']): Match | null {
    let candidates = this.byCode.get(code);
    if (!candidates) {
      candidates = new Candidates();
      if (this.byCode.size >= CODES_CACHED_MAX) this.byCode.clear();
      this.byCode.set(code, candidates);
    }
    // One branch each: a fixed field name saves a property lookup per entry.
    switch (severity) {
      case 'info':
        if (candidates.info === undefined) candidates.info = this.findMatches(code, severity);
        return candidates.info;
      case 'warning':
        if (candidates.warning === undefined) candidates.warning = this.findMatches(code, severity);
        return candidates.warning;
      case 'error':
        if (candidates.error === undefined) candidates.error = this.findMatches(code, severity);
        return candidates.error;
      default:
        if (candidates.fatal === undefined) candidates.fatal = this.findMatches(code, severity);
        return candidates.fatal;
    }
  }

  private findMatches(code: string, severity: LogEntry['severity']): Match | null {
    const facts: Facts = {
      printer: '',
      code,
      severity,
      unit: undefined,
      kind: undefined,
      model: this.context.model,
      site: undefined,
      detail: undefined,
    };
    let first: Match | null = null;
    let last: Match | undefined;
    for (const { rule, group, place, sort } of this.index.candidates(code)) {
      if (!this.fits(rule) || (rule.fixed && !rule.fixed(facts))) continue;
      const mask = rule.innerFixed ? maskOf(rule, facts) : -1;
      if (mask === 0 && rule.inner.length > 0 && rule.innerOnly) continue;
      const { kind, software } = rule.scope;
      const match: Match = {
        code,
        rule,
        group,
        place,
        sort,
        perPrinter: rule.perPrinter,
        sharesUnit: sort === 'unit' && rule.by[0] === 'printer',
        lateMs: rule.lateMs,
        test: allOf([kind === undefined ? undefined : (entry) => entry.kind === kind, rule.rest]),
        mask,
        software: software !== undefined,
        cohort: rule.cohort !== undefined,
        innerOnly: rule.innerOnly,
        fields: rule.fields,
        reads: this.index.readsWith(group),
        next: undefined,
      };
      if (last) last.next = match;
      else first = match;
      last = match;
    }
    return first;
  }

  /** Whether the printer's model is in the rule's scope. */
  fits(rule: CompiledRule): boolean {
    const { models } = rule.scope;
    if (!models) return true;
    return this.context.model !== undefined && models(this.context.model);
  }

  /**
   * Whether the printer has the rule's software in range: on the unit itself if it is installed there, else anywhere.
   * Unknown counts as not in range.
   */
  hasSoftware(rule: CompiledRule, unit: string | undefined): boolean {
    const wanted = rule.scope.software;
    if (!wanted) return true;
    let byUnit = this.inScope.get(rule);
    if (!byUnit) {
      byUnit = new Map();
      this.inScope.set(rule, byUnit);
    }
    // All units missing from the structure are treated alike.
    const known = unit !== undefined && Object.hasOwn(this.context.units, unit) ? unit : undefined;
    let has = byUnit.get(known);
    if (has === undefined) {
      has = this.findSoftware(wanted, known);
      byUnit.set(known, has);
    }
    return has;
  }

  forgetRanges(): void {
    this.inScope.clear();
  }

  private findSoftware(wanted: { id: string; range: string }, unit: string | undefined): boolean {
    const installed = this.context.software.filter(({ id }) => id === wanted.id);
    const own = installed.filter(({ symbol }) => symbol === unit);
    return (own.length > 0 ? own : installed).some(({ id, version }) =>
      version === undefined
        ? wanted.range === '' || wanted.range === '*'
        : this.inRange(id, version, wanted.range) === true,
    );
  }
}

/** The inner `where`s of the rule that pass: bit i stands for number i. */
export function maskOf(rule: CompiledRule, facts: Facts): number {
  let mask = 0;
  for (let bit = 0; bit < rule.inner.length; bit += 1) if (rule.inner[bit]?.(facts)) mask |= 1 << bit;
  return mask;
}

/** Whether the printer as a whole is in the rule's scope: its model, a unit of the kind, the software in range. */
export function inRuleScope(rule: CompiledRule, context: PrinterContext, inRange: InRange): boolean {
  const { models, kind, software } = rule.scope;
  if (models && (context.model === undefined || !models(context.model))) return false;
  if (kind !== undefined && !Object.values(context.units).some((unit) => unit.kind === kind)) return false;
  if (!software) return true;
  const anyVersion = software.range === '' || software.range === '*';
  return context.software.some(
    ({ id, version }) =>
      id === software.id &&
      (anyVersion || (version !== undefined && inRange(id, version, software.range) === true)),
  );
}
