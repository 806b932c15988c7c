/**
 * A structure resolved against a catalog: hosts (the apparatus and its units) and the software on them.
 */
import type { InstalledSoftware } from '../../schemas/types.ts';
import type { CompiledCatalog, Product } from './tables.ts';
import type { PrinterStructureLike, UnitLike } from './types.ts';
import type { VersionKey } from './versions.ts';
import { SCHEMES } from './versions.ts';

/** The kind by which `on` and constraints name the apparatus itself. */
export const APPARATUS = 'apparatus';

/** The apparatus or a unit. */
export interface Host {
  index: number;
  symbol: string;
  kind: string;
  model: string;
  /** Text as stated, undefined when it is missing. */
  hardware: string | undefined;
  hardwareKey: VersionKey | undefined;
  spare: boolean;
}

/** Software on a host. */
export interface Subject {
  index: number;
  host: Host;
  /** `symbol:softwareId`. */
  name: string;
  id: string;
  /** As installed says, else as the catalog says. */
  vendor: string | undefined;
  version: string | undefined;
  /** Undefined: the catalog does not list it, or not unambiguously. */
  product: Product | undefined;
  /** Index of the installed release in the product, -1 when there is none. */
  release: number;
}

export interface World {
  hosts: Host[];
  /** In the order of the structure: apparatus first, then units, software in their listed order. */
  subjects: Subject[];
  /** Subjects in use, by software id. */
  bySoftware: Map<string, Subject[]>;
}

function productOf(catalog: CompiledCatalog, software: InstalledSoftware): Product | undefined {
  const products = catalog.productsOf.get(software.id);
  if (!products) return undefined;
  if (products.length === 1) {
    const only = products[0]!;
    const same =
      software.vendor === undefined || only.vendor === undefined || only.vendor === software.vendor;
    return same ? only : undefined;
  }
  return (
    products.find((product) => product.vendor === software.vendor) ??
    (software.vendor === undefined ? undefined : products.find((product) => product.vendor === undefined))
  );
}

const hardwareKeys = new Map<string, VersionKey | undefined>();
const HARDWARE_KEYS_MAX = 10_000;

function hardwareKey(hardware: string): VersionKey | undefined {
  let key = hardwareKeys.get(hardware);
  if (key === undefined && !hardwareKeys.has(hardware)) {
    if (hardwareKeys.size >= HARDWARE_KEYS_MAX) hardwareKeys.clear();
    key = SCHEMES.hardware.parse(hardware);
    hardwareKeys.set(hardware, key);
  }
  return key;
}

function hostOf(index: number, symbol: string, kind: string, part: Omit<UnitLike, 'symbol' | 'kind'>): Host {
  return {
    index,
    symbol,
    kind,
    model: part.model,
    hardware: part.hardware,
    hardwareKey: part.hardware === undefined ? undefined : hardwareKey(part.hardware),
    spare: part.state === 'spare',
  };
}

/** Resolves a structure against a catalog. */
export function resolveWorld(catalog: CompiledCatalog, structure: PrinterStructureLike): World {
  const world: World = { hosts: [], subjects: [], bySoftware: new Map() };
  addHost(catalog, world, hostOf(0, APPARATUS, APPARATUS, structure.apparatus), structure.apparatus.software);
  for (const unit of structure.units ?? []) {
    addHost(catalog, world, hostOf(world.hosts.length, unit.symbol, unit.kind, unit), unit.software);
  }
  return world;
}

function addHost(
  catalog: CompiledCatalog,
  world: World,
  host: Host,
  software: readonly InstalledSoftware[] = [],
): void {
  world.hosts.push(host);
  for (const installed of software) {
    const product = productOf(catalog, installed);
    const { id, version } = installed;
    const subject: Subject = {
      index: world.subjects.length,
      host,
      name: `${host.symbol}:${id}`,
      id,
      vendor: installed.vendor ?? product?.vendor,
      version,
      product,
      release: product === undefined || version === undefined ? -1 : product.versions.find(version),
    };
    world.subjects.push(subject);
    if (host.spare) continue;
    const sharing = world.bySoftware.get(id);
    if (sharing) sharing.push(subject);
    else world.bySoftware.set(id, [subject]);
  }
}
