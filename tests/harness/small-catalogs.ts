/** The smallest catalogs and printers that can show whether a sentence of the catalog's page holds. */

import {
  type ChooseOptions,
  choose,
  compileCatalog,
  type PrinterStructureLike,
  type UnitLike,
} from '../../compatibility/index.ts';
import type { Catalog, Constraint } from '../../schemas/types.ts';
import { checkSchema } from '../../schemas/validate.ts';

export function compile(parts: Partial<Catalog>) {
  const { catalog, diagnostics } = compileCatalog(checkSchema('catalog', { catalog: 'sentences', ...parts }));
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  return catalog;
}

export type Software = Record<string, string | undefined>;
export const listed = (software: Software) =>
  Object.entries(software).map(([id, version]) => ({ id, version }));

export function printer(software: Software = {}, units: UnitLike[] = []): PrinterStructureLike {
  return { apparatus: { model: 'A', software: listed(software) }, units };
}

export const unit = (symbol: string, more: Partial<UnitLike> = {}, software: Software = {}): UnitLike => ({
  symbol,
  kind: 'head',
  model: 'H1',
  ...more,
  software: listed(software),
});

export const releases = (...versions: string[]) => versions.map((version) => ({ version }));
export const HEAD = { id: 'head', releases: releases('1.0.0', '2.0.0') };

/** A catalog in which the apparatus declares one rule. */
export const ruled = (kind: 'requires' | 'conflicts', constraint: Constraint): Partial<Catalog> => ({
  apparatus: [{ model: 'A', [kind]: [constraint] }],
  software: [HEAD],
});
export const heads = (...versions: (string | undefined)[]) =>
  printer(
    {},
    versions.map((version, i) => unit(`h${i}`, {}, { head: version })),
  );
export const byUnit = (constraint: Constraint): Partial<Catalog> => ({
  units: [{ model: 'H1', requires: [constraint] }],
  software: [{ id: 'main', releases: releases('1.0.0', '2.0.0') }, HEAD],
});

export const slotted = (min: number, max: number): Partial<Catalog> => ({
  apparatus: [{ model: 'A', slots: [{ kind: 'head', models: ['H1', 'H2'], min, max }] }],
  software: [{ ...HEAD, on: { kind: 'head', models: ['H1'], hardware: '>=2' } }],
});

export const chosen = (parts: Partial<Catalog>, structure: PrinterStructureLike, options?: ChooseOptions) => {
  const { outcome, cost, remedy } = choose(compile(parts), structure, options);
  return {
    outcome,
    cost,
    to: remedy && Object.fromEntries(remedy.software.map(({ subject, to }) => [subject, to])),
    structure: remedy?.structure,
    steps: remedy?.steps,
  };
};

export const main = (status: 'released' | 'staged' | 'withdrawn', more: object = {}): Partial<Catalog> => ({
  apparatus: [{ model: 'A', requires: [{ software: 'main', range: '>=2' }] }],
  software: [
    {
      id: 'main',
      releases: [{ version: '1.0.0', ...more }, { version: '2.0.0', status }, { version: '3.0.0' }],
    },
  ],
});

export const exchangeable: Partial<Catalog> = {
  apparatus: [{ model: 'A', slots: [{ kind: 'head', models: ['H1', 'H2'], max: 1 }] }],
  units: [{ model: 'H1', requires: [{ software: 'main', range: '>=2' }] }],
  software: [{ id: 'main', releases: releases('1.0.0') }],
};

export const stepped = (requires: Constraint[], transactional: boolean): Partial<Catalog> => ({
  apparatus: [{ model: 'A', transactional, requires: [{ software: 'main', range: '2' }] }],
  software: [
    {
      id: 'main',
      releases: [
        { version: '1.0.0', requires: [{ software: 'head', range: '1' }] },
        { version: '2.0.0', requires },
      ],
    },
    { id: 'head', releases: releases('1.0.0', '2.0.0') },
  ],
});
