/** Compiles a rule document: closures, an index by code, and diagnostics with the JSON path of what is wrong. */
import { createHash } from 'node:crypto';
import { durationMs } from '../../../schemas/duration.ts';
import { didYouMean } from '../../../schemas/nearest-name.ts';
import type { TroubleRules } from '../../../schemas/types.ts';
import { findPolicyFault, findSchemaFault, withoutUnknownMembers } from '../../../schemas/validate.ts';
import { type Diagnostic, Diagnostics } from './diagnostics.ts';
import { GE_MAX, LATE_DEFAULT_MS, READS_BACK_MS, REBUILD_MAX_MS } from './limits.ts';
import { READING_CONDITIONS } from './reading-when.ts';
import { BY, type By, type CompiledRule, type LaneSort, OWN_RULES } from './rule.ts';
import { type CompiledWhen, compileWhen } from './when.ts';
import { bothDemands, compileGlob, compileWhere } from './where.ts';

/** Rules that are judged together because one suppresses another, in the order in which they are judged. */
export interface RuleGroup {
  rules: CompiledRule[];
  lateMs: number;
  /** One lane per printer instead of one per key: the members look at each other's troubles. */
  joint: boolean;
  /** With fewer sightings than this in a lane no trouble is possible (see `CompiledRule.needs`). */
  needs: number;
  /** Whether a member counts pages. */
  usesPages: boolean;
  /** How the lanes of one printer are told apart. */
  sort: LaneSort;
  /** What advances the group's time: entries, readings or both. */
  time: 'entries' | 'readings' | 'both';
}

export interface CompiledRules {
  /** Name of the revision. */
  revision: string;
  rules: CompiledRule[];
  groups: RuleGroup[];
  index: RuleIndex;
  /** Highest `late` of all rules, ms. */
  lateMaxMs: number;
  /** Longest window of the rules that count pages, ms. */
  pagesMaxMs: number;
  /** Longest time for which an entry can matter, ms; bounded by `REBUILD_MAX_MS`. */
  horizonMaxMs: number;
  /** How far back readings are read to build the state of new rules, ms; 0 when no rule looks at readings. */
  readsBackMs: number;
}

export interface Compilation {
  rules: CompiledRules;
  diagnostics: Diagnostic[];
  /** Number of errors among the diagnostics; the rules must not be used unless it is 0. */
  errors: number;
}

/** Position of a rule: its group, and its place in it. */
export interface RulePlace {
  rule: CompiledRule;
  group: number;
  place: number;
  sort: LaneSort;
}

/** Finds the rules that may match a code, without looking at the others. */
export class RuleIndex {
  private readonly exact = new Map<string, RulePlace[]>();
  private readonly prefixes = new Map<number, Map<string, RulePlace[]>>();
  private readonly any: RulePlace[] = [];
  private readonly reading = new Map<number, RuleGroup>();

  /** Marks a group as one whose time readings advance too. */
  addReading(index: number, group: RuleGroup): void {
    this.reading.set(index, group);
  }

  readsWith(group: number): RuleGroup | undefined {
    return this.reading.get(group);
  }

  add(place: RulePlace): void {
    const { demand } = place.rule;
    if (demand.any) {
      this.any.push(place);
      return;
    }
    for (const code of new Set(demand.exact)) append(this.exact, code, place);
    for (const prefix of new Set(demand.prefixes)) {
      let byPrefix = this.prefixes.get(prefix.length);
      if (!byPrefix) {
        byPrefix = new Map();
        this.prefixes.set(prefix.length, byPrefix);
      }
      append(byPrefix, prefix, place);
    }
  }

  /** The rules that an entry with this code may match, each once. */
  candidates(code: string): RulePlace[] {
    const found = new Set(this.any);
    for (const place of this.exact.get(code) ?? []) found.add(place);
    for (const [length, byPrefix] of this.prefixes) {
      if (code.length < length) continue;
      for (const place of byPrefix.get(code.slice(0, length)) ?? []) found.add(place);
    }
    return [...found];
  }
}

function append<V>(map: Map<string, V[]>, key: string, value: V): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}

/**
 * Compiles a rule document. With errors among the diagnostics the compiled rules are incomplete and must not be used.
 */
export function compileRules(document: TroubleRules): Compilation {
  return compileWith(document, new Diagnostics());
}

