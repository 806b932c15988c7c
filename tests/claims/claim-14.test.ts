import type { Verdict } from '../../schemas/types.ts';
import { sampleStructure, type TestPrinter } from '../harness/printer.ts';
import { sample } from '../harness/samples.ts';
import { useProduct } from '../harness/setting.ts';

// Claim 14: … and names the fitting structure.
const setting = useProduct({ catalog: catalogWithTrays() });
let printer: TestPrinter;
let revision = 0;

/** The sample catalog, with a finisher FS-539 that conflicts with the feeder PF-1. */
function catalogWithTrays() {
  const catalog = sample('catalog.json') as { catalog: string; units: object[] };
  catalog.units.push({
    model: 'FS-539',
    kind: 'finisher',
    conflicts: [{ kind: 'feeder', model: 'PF-1', because: 'the PF-1 stands in its way' }],
  });
  return catalog;
}

beforeAll(async () => {
  printer = await setting.printer('claim-14');
});

const withModels = (...models: [kind: string, model: string][]) => [
  sampleStructure().units[0]!,
  ...models.map(([kind, model], index) => ({
    symbol: `${kind}.${index + 1}`,
    kind,
    model,
    serial: `S-${index}`,
    hardware: '2',
    software: [],
  })),
];

async function verdictOn(...models: [kind: string, model: string][]): Promise<Verdict> {
  revision += 1;
  await printer.structure(sampleStructure({ revision, reason: 'change', units: withModels(...models) }));
  return printer.verdictOn(revision);
}

test('a unit that does not fit is named together with the model that would', async () => {
  const verdict = await verdictOn(['finisher', 'FS-999']);
  expect(verdict.status).toBe('incompatible');
  // FS-540 would also need another controller, so FS-539 is the better choice.
  expect(verdict.remedy).toMatchObject({
    software: [],
    structure: [{ symbol: 'finisher.1', replace: 'FS-999', with: 'FS-539' }],
  });
});

test('of two units that cannot stand together the one is named whose replacement cures both', async () => {
  const verdict = await verdictOn(['finisher', 'FS-539'], ['feeder', 'PF-1']);
  expect(verdict.status).toBe('incompatible');
  expect(verdict.findings[0]?.message).toContain('stands in its way');
  expect(verdict.remedy?.structure).toEqual([
    expect.objectContaining({ symbol: 'feeder.2', replace: 'PF-1', with: 'PF-2' }),
  ]);
});

test('what the verdict names fits: built so, the printer is compatible', async () => {
  const verdict = await verdictOn(['finisher', 'FS-539'], ['feeder', 'PF-2']);
  expect(verdict).toMatchObject({ status: 'compatible', findings: [] });
});

test('where nothing fits, the smallest set of rules that cannot hold together is told', async () => {
  revision += 1;
  const units = withModels(['finisher', 'FS-539']).slice(1);
  await printer.structure(sampleStructure({ revision, reason: 'change', units }));
  const verdict = await printer.verdictOn(revision);
  expect(verdict.status).toBe('incompatible');
  expect(verdict.remedy).toBeUndefined();
  expect(verdict.explanation).toContain('engine');
});
