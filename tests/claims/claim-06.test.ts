import { printerTopic } from '../../schemas/topics.ts';
import type { Verdict } from '../../schemas/types.ts';
import { sampleStructure, TestPrinter } from '../harness/printer.ts';
import { type RunningProduct, startProduct } from '../harness/product.ts';
import { putSampleCatalog } from '../harness/samples.ts';

// Claim 6: the printer sends the structure of its units; the center judges printer↔unit and unit↔unit.
let product: RunningProduct;
let printer: TestPrinter;

beforeAll(async () => {
  product = await startProduct();
  const operator = await product.operator();
  await putSampleCatalog(operator);
  const { password } = await operator.call('printers.enroll', { printer: 'claim-6' });
  printer = await TestPrinter.connect(product.mqtt, 'claim-6', String(password));
});

afterAll(async () => {
  await printer?.close();
  expect(await product?.stop()).toBe(0);
});

const verdictOn = (revision: number) =>
  printer.hear<Verdict>(printerTopic.verdict('claim-6'), ({ structure }) => structure.revision === revision);

test('a structure whose parts fit is compatible', async () => {
  await printer.structure(sampleStructure({ revision: 1 }));
  expect(await verdictOn(1)).toMatchObject({ status: 'compatible', findings: [] });
});

test('a unit that the printer does not take is found (printer↔unit)', async () => {
  const units = sampleStructure().units.map((unit) =>
    unit.symbol === 'finisher.1' ? { ...unit, model: 'FS-999' } : unit,
  );
  await printer.structure(sampleStructure({ revision: 2, reason: 'change', units }));
  const verdict = await verdictOn(2);
  expect(verdict.status).toBe('incompatible');
  expect(verdict.findings).toEqual([
    expect.objectContaining({ subjects: expect.arrayContaining(['finisher.1']), severity: 'boot' }),
  ]);
});

test('a unit that another unit cannot work with is found (unit↔unit)', async () => {
  const units = sampleStructure().units.map((unit) =>
    unit.symbol === 'finisher.1' ? { ...unit, model: 'FS-540' } : unit,
  );
  await printer.structure(sampleStructure({ revision: 3, reason: 'change', units }));
  const verdict = await verdictOn(3);
  expect(verdict.status).toBe('incompatible');
  expect(verdict.findings[0]?.rule).toContain('FS-540');
  expect(verdict.findings[0]?.message).toContain('finisher protocol 4');
});
