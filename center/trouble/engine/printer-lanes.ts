/**
 * The lanes of one printer. A lane is looked up for every entry, so no text is built to find it: a rule kept by printer
 * has one lane, and rules kept by printer and unit share one lookup of the unit. Only other rules are found by their
 * whole key.
 */
import type { KeyScope } from './key-state.ts';
import type { Lane } from './lane.ts';

/** The lanes of one unit by group number, with what they share. */
export interface UnitLanes {
  key: string;
  scope: KeyScope;
  lanes: Map<number, Lane>;
}

/** Shared by printers without lanes. Most are healthy, and two empty maps for each would take 370 bytes. */
const NO_UNITS = new Map<string, UnitLanes>();
const NO_LANES = new Map<number, Lane>();

export class PrinterLanes {
  /** Changed only by `addToUnit`. */
  units: Map<string, UnitLanes> = NO_UNITS;
  private single: Map<number, Lane> = NO_LANES;
  private byKey: Map<string, Lane> | undefined;
  size = 0;

  one(group: number): Lane | undefined {
    return this.single.get(group);
  }

  keyed(group: number, key: string): Lane | undefined {
    return this.byKey?.get(`${group} ${key}`);
  }

  addOne(group: number, lane: Lane): void {
    if (this.single === NO_LANES) this.single = new Map();
    if (!this.single.has(group)) this.size += 1;
    this.single.set(group, lane);
  }

  addKeyed(group: number, key: string, lane: Lane): void {
    this.byKey ??= new Map();
    const name = `${group} ${key}`;
    if (!this.byKey.has(name)) this.size += 1;
    this.byKey.set(name, lane);
  }

  /** @param named creates what the unit's lanes share, for the first of them */
  addToUnit(group: number, unit: string, lane: Lane, named: () => { key: string; scope: KeyScope }): void {
    let there = this.units.get(unit);
    if (!there) {
      there = { ...named(), lanes: new Map() };
      if (this.units === NO_UNITS) this.units = new Map();
      this.units.set(unit, there);
    }
    this.addTo(there, group, lane);
  }

  addTo({ lanes }: UnitLanes, group: number, lane: Lane): void {
    if (!lanes.has(group)) this.size += 1;
    lanes.set(group, lane);
  }

  *values(): Generator<Lane> {
    yield* this.single.values();
    for (const { lanes } of this.units.values()) yield* lanes.values();
    if (this.byKey) yield* this.byKey.values();
  }

  /** Drops the lanes for which `over` returns true. */
  sweep(over: (lane: Lane) => boolean): void {
    this.sweepMap(this.single, over);
    for (const [unit, { lanes }] of this.units) {
      this.sweepMap(lanes, over);
      if (lanes.size === 0) this.units.delete(unit);
    }
    if (this.byKey) this.sweepMap(this.byKey, over);
  }

  private sweepMap<K>(lanes: Map<K, Lane>, over: (lane: Lane) => boolean): void {
    for (const [name, lane] of lanes) {
      if (!over(lane)) continue;
      lanes.delete(name);
      this.size -= 1;
    }
  }
}
