/**
 * The oracle of plans: breadth-first search over whole structures. `judge` checks each structure, node-semver each
 * step.
 */
import semver from 'semver';
import { judge } from '../../../compatibility/judge.ts';
import type { CompiledCatalog } from '../../../compatibility/tables.ts';
import type { Choice, ChooseOptions, PrinterStructureLike } from '../../../compatibility/types.ts';
import { resolveWorld } from '../../../compatibility/world.ts';
import { softwareOf } from '../../../schemas/subject.ts';
import type { Catalog, Release } from '../../../schemas/types.ts';
import { remedyVersions, structureAt } from './cured.ts';

type Versions = Map<string, string>;

export class PlanOracle {
  private readonly document: Catalog;
  private readonly catalog: CompiledCatalog;
  private readonly structure: PrinterStructureLike;
  private readonly options: ChooseOptions;
  private readonly choice: Choice;
  private readonly brokenAtStart: Set<string>;
  private readonly unknownAtStart: Set<string>;

  constructor(
    document: Catalog,
    catalog: CompiledCatalog,
    structure: PrinterStructureLike,
    options: ChooseOptions,
    choice: Choice,
  ) {
    this.document = document;
    this.catalog = catalog;
    this.structure = structure;
    this.options = options;
    this.choice = choice;
    const { findings, unknown } = judge(catalog, structure);
    this.brokenAtStart = new Set(findings.map(({ subjects, rule }) => `${subjects[0]} ${rule}`));
    this.unknownAtStart = new Set(unknown.map(({ subjects, rule }) => `${subjects[0]} ${rule}`));
  }

  get hasExchange(): boolean {
    return this.choice.remedy!.structure.length > 0;
  }

  /** The versions at the start, of subjects in use or to be used. */
  start(): Versions {
    const versions: Versions = new Map();
    for (const { name, version } of resolveWorld(this.catalog, this.structure).subjects) {
      if (version !== undefined) versions.set(name, version);
    }
    return versions;
  }

  goal(): Versions {
    return new Map([...this.start(), ...remedyVersions(this.choice)]);
  }

  /** Whether a state is allowed between two steps. */
  isValid(versions: Versions, exchanged: boolean): boolean {
    const state = structureAt(this.structure, this.choice, versions, exchanged);
    const { findings, unknown } = judge(this.catalog, state);
    return (
      findings.every(
        ({ severity, subjects, rule }) =>
          severity === 'function' && this.brokenAtStart.has(`${subjects[0]} ${rule}`),
      ) &&
      unknown.every(
        ({ severity, subjects, rule }) =>
          severity === 'function' || this.unknownAtStart.has(`${subjects[0]} ${rule}`),
      )
    );
  }

  /** Whether the subject may move directly from one version to another, by the catalog's text. */
  mayStep(subject: string, from: string, to: string): boolean {
    const id = softwareOf(subject);
    const release = this.releasesOf(id).find(({ version }) => version === to);
    if (!release || semver.eq(from, to)) return false;
    if (semver.gt(to, from)) return release.from === undefined || semver.satisfies(from, release.from);
    if (this.options.allowDowngrade === false || release.downgradeFrom === undefined) return false;
    return semver.satisfies(from, release.downgradeFrom);
  }

  private releasesOf(id: string): Release[] {
    const staged = new Set(this.options.staged);
    const product = this.document.software!.find((each) => each.id === id);
    return (product?.releases ?? []).filter(({ version, status }) => {
      if (status === 'withdrawn') return false;
      return status !== 'staged' || staged.has(id) || staged.has(`${id}@${version}`);
    });
  }

  /** Subjects on parts that are in use, before or after the exchange. */
  private movable(exchanged: boolean): string[] {
    const state = structureAt(this.structure, this.choice, this.start(), exchanged);
    const replaced = new Set(
      this.choice.remedy!.structure.filter((each) => each.with).map(({ symbol }) => symbol),
    );
    return resolveWorld(this.catalog, state)
      .subjects.filter(({ host, product, version }) => product && version !== undefined && !host.spare)
      .map(({ name }) => name)
      .filter((name) => !replaced.has(name.split(':')[0]!) && this.start().has(name));
  }

  private *groups(versions: Versions, exchanged: boolean, groupMax: number): Generator<[string, string][]> {
    const moves: [string, string][][] = this.movable(exchanged).map((subject) =>
      this.releasesOf(softwareOf(subject))
        .filter(({ version }) => this.mayStep(subject, versions.get(subject)!, version))
        .map(({ version }): [string, string] => [subject, version]),
    );
    const grow = function* (from: number, group: [string, string][]): Generator<[string, string][]> {
      if (group.length > 0) yield group;
      if (group.length === groupMax) return;
      for (let i = from; i < moves.length; i++) {
        for (const move of moves[i]!) yield* grow(i + 1, [...group, move]);
      }
    };
    yield* grow(0, []);
  }

  /** Fewest steps with groups of at most `groupMax`; undefined when there is no order. */
  fewest(groupMax: number): number | undefined {
    const goal = keyOf(this.goal(), true);
    let frontier: { versions: Versions; exchanged: boolean }[] = [];
    const seen = new Set<string>();
    // Before the first step and after the last, units may be exchanged even when the state is not valid.
    const reach = (next: typeof frontier, versions: Versions, exchanged: boolean, steps: number): boolean => {
      const key = keyOf(versions, exchanged);
      const between = steps > 0 && keyOf(versions, true) !== goal;
      if (key === goal) return true;
      if (seen.has(key)) return false;
      seen.add(key);
      if (between && !this.isValid(versions, exchanged)) return false;
      if (keyOf(versions, true) !== goal) next.push({ versions, exchanged });
      return !exchanged && reach(next, versions, true, steps);
    };
    if (reach(frontier, this.start(), !this.hasExchange, 0)) return 0;
    for (let steps = 1; frontier.length > 0; steps++) {
      const next: typeof frontier = [];
      for (const { versions, exchanged } of frontier) {
        for (const group of this.groups(versions, exchanged, groupMax)) {
          if (reach(next, new Map([...versions, ...group]), exchanged, steps)) return steps;
        }
      }
      frontier = next;
    }
    return undefined;
  }
}

function keyOf(versions: Versions, exchanged: boolean): string {
  return `${exchanged} ${[...versions].sort().join()}`;
}
