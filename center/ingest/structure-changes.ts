/**
 * Lists the changes between two structures of one printer. Pure.
 */
import { hash } from 'node:crypto';
import type { InstalledSoftware, Structure, Unit } from '../../schemas/types.ts';

export type StructureChangeKind =
  | 'unit-added'
  | 'unit-removed'
  | 'unit-model'
  | 'unit-serial'
  | 'unit-hardware'
  | 'unit-state'
  | 'apparatus-model'
  | 'apparatus-serial'
  | 'apparatus-hardware'
  | 'software-added'
  | 'software-removed'
  | 'software-version';

export interface StructureChange {
  kind: StructureChangeKind;
  /** `symbol:softwareId` for software, `symbol` for a unit, `apparatus` for the apparatus. */
  subject: string;
  from?: string;
  to?: string;
}

/** A digest of all parts of a structure, serials included: equal signatures mean that nothing changed. */
export function structureSignature(structure: Structure): string {
  const parts = JSON.stringify([part(structure.apparatus), structure.units.map(part)]);
  return hash('sha256', parts, 'base64url').slice(0, 27);
}

function part(thing: Partial<Unit> & { model: string }): unknown[] {
  const software = (thing.software ?? []).map((one) => [one.id, one.vendor, one.version]);
  return [thing.symbol, thing.kind, thing.model, thing.serial, thing.hardware, thing.state, software];
}

function change(kind: StructureChangeKind, subject: string, from?: string, to?: string): StructureChange {
  return { kind, subject, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
}

function softwareChanges(
  symbol: string,
  before: InstalledSoftware[] = [],
  after: InstalledSoftware[] = [],
): StructureChange[] {
  const changes: StructureChange[] = [];
  const known = new Map(before.map((one) => [one.id, one]));
  for (const one of after) {
    const old = known.get(one.id);
    known.delete(one.id);
    const subject = `${symbol}:${one.id}`;
    if (!old) changes.push(change('software-added', subject, undefined, one.version));
    else if (old.version !== one.version) {
      changes.push(change('software-version', subject, old.version, one.version));
    }
  }
  for (const [id, old] of known) {
    changes.push(change('software-removed', `${symbol}:${id}`, old.version, undefined));
  }
  return changes;
}

/** The changes from `before` to `after`: apparatus first, then units in order. */
export function structureChanges(before: Structure, after: Structure): StructureChange[] {
  const changes: StructureChange[] = [];
  const differ = (kind: StructureChangeKind, subject: string, from?: string, to?: string) => {
    if (from !== to) changes.push(change(kind, subject, from, to));
  };
  differ('apparatus-model', 'apparatus', before.apparatus.model, after.apparatus.model);
  differ('apparatus-serial', 'apparatus', before.apparatus.serial, after.apparatus.serial);
  differ('apparatus-hardware', 'apparatus', before.apparatus.hardware, after.apparatus.hardware);
  changes.push(...softwareChanges('apparatus', before.apparatus.software, after.apparatus.software));
  const known = new Map(before.units.map((unit) => [unit.symbol, unit]));
  for (const unit of after.units) {
    const old = known.get(unit.symbol);
    known.delete(unit.symbol);
    if (!old) {
      changes.push(change('unit-added', unit.symbol, undefined, unit.model));
      continue;
    }
    differ('unit-model', unit.symbol, old.model, unit.model);
    differ('unit-serial', unit.symbol, old.serial, unit.serial);
    differ('unit-hardware', unit.symbol, old.hardware, unit.hardware);
    differ('unit-state', unit.symbol, old.state ?? 'active', unit.state ?? 'active');
    changes.push(...softwareChanges(unit.symbol, old.software, unit.software));
  }
  for (const old of known.values()) changes.push(change('unit-removed', old.symbol, old.model, undefined));
  return changes;
}
