/**
 * A printer that exists only in memory: units, software, a page counter and faults. Pure: time and randomness are
 * passed in.
 */
import semver from 'semver';
import { parseSubject } from '../../../schemas/subject.ts';
import type { Apparatus, InstalledSoftware, LogEntry, OrderStep, Unit } from '../../../schemas/types.ts';
import type { PrinterReadings, PrinterStructure } from '../../driver.ts';
import { officeHours, type SimulatedSupply, supplyAt } from './supplies.ts';

/** Software that must be installed (anywhere in the printer) for something to happen. */
export interface SoftwareCondition {
  id: string;
  /** node-semver range. */
  range?: string;
  /** Exact versions, for schemes other than semver. */
  versions?: string[];
}

/** Errors that occur spontaneously. */
export interface ErrorGenerator {
  code: string;
  severity: LogEntry['severity'];
  /** Symbol of the unit; errors stop while it is not there. */
  unit?: string;
  /** Mean time between two errors, in ms. */
  everyMs: number;
  /** `regular`: always that long; `random` (default): exponentially distributed. */
  spread?: 'regular' | 'random';
  /** Only while this software is installed. */
  while?: SoftwareCondition;
  detail?: object;
}

/** How installations go. Probabilities are between 0 and 1. */
export interface InstallBehaviour {
  /** Duration of one installation, of a restart, of a self-test, in ms. */
  takesMs?: number;
  restartMs?: number;
  selfTestMs?: number;
  /** The installation fails and changes nothing. */
  fails?: number;
  /** The installation works, the self-test afterwards doesn't. */
  selfTestFails?: number;
  /** The installation bricks the printer: no structure, no connection. */
  bricks?: number;
  /** The rollback fails. */
  rollbackFails?: number;
  /** The installation seems to work but nothing has changed. */
  lies?: number;
  /** Subjects on which nothing can be installed. */
  refuses?: string[];
}

export interface SimulatedPrinterSpec {
  structure: PrinterStructure;
  /** Life counter at the start. */
  pages?: number;
  pagesPerHour?: number;
  /** When it prints: evenly, or during office hours. Default: evenly. */
  hours?: 'any' | 'office';
  /** Share of the pages that are printed in color. */
  color?: number;
  /** Its supplies; without any it sends no readings. */
  supplies?: SimulatedSupply[];
  /** Share of the time that it is printing, 0 to 1. Nothing is installed meanwhile. */
  busy?: number;
  errors?: ErrorGenerator[];
  install?: InstallBehaviour;
}

const MS_PER_HOUR = 3_600_000;

function holds(software: InstalledSoftware, condition: SoftwareCondition): boolean {
  if (software.id !== condition.id || software.version === undefined) return false;
  if (condition.versions) return condition.versions.includes(software.version);
  if (condition.range === undefined) return true;
  return semver.satisfies(software.version, condition.range, { includePrerelease: true });
}

export class PrinterModel {
  readonly spec: SimulatedPrinterSpec;
  #structure: PrinterStructure;
  readonly #startedAt: number;

  constructor(spec: SimulatedPrinterSpec, now: number) {
    this.spec = spec;
    this.#structure = structuredClone(spec.structure);
    this.#startedAt = now;
  }

