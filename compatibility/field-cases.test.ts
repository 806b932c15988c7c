/**
 * Cases from real printers, with the explanation that an operator should read.
 */
import { readFileSync } from 'node:fs';
import { checkSchema } from '../schemas/validate.ts';
import {
  type ChooseOptions,
  choose,
  compileCatalog,
  judge,
  type PrinterStructureLike,
  type UnitLike,
} from './index.ts';

const sample = new URL('../deploy/samples/catalog.json', import.meta.url);
const { catalog, diagnostics } = compileCatalog(
  checkSchema('catalog', JSON.parse(readFileSync(sample, 'utf8'))),
);

function printer(
  model: string,
  software: Record<string, string>,
  units: UnitLike[] = [],
): PrinterStructureLike {
  const installed = Object.entries(software).map(([id, version]) => ({ id, version }));
  return { apparatus: { model, software: installed }, units };
}

function seen(structure: PrinterStructureLike, options?: ChooseOptions) {
  const { status, findings } = judge(catalog, structure);
  return {
    status,
    messages: findings.map(({ message }) => message),
    choice: choose(catalog, structure, options),
  };
}

test('the sample catalog has nothing wrong', () => {
  expect(diagnostics).toEqual([]);
});

test('Canon: an A1 finisher stops the machine until the main software is updated', () => {
  const finisher: UnitLike = { symbol: 'finisher', kind: 'finisher', model: 'A1' };
  const { messages, choice } = seen(printer('C5850', { 'canon.main': '10.02' }, [finisher]));
  expect(messages).toEqual([
    'finisher: A1 requires canon.main >=30.01 (because with older main software the machine stops with E000720-0001), but apparatus:canon.main is 10.02.',
  ]);
  expect(choice.remedy?.steps).toEqual([['apparatus:canon.main', '30.05']]);
});

test('Ricoh: a finisher board takes the next letter, never another base number', () => {
  const board = (version: string): PrinterStructureLike =>
    printer('MP C3003', {}, [
      {
        symbol: 'finisher',
        kind: 'finisher',
        model: 'SR3120',
        software: [{ id: 'ricoh.finisher', version }],
      },
    ]);
  const wish = (range: string): ChooseOptions => ({ require: { 'ricoh.finisher': range } });
  expect(seen(board('D0875572C'), wish('>D0875572C <D0875573')).choice.remedy?.steps).toEqual([
    ['finisher:ricoh.finisher', 'D0875572D'],
  ]);
  // Another base number means software for another finisher.
  const { messages, choice } = seen(
    printer('MP C3003', {}, [
      {
        symbol: 'finisher',
        kind: 'finisher',
        model: 'SR3120',
        hardware: '1',
        software: [{ id: 'ricoh.finisher-d127', version: 'D1275572B' }],
      },
    ]),
  );
  expect(messages).toEqual([
    'ricoh.finisher-d127 runs on finisher SR3130, but finisher is SR3120 of hardware 1.',
  ]);
  expect(choice.remedy?.structure).toEqual([
    {
      symbol: 'finisher',
      replace: 'SR3120',
      with: 'SR3130',
      software: [{ id: 'ricoh.finisher-d127', version: 'D1275572B' }],
    },
  ]);
});

test('Ricoh MP1100: the engine software goes first', () => {
  const machine = printer('MP1100', { 'ricoh.system': '1.05', 'ricoh.engine': '1.10' });
  const { choice } = seen(machine, { require: { 'ricoh.system': '2.01' } });
  expect(choice.remedy?.steps).toEqual([
    ['apparatus:ricoh.engine', '2.00'],
    ['apparatus:ricoh.system', '2.01'],
  ]);
  const held = seen(machine, {
    require: { 'ricoh.system': '2.01' },
    pins: { 'apparatus:ricoh.engine': '1.10' },
  }).choice;
  expect(held.outcome).toBe('impossible');
  expect(held.explanation).toBe(
    'apparatus:ricoh.engine is pinned to 1.10, so apparatus:ricoh.engine must be 1.10. 2.01 is wanted of ricoh.system, so apparatus:ricoh.system must be 2.01. apparatus:ricoh.system 2.01 requires ricoh.engine >=2.00 (with older engine software it hangs at "please wait"), but apparatus:ricoh.engine can only be 1.10.',
  );
  expect(held.suggestions?.map(({ text }) => text)).toEqual([
    'It would be possible without the wish for ricoh.system 2.01.',
    'It would be possible without the pin of apparatus:ricoh.engine 1.10.',
  ]);
});

test('Konica Minolta: a 64-layer SSD needs storage controller software G01-08', () => {
  const ssd: UnitLike = { symbol: 'storage', kind: 'storage', model: 'SSD-64L' };
  const { messages, choice } = seen(printer('bizhub C360i', { 'km.storage-controller': 'G01-07' }, [ssd]));
  expect(messages[0]).toContain('because G01-07 cannot drive 64-layer flash');
  expect(choice.remedy?.software).toEqual([
    { subject: 'apparatus:km.storage-controller', from: 'G01-07', to: 'G01-08' },
  ]);
});

test('HP M9040: the bundle takes a newer Jetdirect along, and its own fax modem even over a newer one', () => {
  const machine = printer('LaserJet M9040', {
    'hp.bundle': '51.060',
    'hp.jetdirect': '41.01',
    'hp.fax': '3.20',
  });
  const { choice } = seen(machine, { require: { 'hp.bundle': '51.080' } });
  expect(choice.cost).toEqual([0, 1, 2]);
  expect(choice.remedy?.steps).toEqual([
    ['apparatus:hp.fax', '3.10'],
    ['apparatus:hp.bundle', '51.080'],
  ]);
});

test('JetCAPS: a third party’s BarDIMM needs the printer’s own firmware 04.xxx', () => {
  const dimm: UnitLike = {
    symbol: 'dimm',
    kind: 'dimm',
    model: 'BarDIMM',
    software: [{ id: 'jetcaps.bardimm', vendor: 'jetcaps', version: '2.1' }],
  };
  const { status, choice } = seen(printer('LaserJet 4200', { 'hp.firmware': '03.100' }, [dimm]));
  expect(status).toBe('incompatible');
  expect(choice.remedy?.steps).toEqual([['apparatus:hp.firmware', '04.260']]);
});

test('a spare finisher is switched to before anything is bought', () => {
  const unit = (symbol: string, model: string, state?: 'spare'): UnitLike => ({
    symbol,
    kind: 'finisher',
    model,
    state,
  });
  const engine: UnitLike = {
    symbol: 'engine',
    kind: 'engine',
    model: 'EN-36',
    hardware: '1.1',
    software: [{ id: 'acme.engine', version: '2.4.0' }],
  };
  const machine = printer('C360', { 'acme.controller': '3.0.0' }, [
    engine,
    unit('finisher.1', 'FS-540'),
    unit('finisher.2', 'FS-539', 'spare'),
  ]);
  const { choice } = seen(machine, { pins: { 'acme.controller': '3.0.0' } });
  expect(choice.remedy?.structure).toEqual([{ symbol: 'finisher.1', switchTo: 'finisher.2' }]);
  expect(choice.cost).toEqual([0, 0, 0]);
});
