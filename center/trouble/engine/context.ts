/** What the rules know of a printer's structure. */
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

/** The part of a structure document that is read; everything may be missing in a replayed log. */
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

/** Whether `version` of software `id` lies in `range`; undefined when that cannot be told. */
export type InRange = (id: string, version: string, range: string) => boolean | undefined;

/** Ranges by the order of semver, for versions that are semver; of others nothing can be told but "any". */
export const semverInRange: InRange = (_id, version, range) => {
  if (range === '' || range === '*') return true;
  if (semver.validRange(range) === null || semver.valid(version) === null) return undefined;
  return semver.satisfies(version, range);
};

/**
 * A rule that an entry may concern, with what is needed of it for every entry: a rule has many members, and with many
 * rules they would have to be fetched from far away each time.
 */
export interface Match {
  /** The code, as one text for all who keep it. */
  code: string;
  rule: CompiledRule;
  group: number;
  /** Place of the rule in its group. */
  place: number;
  sort: LaneSort;
  perPrinter: boolean;
  /** The unit's part of the key comes after the printer's, so that it is the same for all such rules. */
  sharesUnit: boolean;
  lateMs: number;
  /** What must still hold: what code, severity and model alone decide was decided. */
  test: Test | undefined;
  /** Bits of the inner `where`s that pass; -1 when they look at more than code, severity and model. */
  mask: number;
  /** The rule asks for software. */
  software: boolean;
  /** The rule compares cohorts. */
  cohort: boolean;
  /** An entry that passes none of the inner `where`s means nothing. */
  innerOnly: boolean;
  /** Fields whose values are counted. */
  fields: CompiledRule['fields'];
  /** The group, where readings tell it how far time has come, too. */
  reads: RuleGroup | undefined;
  /** The next rule for the same code and severity. */
  next: Match | undefined;
}

/** The rules that a code may concern, by severity: the first one, null for none, undefined when not yet looked up. */
class Candidates {
  info: Match | null | undefined = undefined;
  warning: Match | null | undefined = undefined;
  error: Match | null | undefined = undefined;
  fatal: Match | null | undefined = undefined;
}

/** Printers with equal structures share one: it remembers which rules may concern a code. */
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

  /** The first of the rules that an entry with this code and severity may concern on this printer; null for none. */
  match(code: string, severity: LogEntry['severity']): Match | null {
    let candidates = this.byCode.get(code);
    if (!candidates) {
      candidates = new Candidates();
      if (this.byCode.size >= CODES_CACHED_MAX) this.byCode.clear();
      this.byCode.set(code, candidates);
    }
    // A branch each: the field's name being known saves the way through a list for every entry.
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
   * Whether the printer has the rule's software in range: on the unit itself where it has it, else anywhere. Not
   * known is not in range.
   */
  hasSoftware(rule: CompiledRule, unit: string | undefined): boolean {
    const wanted = rule.scope.software;
    if (!wanted) return true;
    let byUnit = this.inScope.get(rule);
    if (!byUnit) {
      byUnit = new Map();
      this.inScope.set(rule, byUnit);
    }
    // Units that the structure doesn't know are all alike.
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

/** Which of the rule's inner `where`s pass: bit i is that of number i. */
export function maskOf(rule: CompiledRule, facts: Facts): number {
  let mask = 0;
  for (let bit = 0; bit < rule.inner.length; bit += 1) if (rule.inner[bit]?.(facts)) mask |= 1 << bit;
  return mask;
}

/** Whether a printer as a whole is one that a rule speaks of: its model, a unit of the kind, the software in range. */
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