  /** A copy of the printer's structure. */
  structure(): PrinterStructure {
    return structuredClone(this.#structure);
  }

  pages(now: number): number {
    const { pages = 0, pagesPerHour = 0, hours = 'any' } = this.spec;
    const until = Math.max(now, this.#startedAt);
    const worked =
      hours === 'office'
        ? officeHours(until) - officeHours(this.#startedAt)
        : (until - this.#startedAt) / MS_PER_HOUR;
    return Math.floor(pages + pagesPerHour * worked);
  }

  /** Counters and supply levels; undefined for a printer without readings. */
  readings(now: number): PrinterReadings | undefined {
    const { supplies, color = 0 } = this.spec;
    if (!supplies) return undefined;
    const pages = this.pages(now);
    const told = supplies.map((supply) => supplyAt(supply, pages));
    const reasons = told.filter(({ state }) => state === 'low').map(({ kind }) => `${kind}-low`);
    return {
      state: 'idle',
      reasons: [...new Set(reasons)],
      counters: {
        impressions: pages,
        ...(color > 0 ? { 'impressions-color': Math.floor(pages * color) } : {}),
      },
      supplies: told,
    };
  }

  unit(symbol: string): Unit | undefined {
    return this.#structure.units.find((unit) => unit.symbol === symbol);
  }

  /** Whether the generator's errors happen now. */
  suffers(generator: ErrorGenerator): boolean {
    if (generator.unit !== undefined && generator.unit !== 'apparatus') {
      const unit = this.unit(generator.unit);
      if (!unit || unit.state === 'spare') return false;
    }
    const condition = generator.while;
    if (!condition) return true;
    const owners: (Apparatus | Unit)[] = [this.#structure.apparatus, ...this.#structure.units];
    return owners.some((owner) => owner.software?.some((software) => holds(software, condition)));
  }

  /** The version of `symbol:softwareId`; undefined when it is not installed. */
  version(subject: string): string | undefined {
    return this.#software(subject)?.version;
  }

  /** Sets the version of `symbol:softwareId`, installing it where it was missing. False for an unknown symbol. */
  setVersion(subject: string, version: string | undefined): boolean {
    const { owner, id } = this.#owner(subject);
    if (!owner || id === undefined) return false;
    owner.software ??= [];
    const installed = owner.software.find((software) => software.id === id);
    if (installed) installed.version = version;
    else owner.software.push({ id, version });
    return true;
  }

  /** False when a unit of that symbol is there already. */
  addUnit(unit: Unit): boolean {
    if (unit.symbol === 'apparatus' || this.unit(unit.symbol)) return false;
    this.#structure.units.push(structuredClone(unit));
    return true;
  }

  removeUnit(symbol: string): Unit | undefined {
    const index = this.#structure.units.findIndex((unit) => unit.symbol === symbol);
    return index < 0 ? undefined : this.#structure.units.splice(index, 1)[0];
  }

  /** Replaces the unit at `symbol`; fields not given stay. False when there is none. */
  swapUnit(symbol: string, change: Partial<Omit<Unit, 'symbol'>>): boolean {
    if (symbol === 'apparatus') {
      Object.assign(
        this.#structure.apparatus,
        structuredClone({ ...change, kind: undefined, state: undefined }),
      );
      return true;
    }
    const unit = this.unit(symbol);
    if (unit) Object.assign(unit, structuredClone(change));
    return unit !== undefined;
  }

  /** Puts the spare (its symbol or model) in the place of `symbol`, which becomes the spare. */
  switchToSpare(symbol: string, spare: string): boolean {
    const active = this.unit(symbol);
    const other = this.#structure.units.find(
      (unit) => unit.state === 'spare' && (unit.symbol === spare || unit.model === spare),
    );
    if (!active || !other) {
      // Already done before a power loss: repeating it changes nothing.
      const taken = this.#structure.units.find((unit) => unit.symbol === spare && unit.state !== 'spare');
      return active?.state === 'spare' && taken !== undefined;
    }
    active.state = 'spare';
    other.state = 'active';
    return true;
  }

  /** Carries out one step of an order. Returns a function that undoes it; undefined when the subject is not there. */
  apply(step: Pick<OrderStep, 'subject' | 'to'>): (() => void) | undefined {
    if (!step.subject.includes(':')) {
      const before = this.structure();
      if (!this.switchToSpare(step.subject, step.to)) return undefined;
      return () => {
        this.#structure.units = before.units;
      };
    }
    const before = this.version(step.subject);
    if (!this.setVersion(step.subject, step.to)) return undefined;
    return () => {
      this.setVersion(step.subject, before);
    };
  }

  #owner(subject: string): { owner: Apparatus | Unit | undefined; id: string | undefined } {
    const { symbol, software: id } = parseSubject(subject);
    return { owner: symbol === 'apparatus' ? this.#structure.apparatus : this.unit(symbol), id };
  }

  #software(subject: string): InstalledSoftware | undefined {
    const { owner, id } = this.#owner(subject);
    return owner?.software?.find((software) => software.id === id);
  }
}
