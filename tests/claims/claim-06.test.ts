import { printerTopic } from '../../schemas/topics.ts';
import type { Verdict } from '../../schemas/types.ts';
import { sampleStructure, type TestPrinter } from '../harness/printer.ts';
import { useProduct } from '../harness/setting.ts';

// Claim 6: the printer sends the structure of its units; the center judges printer↔unit and unit↔unit.
const setting = useProduct();
let printer: TestPrinter;

beforeAll(async () => {
  printer = await setting.printer('claim-6');
});

test('a structure whose parts fit is compatible', async () => {
  await printer.structure(sampleStructure({ revision: 1 }));
  expect(await printer.verdictOn(1)).toMatchObject({ status: 'compatible', findings: [] });
});

test('a unit that the printer does not take is found (printer↔unit)', async () => {
  const units = sampleStructure().units.map((unit) =>
    unit.symbol === 'finisher.1' ? { ...unit, model: 'FS-999' } : unit,
  );
  await printer.structure(sampleStructure({ revision: 2, reason: 'change', units }));
  const verdict = await printer.verdictOn(2);
  expect(verdict.status).toBe('incompatible');
  expect(verdict.findings).toEqual([
    expect.objectContaining({ subjects: expect.arrayContaining(['finisher.1']), severity: 'boot' }),
  ]);
});

test('a unit that another unit cannot work with is found (unit↔unit)', async () => {
  const units = [
    ...sampleStructure({}).units.map((unit) => ({
      ...unit,
      software: unit.software?.map((software) => ({ ...software, version: '2.6.1' })),
    })),
    { symbol: 'feeder.1', kind: 'feeder', model: 'PF-1', serial: 'P-1', hardware: '1', software: [] },
  ];
  await printer.structure(sampleStructure({ revision: 3, reason: 'change', units }));
  const verdict = await printer.verdictOn(3);
  expect(verdict.status).toBe('incompatible');
  expect(verdict.findings).toEqual([
    expect.objectContaining({ subjects: ['engine:acme.engine', 'feeder.1'] }),
  ]);
});

test('a unit that the software of the apparatus cannot drive is found', async () => {
  const units = sampleStructure().units.map((unit) =>
    unit.symbol === 'finisher.1' ? { ...unit, model: 'FS-540' } : unit,
  );
  await printer.structure(sampleStructure({ revision: 4, reason: 'change', units }));
  const verdict = await printer.verdictOn(4);
  expect(verdict.status).toBe('incompatible');
  expect(verdict.findings[0]?.rule).toContain('FS-540');
  expect(verdict.findings[0]?.message).toContain('finisher protocol 4');
});

test('a version that is not known is unknown, never compatible', async () => {
  const units = sampleStructure().units.map((unit) => ({
    ...unit,
    software: unit.software?.map(({ id, vendor }) => ({ id, vendor })),
  }));
  await printer.structure(sampleStructure({ revision: 5, reason: 'change', units }));
  expect(await printer.verdictOn(5)).toMatchObject({ status: 'unknown', findings: [] });
});

test('a verdict names the revision and the catalog that it is made of, also when nothing but their names is new', async () => {
  const structure = sampleStructure({ revision: 6, reason: 'change' });
  await printer.structure(structure);
  const first = await printer.verdictOn(6);
  // A revision without changes.
  await printer.structure({ ...structure, revision: 7, reason: 'periodic' });
  expect(await printer.verdictOn(7)).toMatchObject({ status: first.status, catalog: first.catalog });
  // A catalog without changes except its name.
  const { document } = await setting.operator.call('catalog.get');
  await setting.operator.call('catalog.put', {
    document: { ...(document as object), catalog: 'named-anew' },
  });
  const under = await printer.hear<Verdict>(
    printerTopic.verdict(printer.id),
    ({ catalog }) => catalog === 'named-anew',
  );
  expect(under).toMatchObject({ status: first.status, structure: { revision: 7 } });
});
