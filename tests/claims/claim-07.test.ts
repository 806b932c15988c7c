import { sampleStructure, type TestPrinter } from '../harness/printer.ts';
import { changesOf, useProduct } from '../harness/setting.ts';

// Claim 7: the structure holds each unit's serial number and installed software version.
const setting = useProduct();
let printer: TestPrinter;

beforeAll(async () => {
  printer = await setting.printer('claim-7');
  await printer.structure(sampleStructure({ revision: 1 }));
});

const known = () => setting.operator.call('printers.get', { printer: 'claim-7' });
const changes = () => changesOf(setting.operator, 'claim-7');

test('serial numbers and software versions of apparatus and units are kept and shown', async () => {
  expect(await known()).toMatchObject({
    serial: 'A7X0021',
    structure: {
      apparatus: {
        serial: 'A7X0021',
        software: [{ id: 'acme.controller', vendor: 'acme', version: '3.1.0' }],
      },
      units: [
        { symbol: 'engine', serial: 'E-991', software: [{ id: 'acme.engine', version: '2.5.0' }] },
        { symbol: 'finisher.1', serial: 'F-104' },
      ],
    },
  });
  expect(await changes()).toEqual([]);
});

test('a swapped serial number is noticed as a change, though nothing else is different', async () => {
  const units = sampleStructure().units.map((unit) =>
    unit.symbol === 'engine' ? { ...unit, serial: 'E-992' } : unit,
  );
  await printer.structure(sampleStructure({ revision: 2, reason: 'change', units }));
  expect(await changes()).toEqual([
    expect.objectContaining({ kind: 'unit-serial', subject: 'engine', from: 'E-991', to: 'E-992' }),
  ]);
});

test('an installed version is noticed as a change', async () => {
  const units = sampleStructure().units.map((unit) => ({
    ...unit,
    ...(unit.symbol === 'engine' ? { serial: 'E-992' } : {}),
    software: unit.software?.map((software) => ({ ...software, version: '2.6.1' })),
  }));
  await printer.structure(sampleStructure({ revision: 3, reason: 'change', units }));
  expect(await changes()).toEqual([
    expect.objectContaining({
      kind: 'software-version',
      subject: 'engine:acme.engine',
      from: '2.5.0',
      to: '2.6.1',
    }),
    expect.objectContaining({ kind: 'unit-serial' }),
  ]);
});

test('printers are found by the version they run', async () => {
  const matching = async (range: string) => {
    const { items } = (await setting.operator.call('printers.list', {
      filter: { software: { id: 'acme.engine', range } },
    })) as { items: { printer: string }[] };
    return items.map(({ printer }) => printer);
  };
  expect(await matching('>=2.6.0')).toEqual(['claim-7']);
  expect(await matching('<2.6.0')).toEqual([]);
});
