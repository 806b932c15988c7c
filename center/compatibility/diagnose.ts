/**
 * What can be found wrong with a whole catalog, once its parts are compiled.
 */
import type { Catalog, Constraint } from '../../schemas/types.ts';
import type { CompiledCatalog, Product } from './tables.ts';
import type { Diagnostic } from './types.ts';
import { markRange } from './versions.ts';

/** Marks of a range over the releases of a product, kept for the next time. @throws Error when it is no range */
export function marksOf(product: Product, range: string): Uint8Array {
  let marks = product.marks.get(range);
  if (!marks) {
    marks = markRange(product.scheme, range, product.keys, product.indexOf);
    product.marks.set(range, marks);
  }
  return marks;
}

/** Walks every constraint of the document with its JSON path. */
function* constraintsOf(document: Catalog): Generator<[string, Constraint]> {
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
        yield [`${path}.${kind}[${k}]`, constraint];
      }
    }
  }
}

function checkConstraint(
  path: string,
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
    diagnostics.push({
      path: `${path}.software`,
      severity: 'warning',
      message: `there is no software ${constraint.software}${by} in the catalog`,
    });
    return;
  }
  if (constraint.range === undefined) return;
  let inside = false;
  for (const product of products) {
    try {
      inside = marksOf(product, constraint.range).includes(1) || inside;
    } catch (error) {
      diagnostics.push({ path: `${path}.range`, severity: 'error', message: (error as Error).message });
      return;
    }
  }
  if (!inside) {
    diagnostics.push({
      path: `${path}.range`,
      severity: 'warning',
      message: `no release of ${constraint.software} is in this range`,
    });
  }
}

/** Adds what is wrong between the parts of a catalog to `diagnostics`. */
export function diagnoseTables(document: Catalog, catalog: CompiledCatalog, diagnostics: Diagnostic[]): void {
  for (const [path, constraint] of constraintsOf(document)) {
    checkConstraint(path, constraint, catalog, diagnostics);
  }
  for (const [i, software] of (document.software ?? []).entries()) {
    const product = catalog.productsOf.get(software.id)?.find((each) => each.vendor === software.vendor);
    if (!product) continue;
    for (const [j, release] of software.releases.entries()) {
      for (const name of ['from', 'downgradeFrom'] as const) {
        const range = release[name];
        if (range === undefined) continue;
        try {
          marksOf(product, range);
        } catch (error) {
          diagnostics.push({
            path: `$.software[${i}].releases[${j}].${name}`,
            severity: 'error',
            message: (error as Error).message,
          });
        }
      }
    }
  }
}
