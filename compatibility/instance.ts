/**
 * The choices for one structure and the requirements between them, in one form for the solver, the planner and the
 * explanation.
 *
 * A part is a host that may be in use: the apparatus, a unit, another model in a unit's place, a spare. A variable is
 * a subject on a part with its candidate releases. A requirement is one rule (or wish) between them.
 */
import { hardwareInRange, hostMatches, placementTruth, unknownRules, vendorMatches } from './judge.ts';
import { complement, NOTHING, type Span, spanHas, spanWhere, wholeSpan } from './spans.ts';
import type { CompiledApparatus, CompiledCatalog, Product, Rule } from './tables.ts';
import type { ChooseOptions } from './types.ts';
import { compareVersions } from './versions.ts';
import type { Host, Subject, World } from './world.ts';

export interface Part {
  index: number;
  host: Host;
  /** The unit whose place this model would take; undefined for installed parts. */
  replaces: Part | undefined;
  /** Models that may take this unit's place, in order of the slots. */
  replacements: Part[];
  /** Spares of its kind to which this unit may be switched. */
  spares: Part[];
  /** Whether it is in use in every choice. */
  always: boolean;
}

export interface Variable {
  index: number;
  /** `symbol:softwareId`. */
  name: string;
  id: string;
  vendor: string | undefined;
  part: Part;
  product: Product | undefined;
  /** Ascending; -1 for an installed version that is unknown or no release. */
  candidates: readonly number[];
  /** Whether the candidates are all releases of the product, so that both have the same indices. */
  whole: boolean;
  /** Index of the installed version among the candidates; -1 when it may not stay (withdrawn) or there is none. */
  current: number;
  /** First candidate that is no downgrade. */
  level: number;
  installed: string | undefined;
  /** Used to look up rules by candidate; see `releaseAt`. */
  subject: Subject | undefined;
}

/** Where a requirement comes from. */
export type Reason =
  | { type: 'rule'; rule: Rule }
  | { type: 'pin' | 'require'; subject: string; range: string }
  | { type: 'no-downgrade' }
  | { type: 'placement' }
  | { type: 'no-release' }
  | { type: 'unreachable' }
  | { type: 'absent'; subject: string; range: string };

/** A variable or part of a requirement, and which of its candidates satisfy it. */
export interface RequirementTarget {
  part: Part;
  variable: Variable | undefined;
  /** Candidates that satisfy the requirement; index 0 stands for the part when there is no variable. */
  allowed: Span;
  /** The other candidates. */
  gaps: Span;
}

function softwareTarget(part: Part, variable: Variable | undefined, allowed: Span): RequirementTarget {
  return { part, variable, allowed, gaps: complement(allowed, variable ? variable.candidates.length : 1) };
}

/** The part as a whole, which satisfies the requirement or not. */
function partTarget(part: Part, allowed: boolean): RequirementTarget {
  return { part, variable: undefined, allowed: allowed ? YES : NOTHING, gaps: allowed ? NOTHING : YES };
}
const YES: Span = [0, 0];

export interface Requirement {
  reason: Reason;
  severity: 'boot' | 'function';
  /** The part that declares it, which must be in use for it to apply; undefined: it always applies. */
  part: Part | undefined;
  /** Another part that must be in use for it to apply. */
  given: Part | undefined;
  /** The variable that declares it must be at one of the candidates `first`..`last`. */
  variable: Variable | undefined;
  first: number;
  last: number;
  /** `each`: every target in use must be allowed. `some`: at least one target must be in use and allowed. */
  mode: 'each' | 'some';
  targets: readonly RequirementTarget[];
}

/** The declarer of a requirement, and at which of its candidates it applies. */
type Declarer = Pick<Requirement, 'part' | 'variable' | 'first' | 'last'>;
type Condition = Declarer & Pick<Requirement, 'severity' | 'given'>;
const ALWAYS: Condition = {
  severity: 'function',
  part: undefined,
  given: undefined,
  variable: undefined,
  first: 0,
  last: 0,
};

export interface Instance {
  catalog: CompiledCatalog;
  apparatus: CompiledApparatus | undefined;
  parts: Part[];
  variables: Variable[];
  requirements: Requirement[];
}

