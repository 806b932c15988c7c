/**
 * The signature of a structure: equal for structures that are judged and cured alike. Serials, sites and labels are
 * not in it; symbols are, because findings name them.
 */
import type { InstalledSoftware } from '../../schemas/types.ts';
import type { PrinterStructureLike } from './types.ts';

/** A field with its length before it, so that no two structures share a signature. */
function field(value: string | undefined): string {
  return value === undefined ? '-' : `${value.length}:${value}`;
}

function softwarePart(software: readonly InstalledSoftware[] | undefined): string {
  if (!software) return '0;';
  let part = `${software.length};`;
  for (const { id, vendor, version } of software) part += field(id) + field(vendor) + field(version);
  return part;
}

/** The signature of a structure, to remember verdicts by. */
export function signatureOf(structure: PrinterStructureLike): string {
  const { apparatus } = structure;
  let signature = field(apparatus.model) + field(apparatus.hardware) + softwarePart(apparatus.software);
  for (const unit of structure.units ?? []) {
    signature +=
      field(unit.symbol) +
      field(unit.kind) +
      field(unit.model) +
      field(unit.hardware) +
      (unit.state === 'spare' ? 's' : 'a') +
      softwarePart(unit.software);
  }
  return signature;
}
