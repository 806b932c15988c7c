/** Structures after a remedy, or after some of its steps. */

import type { Choice, PrinterStructureLike, UnitLike } from '../../../compatibility/types.ts';
import type { InstalledSoftware } from '../../../schemas/types.ts';

type Versions = ReadonlyMap<string, string>;

function lay(
  symbol: string,
  software: readonly InstalledSoftware[],
  versions: Versions,
): InstalledSoftware[] {
  return software.map((each) => ({ ...each, version: versions.get(`${symbol}:${each.id}`) ?? each.version }));
}

/** The structure with these versions, and with the remedy's units exchanged or not. */
export function structureAt(
  structure: PrinterStructureLike,
  { remedy }: Choice,
  versions: Versions,
  exchanged: boolean,
): PrinterStructureLike {
  const entries = exchanged ? remedy!.structure : [];
  const replaced = new Map(entries.filter((each) => each.with).map((each) => [each.symbol, each]));
  const active = new Set(entries.map((each) => each.switchTo));
  const idle = new Set(entries.filter((each) => each.switchTo).map((each) => each.symbol));
  return {
    apparatus: {
      ...structure.apparatus,
      software: lay('apparatus', structure.apparatus.software ?? [], versions),
    },
    units: (structure.units ?? []).map((unit): UnitLike => {
      const entry = replaced.get(unit.symbol);
      if (entry) {
        const { symbol, kind } = unit;
        return { symbol, kind, model: entry.with!, software: entry.software ?? [] };
      }
      const spare = idle.has(unit.symbol) || (unit.state === 'spare' && !active.has(unit.symbol));
      return {
        ...unit,
        state: spare ? 'spare' : 'active',
        software: lay(unit.symbol, unit.software ?? [], versions),
      };
    }),
  };
}

/** The versions at the end of a remedy. */
export function remedyVersions({ remedy }: Choice): Map<string, string> {
  return new Map(remedy!.software.map(({ subject, to }) => [subject, to]));
}

/** The structure after the whole remedy. */
export function cured(structure: PrinterStructureLike, choice: Choice): PrinterStructureLike {
  return structureAt(structure, choice, remedyVersions(choice), true);
}

/** The comparable part of a structure. */
export function outline(structure: PrinterStructureLike): string {
  const versions = (software: readonly InstalledSoftware[] = []) =>
    software.map(({ id, version }) => [id, version ?? null]);
  return JSON.stringify([
    versions(structure.apparatus.software),
    (structure.units ?? []).map(({ symbol, model, state, software }) => [
      symbol,
      model,
      state ?? 'active',
      versions(software),
    ]),
  ]);
}