/** Restricts a variable to candidates that steps lead to. */
export function confineVariable(instance: Instance, variable: Variable, allowed: Span): void {
  const { part } = variable;
  const targets = [softwareTarget(part, variable, allowed)];
  instance.requirements.push({ reason: { type: 'unreachable' }, ...ALWAYS, mode: 'each', targets });
}

/** Index of the release at a candidate, -1 when it is none. */
export function releaseAt(variable: Variable, candidate: number): number {
  return variable.candidates[candidate] ?? -1;
}

/** The version at a candidate, as text. */
export function versionAt(variable: Variable, candidate: number): string {
  const release = releaseAt(variable, candidate);
  return release < 0
    ? (variable.installed ?? 'of unknown version')
    : variable.product!.releases[release]!.version;
}

/** Purpose of an instance: choosing a set, or planning the steps to it (then a withdrawn version may still exist). */
export type Purpose = 'choose' | 'plan';

class InstanceBuilder {
  readonly instance: Instance;
  private readonly purpose: Purpose;
  private readonly options: ChooseOptions;
  private readonly world: World;
  private readonly staged: ReadonlySet<string>;
  private readonly lenient: ReadonlySet<string>;
  private readonly byId = new Map<string, Variable[]>();
  private readonly targetCache = new Map<number, RequirementTarget[]>();

  constructor(catalog: CompiledCatalog, world: World, options: ChooseOptions, purpose: Purpose) {
    this.purpose = purpose;
    this.options = options;
    this.world = world;
    this.staged = new Set(options.staged);
    this.lenient = unknownRules(catalog, world);
    const apparatus = catalog.apparatus.get(world.hosts[0]!.model);
    this.instance = { catalog, apparatus, parts: [], variables: [], requirements: [] };
  }

  build(): Instance {
    this.addParts();
    for (const variable of this.instance.variables) {
      const sharing = this.byId.get(variable.id);
      if (sharing) sharing.push(variable);
      else this.byId.set(variable.id, [variable]);
    }
    if (this.purpose === 'choose') {
      this.addWishes('pin', this.options.pins ?? {});
      this.addWishes('require', this.options.require ?? {});
    }
    for (const part of this.instance.parts) this.addPartRequirements(part);
    for (const variable of this.instance.variables) this.addVariableRequirements(variable);
    return this.instance;
  }

  private addPart(host: Host, replaces: Part | undefined): Part {
    const { parts } = this.instance;
    const always = !host.spare && replaces === undefined;
    const part: Part = { index: parts.length, host, replaces, replacements: [], spares: [], always };
    parts.push(part);
    return part;
  }

  /** Parts and variables in order of the structure; alternatives for a unit follow the unit. */
  private addParts(): void {
    const subjectsOf = new Map<Host, Subject[]>();
    for (const subject of this.world.subjects) {
      const sharing = subjectsOf.get(subject.host);
      if (sharing) sharing.push(subject);
      else subjectsOf.set(subject.host, [subject]);
    }
    for (const host of this.world.hosts) {
      const part = this.addPart(host, undefined);
      const subjects = subjectsOf.get(host) ?? [];
      for (const subject of subjects) this.addInstalled(part, subject);
      if (host.index > 0 && !host.spare) this.addReplacements(part, subjects);
    }
    const { parts } = this.instance;
    for (const part of parts) {
      if (part.replaces || part.host.spare || part.host.index === 0) continue;
      part.spares = parts.filter((other) => other.host.spare && other.host.kind === part.host.kind);
      if (part.spares.length > 0 || part.replacements.length > 0) part.always = false;
    }
  }

