/**
 * A structure resolved against a catalog: hosts (the apparatus and its units) and the software on them.
 */
import type { InstalledSoftware } from '../schemas/types.ts';
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
  /** The text as reported; undefined when it is missing. */
  hardware: string | undefined;
  spare: boolean;
}

/** Software on a host. */
export interface Subject {
  index: number;
  host: Host;
  /** `symbol:softwareId`. */
  name: string;
  id: string;
  /** From the installed software, else from the catalog. */
  vendor: string | undefined;
  version: string | undefined;
  /** Undefined: the catalog does not list it, or it is ambiguous. */
  product: Product | undefined;
  /** Index of the installed release in the product, -1 when there is none. */
  release: number;
}

/** Up to this many subjects are scanned one by one. */
const SUBJECTS_SCANNED_MAX = 16;

export class World {
  readonly hosts: readonly Host[];
  /** In the order of the structure: apparatus first, then units, software in their listed order. */
  readonly subjects: readonly Subject[];
  #inUse: Map<string, Subject[]> | undefined;

  constructor(hosts: readonly Host[], subjects: readonly Subject[]) {
    this.hosts = hosts;
    this.subjects = subjects;
  }

  /** Candidate subjects of a software id: all subjects or, if there are many, only those of this id that are in use. */
  mayBe(id: string): readonly Subject[] {
    if (this.subjects.length <= SUBJECTS_SCANNED_MAX) return this.subjects;
    this.#inUse ??= this.#byId();
    return this.#inUse.get(id) ?? NONE;
  }

  #byId(): Map<string, Subject[]> {
    const byId = new Map<string, Subject[]>();
    for (const subject of this.subjects) {
      if (subject.host.spare) continue;
      const sharing = byId.get(subject.id);
      if (sharing) sharing.push(subject);
      else byId.set(subject.id, [subject]);
    }
    return byId;
  }
}
const NONE: readonly Subject[] = [];

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

/** A host's hardware as a key; undefined when it is missing or not a version. */
export function hardwareKeyOf({ hardware }: Host): VersionKey | undefined {
  if (hardware === undefined) return undefined;
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
    spare: part.state === 'spare',
  };
}

/** Resolves a structure against a catalog. */
export function resolveWorld(catalog: CompiledCatalog, structure: PrinterStructureLike): World {
  const hosts: Host[] = [];
  const subjects: Subject[] = [];
  const apparatus = hostOf(0, APPARATUS, APPARATUS, structure.apparatus);
  hosts.push(apparatus);
  addSoftware(catalog, apparatus, structure.apparatus.software, subjects);
  for (const unit of structure.units ?? []) {
    const host = hostOf(hosts.length, unit.symbol, unit.kind, unit);
    hosts.push(host);
    addSoftware(catalog, host, unit.software, subjects);
  }
  return new World(hosts, subjects);
}

function addSoftware(
  catalog: CompiledCatalog,
  host: Host,
  software: readonly InstalledSoftware[] | undefined,
  subjects: Subject[],
): void {
  if (!software) return;
  for (const installed of software) {
    const product = productOf(catalog, installed);
    const { id, version } = installed;
    subjects.push({
      index: subjects.length,
      host,
      name: `${host.symbol}:${id}`,
      id,
      vendor: installed.vendor ?? product?.vendor,
      version,
      product,
      release: product === undefined || version === undefined ? -1 : product.versions.find(version),
    });
  }
}
