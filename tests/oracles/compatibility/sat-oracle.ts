/**
 * An oracle for instances too large for exhaustive search: the catalog's text given to MiniSat (logic-solver), one
 * Boolean per version, ranges evaluated by node-semver. Shares nothing with the engine. Hardware, vendors and unknowns
 * are left to the exhaustive oracle; here every version is a release and every kind has one slot.
 */
import Logic, { type Formula, type Solution, type Solver } from 'logic-solver';
import semver from 'semver';
import type { ChooseOptions, Cost, PrinterStructureLike, UnitLike } from '../../../compatibility/types.ts';
import type { Catalog, Constraint, Release, Slot } from '../../../schemas/types.ts';

interface Part {
  symbol: string;
  kind: string;
  model: string;
  inUse: Formula;
  spare: boolean;
}

interface Choosable {
  name: string;
  id: string;
  part: Part;
  /** Ascending. */
  versions: { version: string; literal: string }[];
  /** The installed version; undefined on a unit that would be new. */
  installed: string | undefined;
}

export interface SatOptimum {
  cost: Cost;
  /** By `symbol:software`, of the software in use at the end. */
  versions: Record<string, string>;
  /** Model by symbol, of the units in use at the end. */
  models: Record<string, string>;
}

type Declared = { requires?: Constraint[]; conflicts?: Constraint[] };

export class SatOracle {
  private readonly document: Catalog;
  private readonly structure: PrinterStructureLike;
  private readonly options: ChooseOptions;
  private readonly solver: Solver = new Logic.Solver();
  private readonly parts: Part[] = [];
  private readonly subjects: Choosable[] = [];
  private readonly replaced: string[] = [];
  private readonly switched: string[] = [];
  /** By unit symbol: the literals of its alternatives, in order of preference. */
  private readonly ways = new Map<string, string[]>();

  constructor(document: Catalog, structure: PrinterStructureLike, options: ChooseOptions) {
    this.document = document;
    this.structure = structure;
    this.options = options;
    this.layParts();
    this.layRules();
    this.laySlots();
    this.layWishes();
  }

  private get slots(): readonly Slot[] {
    return (
      this.document.apparatus?.find(({ model }) => model === this.structure.apparatus.model)?.slots ?? []
    );
  }

  private releases(id: string): Release[] {
    const product = this.document.software!.find((each) => each.id === id)!;
    return [...product.releases].sort((a, b) => semver.compare(a.version, b.version));
  }

  private addPart(symbol: string, kind: string, model: string, inUse: Formula, spare = false): Part {
    const part = { symbol, kind, model, inUse, spare };
    this.parts.push(part);
    return part;
  }

  private addSubject(part: Part, id: string, installed: string | undefined): void {
    const versions = this.releases(id)
      .filter(
        ({ version, status = 'released' }) =>
          status === 'released' || (version === installed && status === 'staged'),
      )
      .map(({ version }) => ({ version, literal: `v ${part.symbol} ${part.model} ${id} ${version}` }));
    this.subjects.push({ name: `${part.symbol}:${id}`, id, part, versions, installed });
    const literals = versions.map(({ literal }) => literal);
    this.solver.require(Logic.implies(part.inUse, Logic.exactlyOne(Logic.FALSE, ...literals)));
    for (const literal of literals) this.solver.require(Logic.implies(literal, part.inUse));
  }