  private addReplacements(part: Part, subjects: readonly Subject[]): void {
    if (this.options.allowUnitReplacement === false) return;
    const models = new Set<string>();
    for (const slot of this.instance.apparatus?.slots ?? []) {
      if (slot.kind !== part.host.kind) continue;
      for (const model of slot.modelList) if (model !== part.host.model) models.add(model);
    }
    for (const model of models) {
      const host: Host = { ...part.host, model, hardware: undefined };
      const replacement = this.addPart(host, part);
      part.replacements.push(replacement);
      const ids = new Set<string>();
      for (const { product } of subjects) {
        if (product && this.runsOn(product, host) !== 'no') this.addSupplied(replacement, product, ids);
      }
      for (const product of this.instance.catalog.products) {
        if (this.runsOn(product, host) === 'named') this.addSupplied(replacement, product, ids);
      }
    }
  }

  /** Whether software is made for a unit of this model: named by its `on`, or not excluded by it. */
  private runsOn({ on }: Product, host: Host): 'no' | 'may' | 'named' {
    if (on?.kind !== undefined && on.kind !== host.kind) return 'no';
    if (on?.models === undefined) return 'may';
    return on.models.has(host.model) ? 'named' : 'no';
  }

  private mayChoose(product: Product, release: number): boolean {
    const { status, version } = product.releases[release]!;
    if (status === 'released') return true;
    if (status === 'withdrawn') return false;
    return this.staged.has(product.id) || this.staged.has(`${product.id}@${version}`);
  }

  private addVariable(variable: Omit<Variable, 'index' | 'whole'>): void {
    const { product, candidates } = variable;
    const whole = candidates.length === product?.releases.length && candidates.every((each, i) => each === i);
    this.instance.variables.push({ ...variable, whole, index: this.instance.variables.length });
  }

  /** Software that comes with a new unit, in any released version. */
  private addSupplied(part: Part, product: Product, ids: Set<string>): void {
    if (ids.has(product.id)) return;
    const candidates = [...product.releases.keys()].filter((release) => this.mayChoose(product, release));
    if (candidates.length === 0) return;
    ids.add(product.id);
    this.addVariable({
      name: `${part.host.symbol}:${product.id}`,
      id: product.id,
      vendor: product.vendor,
      part,
      product,
      candidates,
      current: -1,
      level: 0,
      installed: undefined,
      subject: undefined,
    });
  }

  private addInstalled(part: Part, subject: Subject): void {
    const { product, version } = subject;
    const key = version === undefined ? undefined : product?.scheme.parse(version);
    let candidates: number[] = [];
    let current = 0;
    let level = 0;
    if (!product || version === undefined || key === undefined) {
      // No steps lead from an unknown version: it stays.
      candidates = [-1];
    } else if (subject.release >= 0) {
      candidates = [...product.releases.keys()].filter((release) =>
        release === subject.release
          ? this.purpose === 'plan' || product.releases[release]!.status !== 'withdrawn'
          : this.mayChoose(product, release),
      );
      current = candidates.indexOf(subject.release);
      const notOlder = candidates.findIndex((release) => release >= subject.release);
      level = notOlder < 0 ? candidates.length : notOlder;
    } else {
      candidates = [...product.releases.keys()].filter((release) => this.mayChoose(product, release));
      const installed = { key, version };
      const notOlder = candidates.findIndex(
        (release) => compareVersions(product.scheme, product.releases[release]!, installed) > 0,
      );
      current = notOlder < 0 ? candidates.length : notOlder;
      level = current;
      candidates.splice(current, 0, -1);
    }
    const { name, id, vendor } = subject;
    this.addVariable({
      name,
      id,
      vendor,
      part,
      product,
      candidates,
      current,
      level,
      installed: version,
      subject,
    });
  }

  // The only place that creates requirements, with fields in one order: there are tens of thousands, all of one shape.
  private addRequirement(
    reason: Reason,
    mode: Requirement['mode'],
    targets: readonly RequirementTarget[],
    { severity, part, given, variable, first, last }: Condition = ALWAYS,
  ): void {
    this.instance.requirements.push({ reason, severity, part, given, variable, first, last, mode, targets });
  }

  /** The candidates that satisfy a wish: those in the range, or the one build that it names. */
  private wished(variable: Variable, range: string): Span {
    const build = variable.product?.versions.buildNamed(range) ?? -1;
    if (build < 0) return this.known(variable, range);
    return spanWhere(variable.candidates.length, (i) => variable.candidates[i] === build);
  }

