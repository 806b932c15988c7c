/**
 * Checks a catalog and compiles it into tables. Diagnostics are like a compiler's, with JSON paths.
 */
import type {
  ApparatusModel,
  Catalog,
  Constraint,
  Release,
  RunsOn,
  Slot,
  SoftwareProduct,
} from '../schemas/types.ts';
import { diagnoseTables } from './diagnose.ts';
import type {
  CompiledApparatus,
  CompiledCatalog,
  CompiledRelease,
  CompiledSlot,
  Placement,
  Product,
  Rule,
  Target,
} from './tables.ts';
import type { Diagnostic } from './types.ts';
import {
  compareVersions,
  SCHEMES,
  type Scheme,
  schemeOf,
  type VersionRange,
  VersionTable,
} from './versions.ts';
import { placementText, ruleText, slotText } from './wording.ts';

/** What is collected while the document is walked. */
class Notes {
  readonly list: Diagnostic[] = [];
  private readonly interned = new Map<string, number>();
  /** A number that is equal for equal texts. */
  intern(text: string): number {
    let number = this.interned.get(text);
    if (number === undefined) {
      number = this.interned.size;
      this.interned.set(text, number);
    }
    return number;
  }
  error(path: string, message: string): void {
    this.list.push({ path, severity: 'error', message });
  }
  warn(path: string, message: string): void {
    this.list.push({ path, severity: 'warning', message });
  }
}

function hardwareRange(text: string | undefined, path: string, notes: Notes): VersionRange | undefined {
  if (text === undefined) return undefined;
  try {
    return SCHEMES.hardware.range(text);
  } catch (error) {
    notes.error(path, (error as Error).message);
    return undefined;
  }
}

function compileTarget(constraint: Constraint, path: string, notes: Notes): Target | undefined {
  const { software, vendor, range, kind, model, hardware, apparatus } = constraint;
  const ofSoftware = software !== undefined || vendor !== undefined || range !== undefined;
  const ofUnit = kind !== undefined || model !== undefined || hardware !== undefined;
  const ofApparatus = apparatus !== undefined;
  if (Number(ofSoftware) + Number(ofUnit) + Number(ofApparatus) !== 1) {
    notes.error(
      path,
      'a constraint names software ("software", "vendor", "range"), or units ("kind", "model", "hardware"), or "apparatus": exactly one of these',
    );
    return undefined;
  }
  if (ofApparatus) return { type: 'apparatus', models: new Set(apparatus) };
  if (ofUnit) {
    return { type: 'unit', kind, model, hardware: hardwareRange(hardware, `${path}.hardware`, notes) };
  }
  if (software === undefined) {
    notes.error(path, '"vendor" and "range" need "software"');
    return undefined;
  }
  return { type: 'software', id: software, vendor, range };
}

function compileRules(
  owner: string,
  declared: { requires?: Constraint[]; conflicts?: Constraint[] },
  path: string,
  notes: Notes,
): Rule[] {
  const rules: Rule[] = [];
  for (const kind of ['requires', 'conflicts'] as const) {
    for (const [i, constraint] of (declared[kind] ?? []).entries()) {
      const target = compileTarget(constraint, `${path}.${kind}[${i}]`, notes);
      if (!target) continue;
      rules.push(
        new DeclaredRule(owner, kind, constraint, target, notes.intern(samenessOf(kind, constraint))),
      );
    }
  }
  return rules;
}

/** A rule whose text is built on demand: a catalog may have hundreds of thousands. */
class DeclaredRule implements Rule {
  readonly kind: 'requires' | 'conflicts';
  readonly target: Target;
  readonly every: boolean;
  readonly optional: boolean;
  readonly severity: 'boot' | 'function';
  readonly because: string | undefined;
  readonly sameness: number;
  private readonly owner: string;
  private readonly constraint: Constraint;
  private said: string | undefined;

  constructor(
    owner: string,
    kind: 'requires' | 'conflicts',
    constraint: Constraint,
    target: Target,
    sameness: number,
  ) {
    this.owner = owner;
    this.kind = kind;
    this.constraint = constraint;
    this.target = target;
    this.every = constraint.of !== 'some';
    this.optional = constraint.optional === true;
    this.severity = constraint.severity ?? 'function';
    this.because = constraint.because;
    this.sameness = sameness;
  }

  get text(): string {
    this.said ??= ruleText(this.owner, this.kind, this.constraint);
    return this.said;
  }
}

/** Equal for constraints with the same meaning. */
function samenessOf(kind: 'requires' | 'conflicts', constraint: Constraint): string {
  const { software, vendor, range, of, optional, severity, because } = constraint;
  const manner = `${kind === 'requires' ? 'r' : 'c'}${of === 'some' ? 's' : 'e'}${optional ? 'o' : 'm'}${severity === 'boot' ? 'b' : 'f'}`;
  // A line break as separator: a range or model that contains one matches nothing.
  if (software !== undefined)
    return `${manner}s${software}\n${vendor ?? ''}\n${range ?? '\r'}\n${because ?? ''}`;
  const { kind: unitKind, model, hardware, apparatus } = constraint;
  const unit = [unitKind, model, hardware, apparatus, because].map((part) => part ?? null);
  return `${manner}u${JSON.stringify(unit)}`;
}