  private layParts(): void {
    const { apparatus, units = [] } = this.structure;
    const machine = this.addPart('apparatus', 'apparatus', apparatus.model, Logic.TRUE);
    for (const { id, version } of apparatus.software ?? []) this.addSubject(machine, id, version);
    const spares = units.filter(({ state }) => state === 'spare');
    const switchTo = (unit: UnitLike, spare: UnitLike): string => `switch ${unit.symbol} ${spare.symbol}`;
    for (const unit of units) {
      if (unit.state === 'spare') {
        const from = units.filter(({ state, kind }) => state !== 'spare' && kind === unit.kind);
        const taken = from.map((each) => switchTo(each, unit));
        const inUse = taken.length > 0 ? Logic.or(taken) : Logic.FALSE;
        if (taken.length > 1) this.solver.require(Logic.atMostOne(taken));
        this.laySoftware(this.addPart(unit.symbol, unit.kind, unit.model, inUse, true), unit);
        continue;
      }
      const stays = `stays ${unit.symbol}`;
      this.laySoftware(this.addPart(unit.symbol, unit.kind, unit.model, stays), unit);
      const ways = [stays];
      const models = this.slots.filter(({ kind }) => kind === unit.kind).flatMap((slot) => slot.models);
      if (this.options.allowUnitReplacement !== false) {
        for (const model of models) {
          if (model === unit.model) continue;
          const literal = `replace ${unit.symbol} ${model}`;
          ways.push(literal);
          this.replaced.push(literal);
          const part = this.addPart(unit.symbol, unit.kind, model, literal);
          for (const { id } of unit.software ?? []) this.addSubject(part, id, undefined);
        }
      }
      for (const spare of spares) {
        if (spare.kind !== unit.kind) continue;
        ways.push(switchTo(unit, spare));
        this.switched.push(switchTo(unit, spare));
      }
      this.ways.set(unit.symbol, ways);
      this.solver.require(Logic.exactlyOne(Logic.FALSE, ...ways));
    }
  }

  private laySoftware(part: Part, unit: UnitLike): void {
    for (const { id, version } of unit.software ?? []) this.addSubject(part, id, version);
  }

  /** The subjects of a constraint: when each is in use, and when it is in range. */
  private targets({
    software,
    range,
    kind,
    model,
    apparatus,
  }: Constraint): { inUse: Formula; inRange: Formula }[] {
    if (apparatus) {
      const inRange = apparatus.includes(this.structure.apparatus.model) ? Logic.TRUE : Logic.FALSE;
      return [{ inUse: Logic.TRUE, inRange }];
    }
    if (software === undefined) {
      return this.parts
        .filter((part) => part.kind !== 'apparatus' && (kind === undefined || part.kind === kind))
        .filter((part) => model === undefined || part.model === model)
        .map(({ inUse }) => ({ inUse, inRange: Logic.TRUE }));
    }
    return this.subjects
      .filter(({ id }) => id === software)
      .map(({ part, versions }) => ({
        inUse: part.inUse,
        inRange: Logic.or(
          Logic.FALSE,
          versions
            .filter(({ version }) => range === undefined || semver.satisfies(version, range))
            .map(({ literal }) => literal),
        ),
      }));
  }

  private declare(by: Formula, { requires = [], conflicts = [] }: Declared): void {
    const hold = (formula: Formula): void => this.solver.require(Logic.implies(by, formula));
    for (const constraint of requires) {
      const targets = this.targets(constraint);
      const oneThere = Logic.or(
        Logic.FALSE,
        targets.map(({ inUse }) => inUse),
      );
      if (constraint.of === 'some') {
        const one = Logic.or(
          Logic.FALSE,
          targets.map(({ inUse, inRange }) => Logic.and(inUse, inRange)),
        );
        hold(constraint.optional ? Logic.or(one, Logic.not(oneThere)) : one);
        continue;
      }
      if (!constraint.optional) hold(oneThere);
      for (const { inUse, inRange } of targets) hold(Logic.implies(inUse, inRange));
    }
    for (const constraint of conflicts) {
      for (const { inUse, inRange } of this.targets(constraint)) hold(Logic.not(Logic.and(inUse, inRange)));
    }
  }

  private layRules(): void {
    const { apparatus = [], units = [] } = this.document;
    for (const part of this.parts) {
      const declared =
        part.kind === 'apparatus'
          ? apparatus.find(({ model }) => model === part.model)
          : units.find(({ model }) => model === part.model);
      if (declared) this.declare(part.inUse, declared);
    }
    for (const { id, versions } of this.subjects) {
      const releases = new Map(this.releases(id).map((release) => [release.version, release]));
      for (const { version, literal } of versions) this.declare(literal, releases.get(version)!);
    }
  }

