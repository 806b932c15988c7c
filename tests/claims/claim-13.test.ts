import { printerTopic } from '../../schemas/topics.ts';
import type { Verdict } from '../../schemas/types.ts';
import { sampleStructure, TestPrinter } from '../harness/printer.ts';
import { useProduct } from '../harness/setting.ts';

// Claim 13: where the structure doesn't fit, the center notifies the printer or unit.
const setting = useProduct();

const unfit = sampleStructure({
  units: sampleStructure().units.map((unit) =>
    unit.symbol === 'finisher.1' ? { ...unit, model: 'FS-999' } : unit,
  ),
});
const topic = printerTopic.verdict('claim-13');

test('the printer is told which unit does not fit and why; operators hear it too', async () => {
  const ear = await setting.listen('platen/v1/fleet/events/verdict');
  const printer = await setting.printer('claim-13');
  await printer.structure(unfit);
  const verdict = await printer.verdictOn(1);
  expect(verdict.status).toBe('incompatible');
  expect(verdict.findings).toHaveLength(1);
  const [finding] = verdict.findings;
  expect(finding?.subjects).toContain('finisher.1');
  expect(finding?.message).toContain('FS-999');
  expect(finding?.message).toContain('C360');
  expect(await ear.hear('platen/v1/fleet/events/verdict')).toMatchObject({
    what: 'incompatible',
    printer: 'claim-13',
  });
});

test('the notice is a state: a printer that was away finds it when it connects', async () => {
  const { password } = await setting.operator.call('printers.enroll', { printer: 'claim-13', again: true });
  const printer = await TestPrinter.connect(setting.product.mqtt, 'claim-13', String(password));
  expect(await printer.hear<Verdict>(topic)).toMatchObject({ status: 'incompatible' });
  expect(printer.ear.heard.every(({ retained }) => retained)).toBe(true);
  await printer.close();
});

test('nobody changed the printer, the catalog changed: it is told all the same', async () => {
  const printer = await setting.printer('claim-13b');
  await printer.structure(sampleStructure());
  expect(await printer.verdictOn(1)).toMatchObject({ status: 'compatible', catalog: '2026-11-22.1' });
  const { document } = await setting.operator.call('catalog.get');
  const catalog = structuredClone(document) as { catalog: string; units: object[] };
  catalog.catalog = '2026-11-22.2';
  catalog.units.push({
    model: 'FS-539',
    kind: 'finisher',
    requires: [{ software: 'acme.engine', range: '>=2.6.0', because: 'the new staple cartridge needs it' }],
  });
  await setting.operator.call('catalog.put', { document: catalog });
  const verdict = await printer.verdictOn(1);
  expect(verdict).toMatchObject({ status: 'incompatible', catalog: '2026-11-22.2' });
  expect(verdict.findings[0]?.message).toContain('staple cartridge');
});
