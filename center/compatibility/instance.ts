/**
 * What may be chosen for one structure, and what holds between the choices: the same form for the solver, the planner
 * and the explanation.
 *
 * A part is a host that may be in use: the apparatus, a unit, another model in a unit's place, a spare. A variable is
 * a subject on a part with its candidate releases. A link is one rule (or wish) between them.
 */
import { marksOf } from './diagnose.ts';
import { hostMatches, placementTruth, unknownRules, vendorMatches } from './judge.ts';
import type { CompiledApparatus, CompiledCatalog, Product, Rule } from './tables.ts';
import type { ChooseOptions } from './types.ts';
import { compareVersions, inRange, SCHEMES } from './versions.ts';
import type { Host, Subject, World } from './world.ts';

export interface Part {
  index: number;
  host: Host;
  /** The unit in whose place this model would stand; undefined for what is in the printer. */
  replaces: Part | undefined;
  /** Models that may stand in this unit's place, in the order of the slots. */
  replacements: Part[];
  /** Spares of its kind to which this unit may be switched. */
  spares: Part[];
  /** Whether it is in use whatever is chosen. */
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
  /** Ascending; -1 for an installed version that is no release, or not known. */
  candidates: readonly number[];
  /** Place of what is installed among the candidates, -1 when it may not stay (withdrawn) or is not there yet. */
  current: number;
  /** First candidate that is no downgrade. */
  level: number;
  installed: string | undefined;
  /** Rules by candidate are looked up through these; see `releaseAt`. */
  subject: Subject | undefined;
}

/** Why a link is there. */
export type Reason =
  | { type: 'rule'; rule: Rule }
  | { type: 'pin' | 'require'; subject: string; range: string }
  | { type: 'no-downgrade' }
  | { type: 'placement' }
  | { type: 'no-release' }
  | { type: 'absent'; subject: string; range: string };

/** A variable or part that a link speaks of, and which of its candidates satisfy the link. */
export interface LinkTarget {
  part: Part;
  variable: Variable | undefined;
  /** By candidate; one entry when there is no variable. */
  allowed: Uint8Array;
  /** The runs of candidates that are not allowed, as first and last of each. */
  gaps: readonly number[];
}

function linkTarget(part: Part, variable: Variable | undefined, allowed: Uint8Array): LinkTarget {
  const gaps: number[] = [];
  for (let i = 0; i < allowed.length; i++) {
    if (allowed[i] === 1) continue;
    const first = i;
    while (i + 1 < allowed.length && allowed[i + 1] === 0) i++;
    gaps.push(first, i);
  }
  return { part, variable, allowed, gaps };
}

export interface Link {
  reason: Reason;
  severity: 'boot' | 'function';
  /** The part that declares it must be in use for it to count; undefined: it always counts. */
  part: Part | undefined;
  /** Another part that must be in use for it to count. */
  given: Part | undefined;
  /** The variable that declares it must be at one of the candidates `first`..`last`. */
  variable: Variable | undefined;
  first: number;
  last: number;
  /** `each`: every target in use must be allowed. `some`: at least one target must be in use and allowed. */
  mode: 'each' | 'some';
  targets: readonly LinkTarget[];
}

export interface Instance {
  catalog: CompiledCatalog;
  apparatus: CompiledApparatus | undefined;
  parts: Part[];
  variables: Variable[];
  links: Link[];
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

/** What an instance is for: choosing an end, or the steps to it (then a withdrawn version may still be there). */
export type Purpose = 'choose' | 'plan';

class InstanceBuilder {
  readonly instance: Instance;
  private readonly purpose: Purpose;
  private readonly options: ChooseOptions;
  private readonly world: World;
  private readonly staged: ReadonlySet<string>;
  private readonly lenient: ReadonlySet<string>;
  private readonly byId = new Map<string, Variable[]>();
  private readonly targetCache = new Map<string, LinkTarget[]>();

  constructor(catalog: CompiledCatalog, world: World, options: ChooseOptions, purpose: Purpose) {
    this.purpose = purpose;
    this.options = options;
    this.world = world;
    this.staged = new Set(options.staged);
    this.lenient = unknownRules(catalog, world);
    const apparatus = catalog.apparatus.get(world.hosts[0]!.model);
    this.instance = { catalog, apparatus, parts: [], variables: [], links: [] };
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
    for (const part of this.instance.parts) this.addPartLinks(part);
    for (const variable of this.instance.variables) this.addVariableLinks(variable);
    return this.instance;
  }

