import { printerTopic } from '../../schemas/topics.ts';
import type { Refused } from '../../schemas/types.ts';
import { sampleEntries, sampleStructure, type TestPrinter } from '../harness/printer.ts';
import { useProduct } from '../harness/setting.ts';

// Claim 5: every function and every unit has its own symbol that identifies it.
const setting = useProduct();
let printer: TestPrinter;

beforeAll(async () => {
  printer = await setting.printer('claim-5');
});

const finisher = (symbol: string, model: string, serial: string) => ({
  symbol,
  kind: 'finisher',
  model,
  serial,
  hardware: '1',
  software: [],
});
const engine = sampleStructure().units[0]!;

test('two units of one kind are told apart by their symbols', async () => {
  const units = [engine, finisher('finisher.1', 'FS-539', 'F-1'), finisher('finisher.2', 'FS-999', 'F-2')];
  await printer.structure(sampleStructure({ revision: 1, units }));
  const verdict = await printer.verdictOn(1);
  expect(verdict.status).toBe('incompatible');
  expect(verdict.findings.flatMap(({ subjects }) => subjects)).toContain('finisher.2');
  expect(verdict.findings.flatMap(({ subjects }) => subjects)).not.toContain('finisher.1');
});

test('an entry of the log names the unit by its symbol', async () => {
  await printer.errors({
    entries: [...sampleEntries(1, 1), ...sampleEntries(2, 2, { unit: 'finisher.2' })],
  });
  const { items } = await setting.operator.call('printers.errors', { printer: 'claim-5' });
  expect(items).toMatchObject([
    { seq: 2, unit: 'finisher.2' },
    { seq: 1, unit: 'finisher.1' },
  ]);
});

test.each([
  ['a symbol that is there twice', [engine, finisher('x', 'FS-539', 'F-1'), finisher('x', 'FS-539', 'F-2')]],
  ['the symbol of the apparatus', [engine, finisher('apparatus', 'FS-539', 'F-1')]],
])('%s is refused, and what was known stays', async (_what, units) => {
  await printer.structure(sampleStructure({ revision: 9, units }));
  const refused = await printer.hear<Refused>(printerTopic.refused('claim-5'));
  expect(refused).toMatchObject({
    topic: printerTopic.structure('claim-5'),
    code: 'payload/duplicate-symbol',
  });
  const { structure } = await setting.operator.call('printers.get', { printer: 'claim-5' });
  expect(structure).toMatchObject({ revision: 1 });
});