  /** Which candidates of a variable are known to be in the range. */
  private known(variable: Variable, range: string): Span {
    const { product, candidates } = variable;
    if (!product) return NOTHING;
    const span = product.versions.span(range);
    return spanWhere(candidates.length, (i) => candidates[i]! >= 0 && spanHas(span, candidates[i]!));
  }

  private addWishes(type: 'pin' | 'require', wishes: Record<string, string>): void {
    const { variables, parts } = this.instance;
    for (const [subject, range] of Object.entries(wishes)) {
      const reason: Reason = { type, subject, range };
      const named = variables.filter((each) => each.name === subject);
      const meant = named.length > 0 ? named : variables.filter((each) => each.id === subject);
      const targets = meant.map((variable) =>
        softwareTarget(variable.part, variable, this.wished(variable, range)),
      );
      if (targets.length === 0) {
        const models = new Set(range.split('||').map((model) => model.trim()));
        for (const part of parts) {
          if (part.host.symbol !== subject) continue;
          targets.push(partTarget(part, models.has(part.host.model)));
        }
      }
      if (targets.length > 0) this.addRequirement(reason, 'each', targets);
      else if (type === 'require') this.addRequirement({ type: 'absent', subject, range }, 'some', []);
      if (type === 'require' && targets.length > 0 && !targets.some((target) => target.part.always)) {
        this.addRequirement(reason, 'some', targets);
      }
    }
  }

  private addPartRequirements(part: Part): void {
    const { catalog, apparatus } = this.instance;
    const rules = part.host.index === 0 ? apparatus?.rules : catalog.units.get(part.host.model);
    const seen = new Set<number>();
    for (const rule of rules ?? []) {
      if (seen.has(rule.sameness)) continue;
      seen.add(rule.sameness);
      const lenient = !part.replaces && this.isLenient(part.host.symbol, rule);
      this.addRule(rule, lenient, { part, variable: undefined, first: 0, last: 0 });
    }
  }

  private isLenient(declarer: string, rule: Rule): boolean {
    return this.lenient.size > 0 && this.lenient.has(`${declarer} ${rule.text}`);
  }

  /** The rules of a variable's releases; neighbours with equal rules share one requirement. */
  private addVariableRequirements(variable: Variable): void {
    const { product, part, candidates } = variable;
    if (!product) return;
    if (candidates.length === 0) {
      this.addRequirement({ type: 'no-release' }, 'some', [], { ...ALWAYS, part, variable });
      return;
    }
    if (this.purpose === 'choose' && this.options.allowDowngrade === false && variable.level > 0) {
      const allowed = variable.level < candidates.length ? [variable.level, candidates.length - 1] : NOTHING;
      this.addRequirement({ type: 'no-downgrade' }, 'each', [softwareTarget(part, variable, allowed)]);
    }
    if (this.isMisplaced(variable)) {
      this.addRequirement({ type: 'placement' }, 'some', [], {
        ...ALWAYS,
        part,
        variable,
        last: candidates.length - 1,
        severity: 'boot',
      });
    }
    const open = new Map<number, { rule: Rule; first: number; last: number }>();
    for (let candidate = 0; candidate < candidates.length; candidate++) {
      const release = candidates[candidate]!;
      if (release < 0) continue;
      for (const rule of product.releases[release]!.rules) {
        const run = open.get(rule.sameness);
        if (candidate === variable.current && this.isLenient(variable.name, rule)) {
          this.addRule(rule, true, { part, variable, first: candidate, last: candidate });
        } else if (run && run.last >= candidate - 1) run.last = candidate;
        else {
          if (run) this.addRule(run.rule, false, { part, variable, first: run.first, last: run.last });
          open.set(rule.sameness, { rule, first: candidate, last: candidate });
        }
      }
    }
    for (const { rule, first, last } of open.values()) {
      this.addRule(rule, false, { part, variable, first, last });
    }
  }

  /** Whether software is where its `on` does not allow it; a doubt counts only if it would be new. */
  private isMisplaced(variable: Variable): boolean {
    const { on } = variable.product!;
    if (!on) return false;
    if (variable.subject) return placementTruth(variable.subject, variable.part.host) === 0;
    return on.hardware !== undefined;
  }