  private addPart(host: Host, replaces: Part | undefined): Part {
    const { parts } = this.instance;
    const always = !host.spare && replaces === undefined;
    const part: Part = { index: parts.length, host, replaces, replacements: [], spares: [], always };
    parts.push(part);
    return part;
  }

  /** Parts and variables in the order of the structure; what may stand in a unit's place follows the unit. */
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
      const host: Host = { ...part.host, model, hardware: undefined, hardwareKey: undefined };
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

  private addVariable(variable: Omit<Variable, 'index'>): void {
    this.instance.variables.push({ ...variable, index: this.instance.variables.length });
  }

  /** Software that a new unit would come with: any released version. */
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
      // What is not known cannot be stepped from: it stays.
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

  private addLink(
    reason: Reason,
    targets: readonly LinkTarget[],
    link: Partial<Link> & { mode: Link['mode'] },
  ): void {
    this.instance.links.push({
      reason,
      severity: 'function',
      part: undefined,
      given: undefined,
      variable: undefined,
      first: 0,
      last: 0,
      ...link,
      targets,
    });
  }

  /** Which candidates of a variable are known to be in the range. */
  private known(variable: Variable, range: string): Uint8Array {
    const allowed = new Uint8Array(variable.candidates.length);
    if (!variable.product) return allowed;
    const marks = marksOf(variable.product, range);
    for (const [i, release] of variable.candidates.entries()) allowed[i] = release >= 0 ? marks[release]! : 0;
    return allowed;
  }

  private addWishes(type: 'pin' | 'require', wishes: Record<string, string>): void {
    const { variables, parts } = this.instance;
    for (const [subject, range] of Object.entries(wishes)) {
      const reason: Reason = { type, subject, range };
      const named = variables.filter((each) => each.name === subject);
      const meant = named.length > 0 ? named : variables.filter((each) => each.id === subject);
      const targets = meant.map((variable) =>
        linkTarget(variable.part, variable, this.known(variable, range)),
      );
      if (targets.length === 0) {
        const models = new Set(range.split('||').map((model) => model.trim()));
        for (const part of parts) {
          if (part.host.symbol !== subject) continue;
          targets.push(linkTarget(part, undefined, Uint8Array.of(models.has(part.host.model) ? 1 : 0)));
        }
      }
      if (targets.length > 0) this.addLink(reason, targets, { mode: 'each' });
      else if (type === 'require') this.addLink({ type: 'absent', subject, range }, [], { mode: 'some' });
      if (type === 'require' && targets.length > 0 && !targets.some((target) => target.part.always)) {
        this.addLink(reason, targets, { mode: 'some' });
      }
    }
  }

