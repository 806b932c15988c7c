/**
 * The exhaustive oracle: tries every assignment as a structure of its own, lets `judge` check it, and takes the best by
 * catalog.md. Shares nothing with the solver but `judge`.
 */

import { judge } from '../../../compatibility/judge.ts';
import type { CompiledCatalog, Product } from '../../../compatibility/tables.ts';
import type {
  ChooseOptions,
  Cost,
  Judgement,
  PrinterStructureLike,
  UnitLike,
} from '../../../compatibility/types.ts';
import { inRange } from '../../../compatibility/versions.ts';
import { resolveWorld } from '../../../compatibility/world.ts';
import type { InstalledSoftware } from '../../../schemas/types.ts';

/** A possible state of one part of the structure, and its cost. */
interface Alternative<T> {
  value: T;
  replaced: number;
  downgrades: number;
  changes: number;
  /** Greater is better, for the fourth criterion. */
  rank: number[];
}

const plain = <T>(value: T, rank: number[]): Alternative<T> => ({
  value,
  replaced: 0,
  downgrades: 0,
  changes: 0,
  rank,
});

function* product<T>(lists: readonly (readonly Alternative<T>[])[]): Generator<Alternative<T>[]> {
  const [first, ...rest] = lists;
  if (!first) {
    yield [];
    return;
  }
  for (const item of first) for (const others of product(rest)) yield [item, ...others];
}

function join<A, B>(
  parts: readonly Alternative<A>[],
  value: B,
  replaced = 0,
  lead: number[] = [],
): Alternative<B> {
  const sum = (name: 'replaced' | 'downgrades' | 'changes') =>
    parts.reduce((total, each) => total + each[name], 0);
  return {
    value,
    replaced: replaced + sum('replaced'),
    downgrades: sum('downgrades'),
    changes: sum('changes'),
    rank: [...lead, ...parts.flatMap((each) => each.rank)],
  };
}

export class Oracle {
  private readonly catalog: CompiledCatalog;
  private readonly options: ChooseOptions;
  tried = 0;

  constructor(catalog: CompiledCatalog, options: ChooseOptions) {
    this.catalog = catalog;
    this.options = options;
  }

  private choosable(of: Product): number[] {
    const staged = new Set(this.options.staged);
    return [...of.releases.keys()].filter((i) => {
      const { status, version } = of.releases[i]!;
      return (
        status === 'released' ||
        (status === 'staged' && (staged.has(of.id) || staged.has(`${of.id}@${version}`)))
      );
    });
  }

  private softwareAlternatives(installed: InstalledSoftware): Alternative<InstalledSoftware>[] {
    const world = resolveWorld(this.catalog, { apparatus: { model: '?', software: [installed] } });
    const { product: of, release } = world.subjects[0]!;
    const key = installed.version === undefined ? undefined : of?.scheme.parse(installed.version);
    if (!of || key === undefined) return [plain(installed, [0])];
    const list: Alternative<InstalledSoftware>[] = [];
    const compare = (i: number): number => of.scheme.compare(of.versions.keys[i]!, key);
    for (const i of this.choosable(of)) {
      if (i === release) continue;
      const down = compare(i) < 0 ? 1 : 0;
      const version = of.releases[i]!.version;
      list.push({
        value: { ...installed, version },
        replaced: 0,
        downgrades: down,
        changes: 1,
        rank: [2 * i],
      });
    }
    const older = [...of.versions.keys.keys()].filter((i) => compare(i) < 0).length;
    if (release < 0 || of.releases[release]!.status !== 'withdrawn') {
      list.push(plain(installed, [release < 0 ? 2 * older - 1 : 2 * release]));
    }
    return list;
  }

  private softwareSets(software: readonly InstalledSoftware[] = []): Alternative<InstalledSoftware[]>[] {
    const sets = [...product(software.map((each) => this.softwareAlternatives(each)))];
    return sets.map((set) =>
      join(
        set,
        set.map((each) => each.value),
      ),
    );
  }

  /** The software of a unit of another model: every released version of each product made for it. */
  private suppliedSets(unit: UnitLike, model: string): Alternative<InstalledSoftware[]>[] {
    const runs = (of: Product): boolean =>
      (of.on?.kind === undefined || of.on.kind === unit.kind) &&
      (of.on?.models === undefined || of.on.models.has(model));
    const supplied: Product[] = [];
    for (const installed of unit.software ?? []) {
      const of = resolveWorld(this.catalog, { apparatus: { model: '?', software: [installed] } }).subjects[0]!
        .product;
      if (of && runs(of) && this.choosable(of).length > 0) supplied.push(of);
    }
    for (const of of this.catalog.products) {
      if (of.on?.models && runs(of) && !supplied.includes(of) && this.choosable(of).length > 0)
        supplied.push(of);
    }
    const sets = product(
      supplied.map((of) =>
        this.choosable(of).map((i) =>
          plain({ id: of.id, vendor: of.vendor, version: of.releases[i]!.version }, [2 * i]),
        ),
      ),
    );
    return [...sets].map((set) =>
      join(
        set,
        set.map((each) => each.value),
      ),
    );
  }

  private unitAlternatives(unit: UnitLike, apparatus: string): Alternative<UnitLike>[] {
    const list = this.softwareSets(unit.software).map((set) =>
      join([set], { ...unit, software: set.value }, 0, [0]),
    );
    if (unit.state === 'spare' || this.options.allowUnitReplacement === false) return list;
    const models: string[] = [];
    for (const slot of this.catalog.apparatus.get(apparatus)?.slots ?? []) {
      if (slot.kind !== unit.kind) continue;
      for (const model of slot.modelList)
        if (model !== unit.model && !models.includes(model)) models.push(model);
    }
    for (const [i, model] of models.entries()) {
      for (const set of this.suppliedSets(unit, model)) {
        const { symbol, kind } = unit;
        list.push(join([set], { symbol, kind, model, software: set.value }, 1, [-1 - i]));
      }
    }
    return list;
  }

