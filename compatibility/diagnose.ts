/**
 * Finds errors across a whole catalog, once its parts are compiled.
 */
import { didYouMean, nearestNames } from '../schemas/nearest-name.ts';
import type { Catalog, Constraint, SoftwareProduct } from '../schemas/types.ts';
import { type Span, spanHas, spanStartsBefore } from './spans.ts';
import type { CompiledCatalog, Product } from './tables.ts';
import type { Diagnostic } from './types.ts';

/** Walks every constraint of the document with its JSON path. */
function* constraintsOf(document: Catalog): Generator<[() => string, Constraint]> {
  const declarers: [string, { requires?: Constraint[]; conflicts?: Constraint[] }][] = [
    ...(document.apparatus ?? []).map((entry, i) => [`$.apparatus[${i}]`, entry] as const),
    ...(document.units ?? []).map((entry, i) => [`$.units[${i}]`, entry] as const),
  ].map(([path, entry]) => [path, entry]);
  for (const [i, software] of (document.software ?? []).entries()) {
    for (const [j, release] of software.releases.entries()) {
      declarers.push([`$.software[${i}].releases[${j}]`, release]);
    }
  }
  for (const [path, declarer] of declarers) {
    for (const kind of ['requires', 'conflicts'] as const) {
      for (const [k, constraint] of (declarer[kind] ?? []).entries()) {
        yield [() => `${path}.${kind}[${k}]`, constraint];
      }
    }
  }
}

/** Shorter names are all similar to each other. */
const SLIP_CHARACTERS_MIN = 4;
/** After this many diagnostics no nearest names are searched: a catalog may have a hundred thousand names. */
const NEAREST_DIAGNOSTICS_MAX = 20;

/**
 * Reports a name that occurs nowhere else in the catalog: an error when a known name is one typing error away, because
 * then that was probably meant; otherwise a warning, because a catalog need not list everything that it mentions. Names
 * that differ only in digits don't count as typing errors, because series are named so.
 */
function tellUnknownName(
  diagnostics: Diagnostic[],
  path: string,
  message: string,
  name: string,
  known: readonly string[],
): void {
  if (diagnostics.length >= NEAREST_DIAGNOSTICS_MAX) {
    diagnostics.push({ path, severity: 'warning', message });
    return;
  }
  const letters = (text: string): string => text.replace(/\d+/g, '');
  const slip =
    name.length >= SLIP_CHARACTERS_MIN &&
    nearestNames(name, known).some((near) => letters(near) !== letters(name));
  const severity = slip ? 'error' : 'warning';
  diagnostics.push({ path, severity, message: `${message}${didYouMean(name, known)}` });
}

function checkConstraint(
  path: () => string,
  constraint: Constraint,
  catalog: CompiledCatalog,
  diagnostics: Diagnostic[],
): void {
  if (constraint.software === undefined) return;
  const products = (catalog.productsOf.get(constraint.software) ?? []).filter(
    (product) =>
      constraint.vendor === undefined || product.vendor === undefined || product.vendor === constraint.vendor,
  );
  if (products.length === 0) {
    const by = constraint.vendor === undefined ? '' : ` by ${constraint.vendor}`;
    const message = `there is no software ${constraint.software}${by} in the catalog`;
    // If the id exists for another vendor, it isn't mistyped.
    const known = catalog.productsOf.has(constraint.software) ? [] : [...catalog.productsOf.keys()];
    tellUnknownName(diagnostics, `${path()}.software`, message, constraint.software, known);
    return;
  }
  if (constraint.range === undefined) return;
  let inside = false;
  for (const product of products) {
    try {
      inside = product.versions.span(constraint.range).length > 0 || inside;
    } catch (error) {
      diagnostics.push({ path: `${path()}.range`, severity: 'error', message: (error as Error).message });
      return;
    }
  }
  if (!inside) {
    diagnostics.push({
      path: `${path()}.range`,
      severity: 'warning',
      message: `no release of ${constraint.software} is in this range`,
    });
  }
}

/** Known models: in a slot, with rules of their own, or as an apparatus. */
function knownModels(document: Catalog): {
  units: Set<string>;
  apparatus: Set<string>;
  slotted: Set<string>;
} {
  const slotted = new Set<string>();
  for (const { slots } of document.apparatus ?? []) {
    for (const { models } of slots ?? []) for (const model of models) slotted.add(model);
  }
  const units = new Set([...slotted, ...(document.units ?? []).map(({ model }) => model)]);
  return { units, slotted, apparatus: new Set((document.apparatus ?? []).map(({ model }) => model)) };
}

