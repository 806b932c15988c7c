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
    confirm: { limit: async () => 50, hold: async () => {} },
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