  private addRule(rule: Rule, lenient: boolean, from: Declarer): void {
    const { severity, optional } = rule;
    // Between two steps a function rule must not be broken; at the end it must hold.
    const doubtful = lenient || (this.purpose === 'plan' && severity === 'function');
    const key = rule.sameness * 2 + (doubtful ? 1 : 0);
    let targets = this.targetCache.get(key);
    if (!targets) {
      targets = this.targetsOf(rule, doubtful);
      this.targetCache.set(key, targets);
    }
    const { part, variable, first, last } = from;
    const condition: Condition = { severity, part, given: undefined, variable, first, last };
    const reason: Reason = { type: 'rule', rule };
    const eachOne = rule.kind === 'conflicts' || rule.every;
    if (eachOne && targets.length > 0) this.addRequirement(reason, 'each', targets, condition);
    if (rule.kind === 'conflicts' || (eachOne && optional)) return;
    const oneThere = targets.some((target) => target.part.always);
    if (!eachOne) {
      if (!optional || oneThere) {
        this.addRequirement(reason, 'some', targets, condition);
        return;
      }
      // It applies only while one of them is in use.
      for (const given of new Set(targets.map((target) => target.part))) {
        this.addRequirement(reason, 'some', targets, { ...condition, given });
      }
    } else if (!oneThere) {
      const there = targets.map((target) =>
        softwareTarget(
          target.part,
          target.variable,
          wholeSpan(target.variable ? target.variable.candidates.length : 1),
        ),
      );
      this.addRequirement(reason, 'some', there, condition);
    }
  }

  /** Candidates of a variable that hold a rule about its software. */
  private allowedOf(
    variable: Variable,
    vendor: 1 | -1,
    { kind }: Rule,
    range: string | undefined,
    lenient: boolean,
  ): Span {
    const { product, candidates } = variable;
    const count = candidates.length;
    if (vendor === -1) return lenient ? wholeSpan(count) : NOTHING;
    if (range === undefined) return kind === 'requires' ? wholeSpan(count) : NOTHING;
    if (!product) return lenient ? wholeSpan(count) : NOTHING;
    const span = product.versions.span(range);
    // Where every release is a candidate, the range is its own answer.
    if (variable.whole) {
      return kind === 'requires' ? span : complement(span, count);
    }
    const inside = kind === 'requires';
    return spanWhere(count, (i) => (candidates[i]! < 0 ? lenient : spanHas(span, candidates[i]!) === inside));
  }

  /** The targets of a rule, with the candidates that satisfy it. Unknown ones satisfy it only with `lenient`. */
  private targetsOf(rule: Rule, lenient: boolean): RequirementTarget[] {
    const { target } = rule;
    const inside = rule.kind === 'requires';
    if (target.type === 'apparatus') {
      const part = this.instance.parts[0]!;
      return [partTarget(part, target.models.has(part.host.model) === inside)];
    }
    if (target.type === 'software') {
      const targets: RequirementTarget[] = [];
      for (const variable of this.byId.get(target.id) ?? []) {
        const vendor = vendorMatches(variable.vendor, target.vendor);
        if (vendor === 0) continue;
        const allowed = this.allowedOf(variable, vendor, rule, target.range, lenient);
        targets.push(softwareTarget(variable.part, variable, allowed));
      }
      return targets;
    }
    const targets: RequirementTarget[] = [];
    for (const part of this.instance.parts) {
      if (!hostMatches(part.host, target.kind, target.model)) continue;
      const truth = target.hardware === undefined ? 1 : hardwareInRange(part.host, target.hardware);
      targets.push(partTarget(part, truth === -1 ? lenient : (truth === 1) === inside));
    }
    return targets;
  }
}

/** Builds the choices for a structure. @throws Error when a wish has an invalid range */
export function buildInstance(
  catalog: CompiledCatalog,
  world: World,
  options: ChooseOptions,
  purpose: Purpose = 'choose',
): Instance {
  return new InstanceBuilder(catalog, world, options, purpose).build();
}