  /** Every way of switching units to spares of their kind, as pairs. */
  private switchings(units: readonly UnitLike[]): [string, string][][] {
    let ways: [string, string][][] = [[]];
    for (const unit of units) {
      if (unit.state === 'spare') continue;
      const more: [string, string][][] = [];
      for (const way of ways) {
        for (const spare of units) {
          if (
            spare.state !== 'spare' ||
            spare.kind !== unit.kind ||
            way.some(([, to]) => to === spare.symbol)
          )
            continue;
          more.push([...way, [unit.symbol, spare.symbol]]);
        }
      }
      ways = [...ways, ...more];
    }
    return ways;
  }

  private wishesHold(structure: PrinterStructureLike, before: PrinterStructureLike): boolean {
    const subjects = resolveWorld(this.catalog, structure).subjects;
    const everSubjects = resolveWorld(this.catalog, before).subjects;
    const all = [
      ...Object.entries(this.options.pins ?? {}).map((wish) => [false, ...wish] as const),
      ...Object.entries(this.options.require ?? {}).map((wish) => [true, ...wish] as const),
    ];
    return all.every(([required, name, range]) => {
      const byName = [...everSubjects, ...subjects].some((subject) => subject.name === name);
      const meant = [...everSubjects, ...subjects].some(
        (subject) => subject.name === name || subject.id === name,
      );
      if (meant) {
        const there = subjects.filter(
          (each) => !each.host.spare && (byName ? each.name === name : each.id === name),
        );
        if (required && there.length === 0) return false;
        return there.every(
          (each) =>
            each.product !== undefined &&
            each.release >= 0 &&
            inRange(
              each.product.scheme,
              each.product.scheme.range(range),
              each.product.versions.keys[each.release]!,
            ),
        );
      }
      const unit = structure.units?.find(({ symbol }) => symbol === name);
      if (!unit) return name === 'apparatus' ? structure.apparatus.model === range : !required;
      if (unit.state === 'spare') return !required;
      return range.split('||').some((model) => model.trim() === unit.model);
    });
  }

  /** Whether the structure breaks nothing and every unknown was unknown before. */
  private fits(structure: PrinterStructureLike, before: PrinterStructureLike, known: Judgement): boolean {
    this.tried++;
    const after = judge(this.catalog, structure);
    if (after.findings.length > 0 || !this.wishesHold(structure, before)) return false;
    const was = new Set(known.unknown.map((each) => `${each.subjects[0]} ${each.rule}`));
    const spares = new Set(
      (before.units ?? []).filter(({ state }) => state === 'spare').map(({ symbol }) => symbol),
    );
    return after.unknown.every((each) => {
      if (was.has(`${each.subjects[0]} ${each.rule}`)) return true;
      // The software of a spare was just as unknown before the switch to it.
      return (
        spares.has(each.subjects[0]!.split(':')[0]!) &&
        /is in the catalog$|known version$|is a release/.test(each.rule)
      );
    });
  }

  /** The best structure and its cost; undefined when nothing fits. */
  best(structure: PrinterStructureLike): { cost: Cost; structure: PrinterStructureLike } | undefined {
    const known = judge(this.catalog, structure);
    const units = structure.units ?? [];
    const model = structure.apparatus.model;
    let best: { vector: number[]; cost: Cost; structure: PrinterStructureLike } | undefined;
    const sets = this.softwareSets(structure.apparatus.software);
    for (const switching of this.switchings(units)) {
      const lists = units.map((unit): Alternative<UnitLike>[] => {
        const away = switching.find(([from]) => from === unit.symbol);
        const chosen = switching.some(([, to]) => to === unit.symbol);
        const spareOrder = away
          ? units.filter((each) => each.state === 'spare').findIndex((each) => each.symbol === away[1])
          : 0;
        if (away) return [plain({ ...unit, state: 'spare' }, [-100 - spareOrder])];
        if (unit.state === 'spare' && !chosen) return [plain(unit, [0])];
        return this.unitAlternatives(chosen ? { ...unit, state: undefined } : unit, model).filter(
          (each) => !chosen || each.replaced === 0,
        );
      });
      for (const set of sets) {
        for (const combination of product(lists)) {
          const all = join<unknown, null>([set, ...combination], null);
          if (this.options.allowDowngrade === false && all.downgrades > 0) continue;
          const { replaced, downgrades, changes, rank } = all;
          const negated = rank.map((each) => -each);
          const tail = this.options.objective === 'upgrade' ? [...negated, changes] : [changes, ...negated];
          const vector = [replaced, switching.length, downgrades, ...tail];
          if (best && compareVectors(vector, best.vector) >= 0) continue;
          const candidate: PrinterStructureLike = {
            apparatus: { ...structure.apparatus, software: set.value },
            units: combination.map((each) => each.value as UnitLike),
          };
          if (this.fits(candidate, structure, known)) {
            best = { vector, cost: [replaced, downgrades, changes], structure: candidate };
          }
        }
      }
    }
    return best;
  }
}

function compareVectors(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const order = (a[i] ?? 0) - (b[i] ?? 0);
    if (order !== 0) return order;
  }
  return 0;
}