/** Every place that names a kind of unit, apart from slots. */
function* kindsNamed(document: Catalog): Generator<[path: string, kind: string]> {
  for (const [path, { kind }] of constraintsOf(document))
    if (kind !== undefined) yield [`${path()}.kind`, kind];
  for (const [i, { kind }] of (document.units ?? []).entries()) {
    if (kind !== undefined) yield [`$.units[${i}].kind`, kind];
  }
  for (const [i, { on }] of (document.software ?? []).entries()) {
    if (on?.kind !== undefined) yield [`$.software[${i}].on.kind`, on.kind];
  }
}

/** Kinds that a printer of this catalog can have: those of slots, or without slots those named more than once. */
function knownKinds(document: Catalog): string[] {
  const slots = (document.apparatus ?? []).flatMap((apparatus) => apparatus.slots ?? []);
  if (slots.length > 0) return [...new Set(slots.map(({ kind }) => kind))];
  const counts = new Map<string, number>();
  for (const [, kind] of kindsNamed(document)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return [...counts].filter(([, count]) => count > 1).map(([kind]) => kind);
}

/** Checks that every kind is one that a printer of this catalog can have. */
function checkKinds(document: Catalog, diagnostics: Diagnostic[]): void {
  const known = knownKinds(document);
  if (known.length === 0) return;
  const all = new Set([...known, 'apparatus']);
  for (const [path, kind] of kindsNamed(document)) {
    if (all.has(kind)) continue;
    tellUnknownName(diagnostics, path, `there is no unit of kind ${kind} in the catalog`, kind, [...all]);
  }
}

/** Checks that slots name the kinds of the units that they accept, and that none names a kind by a typing error. */
function checkSlotKinds(document: Catalog, diagnostics: Diagnostic[]): void {
  const kindOf = new Map((document.units ?? []).map(({ model, kind }) => [model, kind]));
  const slots = (document.apparatus ?? []).flatMap(({ slots = [] }, i) =>
    slots.map((slot, j) => ({ ...slot, path: `$.apparatus[${i}].slots[${j}].kind` })),
  );
  const slotted = new Set(slots.map(({ kind }) => kind));
  const used = new Map<string, number>();
  for (const { kind } of slots) used.set(kind, (used.get(kind) ?? 0) + 1);
  for (const [, kind] of kindsNamed(document)) used.set(kind, (used.get(kind) ?? 0) + 1);
  for (const { path, kind, models } of slots) {
    // A kind that no slot names is told at its unit.
    const other = models.find((model) => kindOf.get(model) !== kind && slotted.has(kindOf.get(model) ?? ''));
    if (other !== undefined) {
      const message = `a slot of kind ${kind} accepts ${other}, which is a unit of kind ${kindOf.get(other)}`;
      diagnostics.push({ path, severity: 'error', message });
      continue;
    }
    const others = [...used.keys()].filter((each) => (used.get(each) ?? 0) > 1);
    if (used.get(kind) === 1 && nearestNames(kind, others).length > 0) {
      tellUnknownName(diagnostics, path, `only this slot names a kind ${kind}`, kind, others);
    }
  }
}

function checkModels(document: Catalog, diagnostics: Diagnostic[]): void {
  const { units, apparatus, slotted } = knownModels(document);
  const anyModel = [...units, ...apparatus];
  // Models of one maker often differ in a single digit: the nearest is mentioned, without a conclusion.
  const warn = (path: string, message: string, model: string, known: Iterable<string>): void => {
    const meant = diagnostics.length < NEAREST_DIAGNOSTICS_MAX ? didYouMean(model, known) : '';
    diagnostics.push({ path, severity: 'warning', message: `${message}${meant}` });
  };
  for (const [path, { model, kind, apparatus: models }] of constraintsOf(document)) {
    const known = kind === 'apparatus' ? apparatus : units;
    if (model !== undefined && known.size > 0 && !known.has(model)) {
      warn(`${path()}.model`, `there is no model ${model} in the catalog`, model, known);
    }
    for (const [i, name] of (models ?? []).entries()) {
      if (!apparatus.has(name))
        warn(`${path()}.apparatus[${i}]`, `there is no apparatus ${name} in the catalog`, name, apparatus);
    }
  }
  for (const [i, { model }] of (document.units ?? []).entries()) {
    if (slotted.size > 0 && !slotted.has(model))
      warn(`$.units[${i}].model`, `no slot accepts ${model}`, model, slotted);
  }
  for (const [i, { id, on }] of (document.software ?? []).entries()) {
    for (const [j, model] of (on?.models ?? []).entries()) {
      if (units.size + apparatus.size > 0 && !units.has(model) && !apparatus.has(model)) {
        warn(
          `$.software[${i}].on.models[${j}]`,
          `${id} runs on ${model}, which is not in the catalog`,
          model,
          anyModel,
        );
      }
    }
  }
}

/** Checks that `from` and `downgradeFrom` are ranges, and that steps lead to each release. */
function checkSteps(
  path: string,
  software: SoftwareProduct,
  product: Product,
  diagnostics: Diagnostic[],
): void {
  const pathOf = new Map(software.releases.map(({ version }, j) => [version, `${path}.releases[${j}]`]));
  const sources = product.releases.map((release): Span | undefined => {
    const spans: (Span | undefined)[] = [];
    for (const name of ['from', 'downgradeFrom'] as const) {
      const range = release[name];
      try {
        spans.push(range === undefined ? undefined : product.versions.span(range));
      } catch (error) {
        const at = `${pathOf.get(release.version)}.${name}`;
        diagnostics.push({ path: at, severity: 'error', message: (error as Error).message });
      }
    }
    return spans[0];
  });
  /** Whether no older release leads to a release. */
  const isStranded = (i: number): boolean => sources[i] !== undefined && !spanStartsBefore(sources[i], i);
  for (const [i, release] of product.releases.entries()) {
    const at = pathOf.get(release.version)!;
    const next = product.releases[i + 1];
    if (next && product.scheme.compare(release.key, next.key) === 0) {
      const message = `${release.version} and ${next.version} are equal in the ${product.scheme.name} order`;
      diagnostics.push({ path: `${pathOf.get(next.version)}.version`, severity: 'warning', message });
    }
    if (i === 0 || release.status === 'withdrawn' || !isStranded(i)) continue;
    const newer = [...product.releases.keys()].filter((j) => j > i && spanHas(sources[i]!, j));
    const circle = newer.find((j) => sources[j]?.length === 2 && sources[j][0] === i && sources[j][1] === i);
    const versionOf = (j: number): string => product.releases[j]!.version;
    let why = 'no older release is in this range';
    if (circle !== undefined) {
      why = `it is reached only from ${versionOf(circle)}, which is reached only from it: a cycle`;
    } else if (newer.length > 0) why = `only newer releases (${versionOf(newer[0]!)}) are in this range`;
    const message = `nobody can reach ${product.id} ${release.version}: ${why}`;
    diagnostics.push({ path: `${at}.from`, severity: 'warning', message });
  }
}

/** Share of neighbours in one direction from which on the others count as errors. */
const ORDERED_SHARE_MIN = 0.75;
const ORDERED_RELEASES_MIN = 4;

/** Checks that the scheme orders linked releases as the list does, upwards or downwards. */
function checkOrder(
  path: string,
  { releases }: SoftwareProduct,
  product: Product,
  diagnostics: Diagnostic[],
): void {
  if (product.scheme.name === 'listed' || releases.length < ORDERED_RELEASES_MIN) return;
  const keys = releases.map(({ version }) => product.scheme.parse(version));
  const orders = releases.slice(1).map((_, i): number => {
    const [before, after] = [keys[i], keys[i + 1]];
    return before === undefined || after === undefined ? 0 : Math.sign(product.scheme.compare(before, after));
  });
  const falling = orders.filter((order) => order > 0).length;
  const rising = orders.filter((order) => order < 0).length;
  const direction = rising >= falling ? -1 : 1;
  const against = Math.min(rising, falling);
  if (against === 0 || Math.max(rising, falling) < ORDERED_SHARE_MIN * (rising + falling)) return;
  for (const [i, order] of orders.entries()) {
    if (order !== -direction) continue;
    const [first, second] = [releases[i]!, releases[i + 1]!];
    if (![first, second].some(({ from, fixes }) => from !== undefined || (fixes?.length ?? 0) > 0)) continue;
    const [older, newer] = direction < 0 ? [first, second] : [second, first];
    diagnostics.push({
      path: `${path}.releases[${i + 1}].version`,
      severity: 'warning',
      message: `by its place in the list ${newer.version} is newer than ${older.version}, but the ${product.scheme.name} order has it older, so that a step to it is a downgrade: if the list is right, use "scheme": "listed"`,
    });
  }
}

/** Adds errors between the parts of a catalog to `diagnostics`. */
export function diagnoseTables(document: Catalog, catalog: CompiledCatalog, diagnostics: Diagnostic[]): void {
  for (const [path, constraint] of constraintsOf(document)) {
    checkConstraint(path, constraint, catalog, diagnostics);
  }
  checkKinds(document, diagnostics);
  checkSlotKinds(document, diagnostics);
  checkModels(document, diagnostics);
  for (const [i, software] of (document.software ?? []).entries()) {
    const product = catalog.productsOf.get(software.id)?.find((each) => each.vendor === software.vendor);
    if (!product) continue;
    checkSteps(`$.software[${i}]`, software, product, diagnostics);
    checkOrder(`$.software[${i}]`, software, product, diagnostics);
  }
}
