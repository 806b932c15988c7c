/** A printer as a bill of materials, CycloneDX 1.6 (ECMA-424): its units as devices, their software as firmware. Pure. */
import type { InstalledSoftware } from '../../../schemas/types.ts';
import type { InventoryPrinter } from './inventory.ts';

interface Component {
  type: 'device' | 'firmware';
  'bom-ref': string;
  name: string;
  version?: string;
  supplier?: { name: string };
  properties?: { name: string; value: string }[];
  components?: Component[];
}

/** References within one document: unique, whatever the printer calls its parts. */
class References {
  readonly #given = new Set<string>();

  take(wanted: string): string {
    let reference = wanted;
    for (let count = 2; this.#given.has(reference); count += 1) reference = `${wanted}#${count}`;
    this.#given.add(reference);
    return reference;
  }
}

function firmware(symbol: string, { id, vendor, version }: InstalledSoftware, references: References) {
  return {
    type: 'firmware' as const,
    'bom-ref': references.take(`${symbol}:${id}`),
    name: id,
    ...(version === undefined ? {} : { version }),
    ...(vendor === undefined ? {} : { supplier: { name: vendor } }),
  };
}

function properties(members: Record<string, string | undefined>): Component['properties'] {
  return Object.entries(members).flatMap(([name, value]) =>
    value === undefined ? [] : [{ name: `platen:${name}`, value }],
  );
}

interface Part {
  symbol: string;
  name: string;
  hardware: string | undefined;
  more: Record<string, string | undefined>;
  software: readonly InstalledSoftware[];
}

function device({ symbol, name, hardware, more, software }: Part, references: References): Component {
  return {
    type: 'device',
    'bom-ref': references.take(symbol),
    name,
    ...(hardware === undefined ? {} : { version: hardware }),
    properties: properties(more) ?? [],
    ...(software.length > 0 ? { components: software.map((one) => firmware(symbol, one, references)) } : {}),
  };
}

/**
 * The bill of materials.
 * @param id a UUID, new for every document, even when nothing changed
 */
export function cyclonedxInventory(
  printer: InventoryPrinter,
  id: string,
  now_ms: number,
): Record<string, unknown> {
  const { structure } = printer;
  const { apparatus, units = [], site, at } = structure ?? {};
  const references = new References();
  const own = device(
    {
      symbol: 'apparatus',
      name: apparatus?.model ?? printer.printer,
      hardware: apparatus?.hardware,
      more: { printer: printer.printer, serial: apparatus?.serial, site, read: at },
      software: apparatus?.software ?? [],
    },
    references,
  );
  const components = units.map(({ symbol, kind, model, serial, hardware, state, software = [] }) =>
    device({ symbol, name: model, hardware, more: { kind, serial, state }, software }, references),
  );
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${id}`,
    version: 1,
    metadata: { timestamp: new Date(now_ms).toISOString(), component: own },
    components,
  };
}