/** Compiles a stored rule document: unknown members are ignored with a warning instead of refused. */
export function compileStoredRules(document: TroubleRules): Compilation {
  return compileWith(withoutUnknownMembers('rules', document), new Diagnostics(true));
}

function compileWith(document: TroubleRules, diagnostics: Diagnostics): Compilation {
  const fault = findSchemaFault('rules', document);
  if (fault) {
    diagnostics.error(fault.path, fault.message);
    return { rules: emptyRules(), diagnostics: diagnostics.list, errors: diagnostics.errors };
  }
  const rules = document.list.map((rule, index) => compileRule(rule, `/list/${index}`, diagnostics));
  const byId = new Map<string, CompiledRule>();
  rules.forEach((rule, index) => {
    if (rule.id.startsWith(OWN_RULES)) {
      diagnostics.errorIfNew(
        `/list/${index}/id`,
        `ids that begin with "${OWN_RULES}" are the center's own: choose another than "${rule.id}"`,
      );
    }
    if (byId.has(rule.id)) diagnostics.error(`/list/${index}/id`, `the id "${rule.id}" is used twice`);
    byId.set(rule.id, rule);
  });
  const groups = groupRules(rules, byId, diagnostics);
  const index = new RuleIndex();
  groups.forEach((group, groupIndex) => {
    if (group.time !== 'entries') index.addReading(groupIndex, group);
    group.rules.forEach((rule, place) => {
      index.add({ rule, group: groupIndex, place, sort: group.sort });
    });
  });
  const compiled: CompiledRules = {
    revision: document.rules,
    rules,
    groups,
    index,
    lateMaxMs: rules.reduce((max, rule) => Math.max(max, rule.lateMs), 0),
    pagesMaxMs: rules.reduce((max, rule) => Math.max(max, rule.pagesMs), 0),
    horizonMaxMs: rules.reduce((max, rule) => Math.max(max, Math.min(rule.horizonMs, REBUILD_MAX_MS)), 0),
    readsBackMs: rules.some(({ reads }) => reads.length > 0) ? READS_BACK_MS : 0,
  };
  return { rules: compiled, diagnostics: diagnostics.list, errors: diagnostics.errors };
}

function emptyRules(): CompiledRules {
  return {
    revision: '',
    rules: [],
    groups: [],
    index: new RuleIndex(),
    lateMaxMs: 0,
    pagesMaxMs: 0,
    horizonMaxMs: 0,
    readsBackMs: 0,
  };
}

/** Words for the software of a remedy: whatever fixes the codes of the trouble. */
const REMEDY_SOFTWARE = ['fixes'];
const REMEDY_MEMBERS = ['software', 'notify', 'request', 'policy', 'fleet', 'auto'];

function checkRemedy(remedy: Record<string, unknown>, path: string, diagnostics: Diagnostics): void {
  diagnostics.unknownMembers(remedy, REMEDY_MEMBERS, path);
  const { software, policy } = remedy;
  if (typeof software === 'string' && !REMEDY_SOFTWARE.includes(software)) {
    diagnostics.errorIfNew(
      `${path}/software`,
      `"${software}" is neither "fixes" nor an object with an id${didYouMean(software, REMEDY_SOFTWARE)}`,
    );
  }
  if (typeof software === 'object' && software !== null) {
    diagnostics.unknownMembers(software, ['id', 'range'], `${path}/software`);
  }
  if (policy !== undefined) {
    const fault = findPolicyFault(policy);
    if (fault) {
      diagnostics.error(`${path}/policy${fault.path === '/' ? '' : fault.path}`, fault.message);
    }
  }
}

