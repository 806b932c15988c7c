import type { Catalog } from '../../schemas/types.ts';
import { silent, type TestStore, testStore } from '../../tests/harness/orders.ts';
import { Catalogs } from './catalogs.ts';
import { Choosing } from './choosing.ts';

let test_: TestStore;
let choosing: Choosing;

beforeAll(async () => {
  test_ = await testStore();
  choosing = new Choosing(silent);
});
afterAll(async () => {
  await choosing.stop();
  await test_.close();
});

test('a catalog that an earlier version took stays in force, and is refused when it is put today', async () => {
  const document = {
    catalog: 'old',
    apparatus: [{ model: 'C360', slots: [{ kind: 'engine', models: ['EN-36'] }] }],
    software: [{ id: 'acme.engine', on: { kind: 'engin' }, releases: [{ version: '2.5.0' }] }],
  } as Catalog;
  const stored = { ...document, note: 'nobody read this' } as Catalog;
  await test_.store.documents.put('catalog', 'old', stored, 'ana');
  const catalogs = new Catalogs({
    documents: test_.store.documents,
    released: () => [],
    questions: {
      check: () => Promise.resolve(),
      impact: async () => ({
        from: '',
        to: '',
        printers: 0,
        changed: 0,
        misfits: 0,
        transitions: [],
        rules: [],
      }),
    },
    choosing,
    confirm: {
      limit: async () => 50,
      hold: async () => {},
      agree: async () => {},
      lastAgreed: async () => undefined,
    },
    conclude: () => undefined,
  });
  await catalogs.load();
  expect(catalogs.assessor.releasedVersions('acme.engine')).toEqual(['2.5.0']);
  const refusal = (changed: object) => catalogs.put({ ...document, catalog: 'new', ...changed }, 'ana');
  await expect(refusal({ note: 'x' })).rejects.toMatchObject({
    code: 'catalog/invalid',
    message: expect.stringContaining('unknown member "note" in /'),
  });
  await expect(refusal({})).rejects.toThrow(
    'there is no unit of kind engin in the catalog; did you mean "engine"?',
  );
});

test('misfits that wait for a person still count under a further catalog', async () => {
  const { documents, verdicts } = test_.store;
  const catalogNamed = (catalog: string, range?: string): Catalog => ({
    catalog,
    software: [
      { id: 'acme.engine', releases: [{ version: '2.5.0' }, { version: '2.6.0' }] },
      {
        id: 'acme.base',
        releases: [
          { version: '1.0.0', ...(range ? { requires: [{ software: 'acme.engine', range }] } : {}) },
        ],
      },
    ],
  });
  const requires = (document: Catalog | undefined) =>
    document?.software?.[1]?.releases[0]?.requires?.[0]?.range;
  const catalogs = new Catalogs({
    documents,
    released: () => [],
    questions: {
      check: () => Promise.resolve(),
      // 300 printers with an engine that no requirement allows: they become misfits where there was none before.
      impact: async (document, current) => ({
        from: current?.catalog ?? '',
        to: (document as Catalog).catalog,
        printers: 300,
        changed: 0,
        misfits: requires(document as Catalog) !== undefined && requires(current) === undefined ? 300 : 0,
        transitions: [],
        rules: [],
      }),
    },
    choosing,
    confirm: {
      limit: async () => 50,
      hold: (catalog, printers, most) => verdicts.holdCatalog(catalog, printers, most, new Date()),
      agree: (catalog) => verdicts.agreeToCatalog(catalog),
      lastAgreed: () => verdicts.lastAgreedCatalog(),
    },
    conclude: () => undefined,
  });
  const put = (catalog: Catalog, expect?: { printers: number }) => catalogs.put(catalog, 'ana', expect);
  expect(await put(catalogNamed('right'))).toMatchObject({ misfits: 0, corrections: 'automatic' });
  expect(await put(catalogNamed('wrong', '>=2.5.0'))).toMatchObject({ misfits: 300, corrections: 'propose' });
  // Another cure for the same misfits, before anybody agreed.
  const next = catalogNamed('wrong-2', '>=2.5.0');
  expect(await catalogs.impact(next)).toMatchObject({ from: 'wrong', misfits: 300 });
  expect(await put(next)).toMatchObject({ misfits: 300, corrections: 'propose' });
  // Somebody who knows how many there are agrees, also by putting the same again; then they count no more.
  expect(await put(next, { printers: 300 })).toMatchObject({ misfits: 300, corrections: 'automatic' });
  expect(await verdicts.isCatalogHeld('wrong-2')).toBe(false);
  expect(await put(catalogNamed('wrong-3', '>=2.6.0'))).toMatchObject({
    misfits: 0,
    corrections: 'automatic',
  });
});
