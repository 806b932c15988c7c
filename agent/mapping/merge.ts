/**
 * Merges readings of one printer through two protocols: IPP has versions, SNMP has serial numbers. Units match by place
 * or by model; every field keeps its source.
 */
import type { InstalledSoftware } from '../../schemas/types.ts';
import type { PrinterStructure } from '../driver.ts';
import type { Condition, FoundUnit, Reading, Source } from './reading.ts';
import { mergeMeasured } from './readings/merge-readings.ts';

/** The source of versions when both have one. */
const VERSIONS_FROM: Source = 'ipp';

interface Merging {
  from: Reading;
  /** Symbol in `from` → symbol in the result. */
  symbols: Map<string, string>;
}

/** A model that only repeats the kind or a place (`Engine`, `Tray 1`) says less than a real one. */
function isDescription(unit: FoundUnit): boolean {
  return (
    unit.model.toLowerCase() === unit.kind || /^(tray|input|output|bin|finisher|unit)\b/i.test(unit.model)
  );
}

function sameUnit(mine: FoundUnit, other: FoundUnit): boolean {
  if (mine.model.toLowerCase() === other.model.toLowerCase() && mine.kind === other.kind) return true;
  if (mine.symbol !== other.symbol) return false;
  // Same place: the same unit, unless both name a model and they differ.
  return mine.kind === other.kind || isDescription(mine) || isDescription(other);
}

function units(structure: PrinterStructure): FoundUnit[] {
  return structure.units.map((unit) => ({ ...unit, software: [...(unit.software ?? [])] }));
}

/** Adds components that only the other has, and takes the other's versions where its source knows versions better. */
function mergeSoftware(
  mine: InstalledSoftware[],
  other: InstalledSoftware[],
  otherWins: boolean,
  note: (id: string, field: string) => void,
): void {
  for (const software of other) {
    const same = mine.find((candidate) => candidate.id === software.id);
    if (!same) {
      mine.push({ ...software });
      note(software.id, '');
      if (software.version !== undefined) note(software.id, '.version');
    } else if (software.version !== undefined && (same.version === undefined || otherWins)) {
      note(software.id, '.version');
      same.version = software.version;
    }
  }
}

/** Merges two readings of one printer. Pure. The unit order of the first is kept. */
export function mergeReadings(first: Reading, second: Reading): Reading {
  return mergeWithSymbols(first, second).reading;
}

/** The same with the symbols that the second's units have in the result. */
export function mergeWithSymbols(
  first: Reading,
  second: Reading,
): { reading: Reading; symbols: Map<string, string> } {
  const apparatus = {
    ...first.structure.apparatus,
    software: [...(first.structure.apparatus.software ?? [])],
  };
  const sources: Record<string, Source> = { ...first.sources };
  const other = second.structure.apparatus;
  const take = (path: string) => {
    sources[path] = second.sources[path] ?? second.source;
  };
  if (apparatus.model === 'unknown' && other.model !== 'unknown') {
    apparatus.model = other.model;
    take('apparatus.model');
  }
  for (const field of ['serial', 'hardware'] as const) {
    const value = other[field];
    if (apparatus[field] !== undefined || value === undefined) continue;
    apparatus[field] = value;
    take(`apparatus.${field}`);
  }
  const otherWins = second.source === VERSIONS_FROM && first.source !== VERSIONS_FROM;
  mergeSoftware(apparatus.software, other.software ?? [], otherWins, (id, field) =>
    take(`apparatus:${id}${field}`),
  );

  const merged = units(first.structure);
  const merging: Merging = { from: second, symbols: new Map() };
  for (const unit of units(second.structure)) {
    const mine = merged.find((candidate) => sameUnit(candidate, unit));
    if (!mine) {
      const symbol = freeSymbol(unit.symbol, merged);
      merging.symbols.set(unit.symbol, symbol);
      merged.push({ ...unit, symbol });
      for (const [path, source] of Object.entries(second.sources)) {
        if (path.startsWith(`${unit.symbol}.`) || path.startsWith(`${unit.symbol}:`)) {
          sources[`${symbol}${path.slice(unit.symbol.length)}`] = source;
        }
      }
      continue;
    }
    merging.symbols.set(unit.symbol, mine.symbol);
    if (isDescription(mine) && !isDescription(unit)) {
      mine.model = unit.model;
      mine.kind = unit.kind;
      take(`${mine.symbol}.model`);
    }
    for (const field of ['serial', 'hardware'] as const) {
      const value = unit[field];
      if (mine[field] !== undefined || value === undefined) continue;
      mine[field] = value;
      sources[`${mine.symbol}.${field}`] = second.source;
    }
    mergeSoftware(mine.software, unit.software, otherWins, (id, field) => {
      sources[`${mine.symbol}:${id}${field}`] = second.source;
    });
  }
  const structure: PrinterStructure = { apparatus, units: merged };
  const measured = mergeMeasured(first.measured, second.measured, merging.symbols);
  const reading: Reading = {
    source: first.source,
    structure,
    sources,
    conditions: mergeConditions(first.conditions, second.conditions, merging.symbols),
    conditionsWhole: first.conditionsWhole && second.conditionsWhole,
    counters: { ...second.counters, ...first.counters },
    ...(measured === undefined ? {} : { measured }),
    ...(first.upTimeTicks === undefined ? {} : { upTimeTicks: first.upTimeTicks }),
    identity: {
      ...second.identity,
      ...first.identity,
      ...(first.identity.serials || second.identity.serials
        ? { serials: { ...second.identity.serials, ...first.identity.serials } }
        : {}),
      tables: [...new Set([...first.identity.tables, ...second.identity.tables])],
    },
    missing: stillMissing(first, second),
  };
  return { reading, symbols: merging.symbols };
}

function freeSymbol(wanted: string, taken: FoundUnit[]): string {
  const used = (symbol: string) => taken.some((unit) => unit.symbol === symbol);
  if (!used(wanted)) return wanted;
  const numbered = /^(.*)\.(\d+)$/.exec(wanted);
  for (let n = numbered ? Number(numbered[2]) + 1 : 2; ; n++) {
    const symbol = numbered ? `${numbered[1]}.${n}` : `${wanted}-${n}`;
    if (!used(symbol)) return symbol;
  }
}

/**
 * Merges conditions. A condition of the second with the same keyword (on the same unit, or without one) is the same one;
 * the first one's is kept, because SNMP has the vendor's codes and the times.
 */
export function mergeConditions(
  first: Condition[],
  second: Condition[],
  symbols: Map<string, string> = new Map(),
): Condition[] {
  const merged = [...first];
  for (const condition of second) {
    const unit = condition.unit === undefined ? undefined : (symbols.get(condition.unit) ?? condition.unit);
    const same = first.some(
      (candidate) =>
        candidate.keyword === condition.keyword &&
        (unit === undefined || candidate.unit === undefined || candidate.unit === unit),
    );
    // Occurrence numbers are specific to a protocol; mixed, they would look like a new alert.
    const { occurrence: _, ticks: __, ...rest } = condition;
    if (!same) merged.push({ ...rest, ...(unit === undefined ? {} : { unit }) });
  }
  return merged;
}

/** Fields missing in both readings. */
function stillMissing(first: Reading, second: Reading): Reading['missing'] {
  return first.missing.filter((missing) =>
    second.missing.some((candidate) => candidate.field === missing.field),
  );
}