function compileRule(
  rule: TroubleRules['list'][number],
  path: string,
  diagnostics: Diagnostics,
): CompiledRule {
  const raw = rule as unknown as Record<string, unknown>;
  const remedy = rule.remedy as Record<string, unknown> | undefined;
  if (remedy) checkRemedy(remedy, `${path}/remedy`, diagnostics);
  const severity = severities(rule.severity, `${path}/severity`, diagnostics);
  const cleared = clearing(rule.clear, `${path}/clear`, diagnostics);
  const thresholds = Math.min(GE_MAX, Math.max(0, ...severity.map(({ from }) => Math.ceil(from))));
  const when = compileWhen(rule.when, `${path}/when`, diagnostics, thresholds);
  const clear = cleared ?? clearedByReadings(when);
  const where = compileWhere(rule.where, `${path}/where`, diagnostics);
  const by = keptBy(rule.by, `${path}/by`, diagnostics);
  const perPrinter = by.includes('printer');
  if (!perPrinter) {
    for (const name of ['rate', 'silence', 'bucket', ...READING_CONDITIONS]) {
      if (when.names.has(name)) diagnostics.error(`${path}/by`, `${name} needs "printer" in by`);
    }
  }
  const duration = (name: string, fallback: number): number => {
    if (raw[name] === undefined) return fallback;
    const ms = durationMs(raw[name]);
    if (ms === undefined) diagnostics.error(`${path}/${name}`, 'an ISO 8601 duration is expected');
    return ms ?? fallback;
  };
  const lateMs = duration('late', LATE_DEFAULT_MS);
  const dedupMs = duration('dedup', -1);
  const horizonMs = Math.max(
    dedupMs,
    clear ? ('quietMs' in clear ? clear.quietMs : clear.overMs) : 0,
    ...when.conditions.map((condition) => condition.horizon),
  );
  const { scope } = rule;
  const globs = scope?.models?.map(compileGlob);
  return {
    id: rule.id,
    title: rule.title,
    fingerprint: fingerprint(rule),
    by,
    perPrinter,
    demand: bothDemands([where.demand, when.demand]),
    fixed: where.fixed,
    rest: where.rest,
    inner: when.inner,
    innerFixed: when.innerFixed,
    innerOnly: when.innerOnly,
    fields: when.fields,
    reads: when.reads,
    scope: {
      models: globs && ((model) => globs.some((matches) => matches(model))),
      kind: scope?.kind,
      software: scope?.software && { id: scope.software.id, range: scope.software.range ?? '' },
    },
    conditions: when.conditions,
    formula: when.formula,
    negated: when.negated,
    needs: when.needs,
    pagesMs: when.pagesMs,
    cohort: when.cohort,
    clear,
    dedupMs,
    lateMs,
    severity,
    suppressedBy: rule.suppressedBy ?? [],
    horizonMs,
    remedy,
    // The flag may stand beside the remedy or in it.
    fleet: rule.fleet ?? (typeof remedy?.['fleet'] === 'boolean' ? remedy['fleet'] : true),
    auto: rule.auto ?? remedy?.['auto'] === true,
  };
}

// What the state depends on: the rule without its title and remedy. Members are sorted, because the database returns a
// document with its members in another order.
function fingerprint(rule: TroubleRules['list'][number]): string {
  const { title: _title, remedy: _remedy, fleet: _fleet, auto: _auto, ...meaning } = rule;
  return createHash('sha256').update(JSON.stringify(meaning, byName)).digest('base64url').slice(0, 16);
}