  private laySlots(): void {
    for (const part of this.parts) {
      if (part.kind === 'apparatus') continue;
      const slot = this.slots.find(({ kind }) => kind === part.kind);
      if (!slot?.models.includes(part.model)) this.solver.require(Logic.not(part.inUse));
    }
    for (const { kind, min = 0, max } of this.slots) {
      const there = Logic.sum(
        Logic.FALSE,
        this.parts.filter((part) => part.kind === kind).map(({ inUse }) => inUse),
      );
      this.solver.require(Logic.lessThanOrEqual(Logic.constantBits(min), there));
      if (max !== undefined) this.solver.require(Logic.lessThanOrEqual(there, Logic.constantBits(max)));
    }
  }

  private layWishes(): void {
    for (const wishes of [this.options.pins ?? {}, this.options.require ?? {}]) {
      for (const [subject, range] of Object.entries(wishes)) {
        for (const { name, id, versions } of this.subjects) {
          if (name !== subject && id !== subject) continue;
          for (const { version, literal } of versions) {
            if (!semver.satisfies(version, range)) this.solver.require(Logic.not(literal));
          }
        }
      }
    }
  }

  /** Minimizes the number of true formulas, and requires that minimum from now on. */
  private fewest(solution: Solution, formulas: readonly Formula[]): [Solution, number] {
    if (formulas.length === 0) return [solution, 0];
    const best = this.solver.minimizeWeightedSum(solution, [...formulas], 1)!;
    return [best, formulas.filter((each) => best.evaluate(each)).length];
  }

  /** Requires the first literal that can be true. */
  private prefer(literals: readonly string[]): void {
    for (const literal of literals) {
      if (!this.solver.solveAssuming(literal)) continue;
      this.solver.require(literal);
      return;
    }
  }

  private settleNewest(): void {
    const order = [this.structure.apparatus, ...(this.structure.units ?? [])];
    for (const place of order) {
      const symbol = 'symbol' in place ? place.symbol : 'apparatus';
      this.prefer(this.ways.get(symbol as string) ?? []);
      for (const { part, versions } of this.subjects) {
        if (part.symbol === symbol) this.prefer(versions.map(({ literal }) => literal).reverse());
      }
    }
  }

  /** The optimum by the order of catalog.md; undefined when nothing fits. */
  best(): SatOptimum | undefined {
    let solution = this.solver.solve();
    if (!solution) return undefined;
    const moved = (older: boolean): string[] =>
      this.subjects.flatMap(({ versions, installed }) =>
        versions
          .filter(({ version }) => installed !== undefined && version !== installed)
          .filter(({ version }) => !older || semver.lt(version, installed!))
          .map(({ literal }) => literal),
      );
    const cost: Cost = [0, 0, 0];
    if (this.options.allowDowngrade === false) {
      for (const literal of moved(true)) this.solver.require(Logic.not(literal));
      solution = this.solver.solve();
      if (!solution) return undefined;
    }
    [solution, cost[0]] = this.fewest(solution, this.replaced);
    [solution] = this.fewest(solution, this.switched);
    [solution, cost[1]] = this.fewest(solution, moved(true));
    if (this.options.objective === 'upgrade') this.settleNewest();
    [solution, cost[2]] = this.fewest(this.solver.solve()!, moved(false));
    if (this.options.objective !== 'upgrade') this.settleNewest();
    const end = this.solver.solve()!;
    const versions: Record<string, string> = {};
    for (const { name, versions: each } of this.subjects) {
      const chosen = each.find(({ literal }) => end.evaluate(literal));
      if (chosen) versions[name] = chosen.version;
    }
    const models: Record<string, string> = {};
    for (const { symbol, model, inUse } of this.parts) if (end.evaluate(inUse)) models[symbol] = model;
    return { cost, versions, models };
  }
}
