/** What the rules know of a printer's structure. */
import semver from 'semver';
import type { RuleIndex, RulePlace } from './compile.ts';
import { CODES_CACHED_MAX } from './limits.ts';
import type { CompiledRule } from './rule.ts';

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

/** The rules that a code may concern, and the code as one text for all who keep it. */
export interface Candidates {
  code: string;
  places: RulePlace[];
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

  /** The rules whose scope fits this printer (but for the kind of the unit) and whose code may fit. */
  candidates(code: string): Candidates {
    let found = this.byCode.get(code);
    if (!found) {
      found = { code, places: this.index.candidates(code).filter(({ rule }) => this.fits(rule)) };
      if (this.byCode.size >= CODES_CACHED_MAX) this.byCode.clear();
      this.byCode.set(code, found);
    }
    return found;
  }

  private fits(rule: CompiledRule): boolean {
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