function compilePlacement(on: RunsOn | undefined, path: string, notes: Notes): Placement | undefined {
  if (!on) return undefined;
  return {
    kind: on.kind,
    models: on.models && new Set(on.models),
    hardware: hardwareRange(on.hardware, `${path}.hardware`, notes),
    text: placementText(on),
  };
}

function compileReleases(
  software: SoftwareProduct,
  scheme: Scheme,
  path: string,
  notes: Notes,
): CompiledRelease[] {
  const seen = new Set<string>();
  const releases: CompiledRelease[] = [];
  for (const [i, release] of software.releases.entries()) {
    const at = `${path}.releases[${i}]`;
    const key = scheme.parse(release.version);
    if (key === undefined) {
      notes.error(`${at}.version`, `"${release.version}" is no ${scheme.name} version`);
      continue;
    }
    if (seen.has(release.version)) {
      notes.error(`${at}.version`, `${software.id} ${release.version} stands here twice`);
      continue;
    }
    seen.add(release.version);
    releases.push(compileRelease(software, release, key, at, notes));
  }
  return releases.sort((a, b) => compareVersions(scheme, a, b));
}

function compileRelease(
  software: SoftwareProduct,
  release: Release,
  key: CompiledRelease['key'],
  path: string,
  notes: Notes,
): CompiledRelease {
  return {
    version: release.version,
    key,
    status: release.status ?? 'released',
    from: release.from,
    downgradeFrom: release.downgradeFrom,
    fixes: release.fixes ?? [],
    rules: compileRules(`${software.id}@${release.version}`, release, path, notes),
  };
}

function compileProducts(catalog: Catalog, notes: Notes): Product[] {
  const seen = new Set<string>();
  const products: Product[] = [];
  for (const [i, software] of (catalog.software ?? []).entries()) {
    const path = `$.software[${i}]`;
    const identity = JSON.stringify([software.id, software.vendor ?? null]);
    if (seen.has(identity)) {
      const by = software.vendor === undefined ? '' : ` by ${software.vendor}`;
      notes.error(`${path}.id`, `software ${software.id}${by} stands here twice`);
      continue;
    }
    seen.add(identity);
    const scheme = schemeOf(
      software.scheme ?? 'semver',
      software.releases.map(({ version }) => version),
    );
    const releases = compileReleases(software, scheme, path, notes);
    products.push({
      index: products.length,
      id: software.id,
      vendor: software.vendor,
      scheme,
      on: compilePlacement(software.on, `${path}.on`, notes),
      releases,
      versions: new VersionTable(scheme, releases),
    });
  }
  return products;
}

function compileSlot(slot: Slot, path: string, notes: Notes): CompiledSlot {
  const min = slot.min ?? 0;
  const max = slot.max ?? Number.POSITIVE_INFINITY;
  if (min > max) notes.error(path, `min ${min} is above max ${max}`);
  return {
    kind: slot.kind,
    models: new Set(slot.models),
    modelList: slot.models,
    min,
    max,
    text: slotText(slot),
  };
}

function compileApparatus(model: ApparatusModel, path: string, notes: Notes): CompiledApparatus {
  return {
    model: model.model,
    transactional: model.transactional === true,
    slots: model.slots?.map((slot, i) => compileSlot(slot, `${path}.slots[${i}]`, notes)),
    rules: compileRules(model.model, model, path, notes),
  };
}

/** Compiles entries that must be unique per model, and reports duplicates. */
function byModel<T extends { model: string }, C>(
  list: readonly T[] | undefined,
  name: string,
  notes: Notes,
  compile: (entry: T, path: string) => C,
): Map<string, C> {
  const compiled = new Map<string, C>();
  for (const [i, entry] of (list ?? []).entries()) {
    const path = `$.${name}[${i}]`;
    if (compiled.has(entry.model)) notes.error(`${path}.model`, `model ${entry.model} stands here twice`);
    else compiled.set(entry.model, compile(entry, path));
  }
  return compiled;
}

/**
 * Compiles a catalog that has passed its schema.
 * With a diagnostic of severity `error` the tables are incomplete and must not be used.
 */
export function compileCatalog(document: Catalog): { catalog: CompiledCatalog; diagnostics: Diagnostic[] } {
  const notes = new Notes();
  const products = compileProducts(document, notes);
  const productsOf = new Map<string, Product[]>();
  for (const product of products) {
    const sharing = productsOf.get(product.id);
    if (sharing) sharing.push(product);
    else productsOf.set(product.id, [product]);
  }
  const catalog: CompiledCatalog = {
    name: document.catalog,
    products,
    productsOf,
    apparatus: byModel(document.apparatus, 'apparatus', notes, (entry, path) =>
      compileApparatus(entry, path, notes),
    ),
    units: byModel(document.units, 'units', notes, (entry, path) =>
      compileRules(entry.model, entry, path, notes),
    ),
  };
  diagnoseTables(document, catalog, notes.list);
  return { catalog, diagnostics: notes.list };
}
