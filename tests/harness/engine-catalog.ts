/**
 * The catalog of the campaign tests: one printer model with a controller, and an engine whose releases a test chooses.
 */
import type { Catalog } from '../../schemas/types.ts';

type Release = NonNullable<Catalog['software']>[number]['releases'][number];

const CONTROLLER = { id: 'acme.controller', vendor: 'acme', version: '3.1.0' };

export function engineCatalog(catalog: string, releases: Release[]) {
  return {
    catalog,
    apparatus: [{ model: 'C360', slots: [{ kind: 'engine', models: ['EN-36'], min: 1, max: 1 }] }],
    units: [{ model: 'EN-36', kind: 'engine' }],
    software: [
      {
        id: CONTROLLER.id,
        vendor: CONTROLLER.vendor,
        scheme: 'semver',
        releases: [{ version: CONTROLLER.version }],
      },
      { id: 'acme.engine', vendor: 'acme', scheme: 'semver', releases },
    ],
  } satisfies Catalog;
}

/** Such printers in a scenario, with the engine version they start with. */
export function enginePrinters(engine: string) {
  return {
    apparatus: { model: 'C360', software: [CONTROLLER] },
    units: [
      {
        symbol: 'engine',
        kind: 'engine',
        model: 'EN-36',
        software: [{ id: 'acme.engine', vendor: 'acme', version: engine }],
      },
    ],
  };
}