/** For `JSON.stringify`: sorts the members of objects by name. */
function byName(_name: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function keptBy(by: string[] | undefined, path: string, diagnostics: Diagnostics): By[] {
  if (by === undefined) return ['printer'];
  if (by.length === 0)
    diagnostics.error(path, 'by must not be empty; ["fleet"] keeps one state for all printers');
  by.forEach((name, index) => {
    if (!(BY as readonly string[]).includes(name)) {
      diagnostics.error(`${path}/${index}`, `no such key (${BY.join(', ')})`);
    }
  });
  return by as By[];
}

function severities(
  list: unknown[][] | undefined,
  path: string,
  diagnostics: Diagnostics,
): { name: string; from: number }[] {
  const result: { name: string; from: number }[] = [];
  list?.forEach((pair, index) => {
    const [name, from] = pair;
    if (typeof name !== 'string' || name === '' || typeof from !== 'number' || pair.length !== 2) {
      diagnostics.error(`${path}/${index}`, '[name, from] is expected');
      return;
    }
    const before = result.at(-1);
    if (before && before.from >= from) diagnostics.error(`${path}/${index}`, 'thresholds must grow');
    result.push({ name, from });
  });
  return result;
}

/** The clearing of a rule that looks at readings only: when they say that it is over. */
function clearedByReadings({ conditions, negated }: CompiledWhen): CompiledRule['clear'] {
  const signs = conditions.filter((_condition, index) => !negated[index]);
  return signs.length > 0 && signs.every(({ standing }) => standing) ? { quietMs: 0 } : undefined;
}

function clearing(clear: unknown, path: string, diagnostics: Diagnostics): CompiledRule['clear'] {
  if (clear === undefined) return undefined;
  const { quiet, lt, over } = clear as Record<string, unknown>;
  diagnostics.unknownMembers(clear as object, ['quiet', 'lt', 'over'], path);
  if (quiet !== undefined && lt === undefined && over === undefined) {
    const quietMs = durationMs(quiet);
    if (quietMs === undefined) diagnostics.error(`${path}/quiet`, 'an ISO 8601 duration is expected');
    return { quietMs: quietMs ?? 0 };
  }
  const overMs = durationMs(over);
  if (typeof lt !== 'number' || !Number.isInteger(lt) || lt < 1 || lt > GE_MAX || overMs === undefined) {
    diagnostics.error(
      path,
      'either {quiet: duration} or {lt: whole number from 1, over: duration} is expected',
    );
    return undefined;
  }
  return { lt, overMs };
}

/** Groups the rules linked by `suppressedBy`, suppressors before those they suppress. */
function groupRules(
  rules: CompiledRule[],
  byId: Map<string, CompiledRule>,
  diagnostics: Diagnostics,
): RuleGroup[] {
  const root = new Map<CompiledRule, CompiledRule>();
  const find = (rule: CompiledRule): CompiledRule => {
    let top = rule;
    for (let next = root.get(top); next !== undefined && next !== top; next = root.get(top)) top = next;
    return top;
  };
  rules.forEach((rule, index) => {
    rule.suppressedBy.forEach((id, place) => {
      const path = `/list/${index}/suppressedBy/${place}`;
      const other = byId.get(id);
      if (!other) {
        diagnostics.error(path, `there is no rule "${id}"`);
      } else if (!rule.perPrinter || !other.perPrinter) {
        diagnostics.error(path, 'both rules need "printer" in by: suppression works on the same printer');
      } else {
        const [left, right] = [find(rule), find(other)];
        if (left !== right) root.set(left, right);
      }
    });
  });
  const members = new Map<CompiledRule, CompiledRule[]>();
  for (const rule of rules) {
    const top = find(rule);
    const list = members.get(top);
    if (list) list.push(rule);
    else members.set(top, [rule]);
  }
  return [...members.values()].map((list) => ({
    rules: inOrder(list, byId, rules, diagnostics),
    lateMs: Math.max(...list.map((rule) => rule.lateMs)),
    joint: list.length > 1,
    needs: list.length > 1 ? 1 : (list[0]?.needs ?? 1),
    usesPages: list.some((rule) => rule.pagesMs > 0),
    sort: list.length > 1 ? 'one' : sortOf(list[0]?.by ?? []),
    time: timeOf(list),
  }));
}

function timeOf(list: CompiledRule[]): RuleGroup['time'] {
  if (list.every(({ reads }) => reads.length === 0)) return 'entries';
  return list.every(({ reads, conditions }) => reads.length === conditions.length) ? 'readings' : 'both';
}

function sortOf(by: By[]): LaneSort {
  if (by.length === 1 && by[0] === 'printer') return 'one';
  return by.length === 2 && by.includes('printer') && by.includes('unit') ? 'unit' : 'key';
}

function inOrder(
  list: CompiledRule[],
  byId: Map<string, CompiledRule>,
  all: CompiledRule[],
  diagnostics: Diagnostics,
): CompiledRule[] {
  const done = new Set<CompiledRule>();
  const open = new Set<CompiledRule>();
  const result: CompiledRule[] = [];
  const visit = (rule: CompiledRule): void => {
    if (done.has(rule)) return;
    if (open.has(rule)) {
      diagnostics.error(`/list/${all.indexOf(rule)}/suppressedBy`, 'rules suppress each other in a circle');
      return;
    }
    open.add(rule);
    for (const id of rule.suppressedBy) {
      const other = byId.get(id);
      if (other) visit(other);
    }
    open.delete(rule);
    done.add(rule);
    result.push(rule);
  };
  for (const rule of list) visit(rule);
  return result;
}