  private addPartLinks(part: Part): void {
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

  /** The rules of a variable's releases: neighbours that say the same become one link. */
  private addVariableLinks(variable: Variable): void {
    const { product, part, candidates } = variable;
    if (!product) return;
    if (candidates.length === 0) {
      this.addLink({ type: 'no-release' }, [], { mode: 'some', part, variable });
      return;
    }
    if (this.purpose === 'choose' && this.options.allowDowngrade === false && variable.level > 0) {
      const allowed = Uint8Array.from(candidates, (_, i) => (i >= variable.level ? 1 : 0));
      this.addLink({ type: 'no-downgrade' }, [linkTarget(part, variable, allowed)], { mode: 'each' });
    }
    if (this.isMisplaced(variable)) {
      this.addLink({ type: 'placement' }, [], {
        mode: 'some',
        part,
        variable,
        last: candidates.length - 1,
        severity: 'boot',
      });
    }
    const open = new Map<number, { rule: Rule; first: number; last: number }>();
    const close = (run: { rule: Rule; first: number; last: number }): void => {
      this.addRule(run.rule, false, { part, variable, first: run.first, last: run.last });
    };
    for (let candidate = 0; candidate < candidates.length; candidate++) {
      const release = candidates[candidate]!;
      if (release < 0) continue;
      for (const rule of product.releases[release]!.rules) {
        const run = open.get(rule.sameness);
        if (candidate === variable.current && this.isLenient(variable.name, rule)) {
          this.addRule(rule, true, { part, variable, first: candidate, last: candidate });
        } else if (run && run.last >= candidate - 1) run.last = candidate;
        else {
          if (run) close(run);
          open.set(rule.sameness, { rule, first: candidate, last: candidate });
        }
      }
    }
    for (const run of open.values()) close(run);
  }

  /** Whether software stands where its `on` does not allow it; a doubt is no obstacle unless it would be a new one. */
  private isMisplaced(variable: Variable): boolean {
    const { on } = variable.product!;
    if (!on) return false;
    if (variable.subject) return placementTruth(variable.subject, variable.part.host) === 0;
    return on.hardware !== undefined;
  }

  private addRule(
    rule: Rule,
    lenient: boolean,
    from: { part: Part; variable: Variable | undefined; first: number; last: number },
  ): void {
    // Between two steps a function rule must not be broken; at the end it must hold.
    const doubtful = lenient || (this.purpose === 'plan' && rule.severity === 'function');
    const key = `${rule.sameness} ${doubtful}`;
    let targets = this.targetCache.get(key);
    if (!targets) {
      targets = this.targetsOf(rule, doubtful);
      this.targetCache.set(key, targets);
    }
    const reason: Reason = { type: 'rule', rule };
    const { severity } = rule;
    if (rule.kind === 'conflicts' || rule.every) {
      if (targets.length > 0) this.addLink(reason, targets, { ...from, severity, mode: 'each' });
      if (rule.kind === 'conflicts' || rule.optional || targets.some((target) => target.part.always)) return;
      const there = targets.map(({ part, variable, allowed }) =>
        linkTarget(part, variable, allowed.slice().fill(1)),
      );
      this.addLink(reason, there, { ...from, severity, mode: 'some' });
      return;
    }
    if (rule.optional && !targets.some((target) => target.part.always)) {
      // It counts only while one of them is in use.
      for (const given of new Set(targets.map((target) => target.part))) {
        this.addLink(reason, targets, { ...from, severity, mode: 'some', given });
      }
      return;
    }
    this.addLink(reason, targets, { ...from, severity, mode: 'some' });
  }

  /** What a rule speaks of, and which candidates hold it. What is unknown holds it only where that is lenient. */
  private targetsOf(rule: Rule, lenient: boolean): LinkTarget[] {
    const { target } = rule;
    const doubt = lenient ? 1 : 0;
    const holds = (truth: 1 | 0 | -1): number => {
      if (truth === -1) return doubt;
      return rule.kind === 'conflicts' ? 1 - truth : truth;
    };
    if (target.type === 'apparatus') {
      const part = this.instance.parts[0]!;
      const truth = target.models.has(part.host.model) ? 1 : 0;
      return [linkTarget(part, undefined, Uint8Array.of(holds(truth)))];
    }
    if (target.type === 'software') {
      const targets: LinkTarget[] = [];
      for (const variable of this.byId.get(target.id) ?? []) {
        const vendor = vendorMatches(variable.vendor, target.vendor);
        if (vendor === 0) continue;
        const { product, candidates } = variable;
        const marks =
          target.range === undefined || !product || vendor === -1
            ? undefined
            : marksOf(product, target.range);
        const allowed = new Uint8Array(candidates.length);
        for (let i = 0; i < candidates.length; i++) {
          const release = candidates[i]!;
          if (vendor === -1) allowed[i] = doubt;
          else if (target.range === undefined) allowed[i] = holds(1);
          else if (!marks || release < 0) allowed[i] = doubt;
          else allowed[i] = holds(marks[release] === 1 ? 1 : 0);
        }
        targets.push(linkTarget(variable.part, variable, allowed));
      }
      return targets;
    }
    const targets: LinkTarget[] = [];
    for (const part of this.instance.parts) {
      if (!hostMatches(part.host, target.kind, target.model)) continue;
      let truth: 1 | 0 | -1 = 1;
      if (target.hardware !== undefined) {
        const key = part.host.hardwareKey;
        if (key === undefined) truth = -1;
        else truth = inRange(SCHEMES.hardware, target.hardware, key) ? 1 : 0;
      }
      targets.push(linkTarget(part, undefined, Uint8Array.of(holds(truth))));
    }
    return targets;
  }
}

/** Lays out what may be chosen for a structure. @throws Error when a wish's range is none */
export function buildInstance(
  catalog: CompiledCatalog,
  world: World,
  options: ChooseOptions,
  purpose: Purpose = 'choose',
): Instance {
  return new InstanceBuilder(catalog, world, options, purpose).build();
}
