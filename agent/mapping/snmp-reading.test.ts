import { parseRecordedSnmp } from './recorded-snmp.ts';
import { snmpReading } from './snmp-reading.ts';
import { MappingTables } from './tables.ts';

const mapping = new MappingTables();

/** A reading of snmpwalk lines. */
function read(walk: string) {
  const answer = parseRecordedSnmp(Buffer.from(walk, 'latin1'), 'test');
  if (!answer) throw new Error('nothing was read');
  return snmpReading(answer, mapping);
}

const BIZHUB = `
.1.3.6.1.2.1.1.1.0 = STRING: "KONICA MINOLTA bizhub C360i"
.1.3.6.1.2.1.1.2.0 = OID: .1.3.6.1.4.1.18334.1.2.1.2.1
.1.3.6.1.2.1.1.3.0 = Timeticks: (200000) 0:33:20.00
.1.3.6.1.2.1.25.3.2.1.3.1 = STRING: "KONICA MINOLTA bizhub C360i"
.1.3.6.1.2.1.25.3.5.1.1.1 = INTEGER: 3
.1.3.6.1.2.1.25.6.3.1.2.1 = STRING: "MFP controller G00-K4"
.1.3.6.1.2.1.25.6.3.1.2.2 = STRING: "Engine G00-K2"
.1.3.6.1.2.1.25.6.3.1.2.3 = STRING: "FS-539 G00-15"
.1.3.6.1.2.1.43.5.1.1.17.1 = STRING: "A9KEKM0001234"
.1.3.6.1.2.1.43.8.2.1.13.1.1 = STRING: "Tray 1"
.1.3.6.1.2.1.43.8.2.1.14.1.1 = STRING: "KM"
.1.3.6.1.2.1.43.8.2.1.15.1.1 = STRING: "PC-216"
.1.3.6.1.2.1.43.8.2.1.16.1.1 = STRING: "G00-05"
.1.3.6.1.2.1.43.8.2.1.17.1.1 = STRING: "A1A1A1"
.1.3.6.1.2.1.43.10.2.1.3.1.1 = INTEGER: 7
.1.3.6.1.2.1.43.10.2.1.4.1.1 = Counter32: 120345
.1.3.6.1.2.1.43.18.1.1.2.1.1 = INTEGER: 3
.1.3.6.1.2.1.43.18.1.1.3.1.1 = INTEGER: 5
.1.3.6.1.2.1.43.18.1.1.4.1.1 = INTEGER: 30
.1.3.6.1.2.1.43.18.1.1.5.1.1 = INTEGER: 1
.1.3.6.1.2.1.43.18.1.1.6.1.1 = INTEGER: 7201
.1.3.6.1.2.1.43.18.1.1.7.1.1 = INTEGER: 8
.1.3.6.1.2.1.43.18.1.1.8.1.1 = STRING: "J-7218 changed"
.1.3.6.1.2.1.43.18.1.1.9.1.1 = Timeticks: (123456) 0:20:34.56
.1.3.6.1.2.1.43.18.1.1.2.1.2 = INTEGER: 4
.1.3.6.1.2.1.43.18.1.1.4.1.2 = INTEGER: 11
.1.3.6.1.2.1.43.18.1.1.5.1.2 = INTEGER: 1
.1.3.6.1.2.1.43.18.1.1.7.1.2 = INTEGER: 1104
.1.3.6.1.2.1.43.18.1.1.8.1.2 = STRING: "Toner low K"
`;

test('a bizhub becomes apparatus, engine, finisher and tray, each with its version', () => {
  const reading = read(BIZHUB);
  expect(reading.structure.apparatus).toEqual({
    model: 'bizhub C360i',
    serial: 'A9KEKM0001234',
    software: [{ id: 'konica-minolta.controller', vendor: 'konica-minolta', version: 'G00-K4' }],
  });
  expect(reading.structure.units).toEqual([
    {
      symbol: 'input.1',
      kind: 'feeder',
      model: 'PC-216',
      serial: 'A1A1A1',
      software: [{ id: 'konica-minolta.pc-216', vendor: 'konica-minolta', version: 'G00-05' }],
    },
    {
      symbol: 'engine',
      kind: 'engine',
      model: 'Engine',
      software: [{ id: 'konica-minolta.engine', vendor: 'konica-minolta', version: 'G00-K2' }],
    },
    {
      symbol: 'finisher.1',
      kind: 'finisher',
      model: 'FS-539',
      software: [{ id: 'konica-minolta.fs-539', vendor: 'konica-minolta', version: 'G00-15' }],
    },
  ]);
  expect(reading.counters).toEqual({ pages: 120345, pagesBits: 32, printing: false });
});

test('a jam in the finisher keeps the vendor code, the keyword and everything else that was told', () => {
  const [jam, toner] = read(BIZHUB).conditions;
  expect(jam).toEqual({
    code: 'J-7218',
    severity: 'error',
    unit: 'finisher.1',
    keyword: 'media-jam',
    occurrence: '1',
    ticks: 123456,
    detail: {
      keyword: 'media-jam',
      alertCode: 8,
      group: 'finDevice',
      groupIndex: 1,
      location: 7201,
      training: 'fieldService',
      description: 'J-7218 changed',
    },
  });
  expect(toner).toMatchObject({ code: 'toner-low', severity: 'warning', unit: 'engine' });
});

test('where the description has no code the location is taken', () => {
  const jam = read(BIZHUB.replace('J-7218 changed', 'Paper misfeed')).conditions[0];
  expect(jam?.code).toBe('J-7201');
});

test('a code that no table knows is passed on under its own number, with what the printer said of it', () => {
  const [own] = read(
    BIZHUB.replace('.7.1.1 = INTEGER: 8', '.7.1.1 = INTEGER: 43210').replace('J-7218 changed', 'Flux drift'),
  ).conditions;
  expect(own).toMatchObject({
    code: 'alert-43210',
    severity: 'fatal',
    detail: { alertCode: 43210, description: 'Flux drift' },
  });
});

test('a printer behind another device index is found by its type', () => {
  const walk = `
.1.3.6.1.2.1.25.3.2.1.2.1 = OID: .1.3.6.1.2.1.25.3.1.3
.1.3.6.1.2.1.25.3.2.1.2.7 = OID: .1.3.6.1.2.1.25.3.1.5
.1.3.6.1.2.1.25.3.2.1.3.1 = STRING: "CPU"
.1.3.6.1.2.1.25.3.2.1.3.7 = STRING: "Acme P7"
.1.3.6.1.2.1.43.5.1.1.17.7 = STRING: "S-7"
.1.3.6.1.2.1.43.8.2.1.13.7.2 = STRING: "Lower"
.1.3.6.1.2.1.43.18.1.1.2.7.5 = INTEGER: 3
.1.3.6.1.2.1.43.18.1.1.4.7.5 = INTEGER: 8
.1.3.6.1.2.1.43.18.1.1.5.7.5 = INTEGER: 2
.1.3.6.1.2.1.43.18.1.1.7.7.5 = INTEGER: 13
`;
  const reading = read(walk);
  expect(reading.structure.apparatus).toMatchObject({ model: 'Acme P7', serial: 'S-7' });
  expect(reading.conditions).toEqual([
    expect.objectContaining({ code: 'media-empty', unit: 'input.2', severity: 'error' }),
  ]);
});

test('without an alert table the detected-error bits speak; with one they don’t repeat it', () => {
  const bits = '.1.3.6.1.2.1.25.3.5.1.2.1 = Hex-STRING: 84 00 \n';
  expect(read(`.1.3.6.1.2.1.25.3.2.1.3.1 = STRING: "Acme"\n${bits}`).conditions.map((c) => c.code)).toEqual([
    'media-low',
    'media-jam',
  ]);
  expect(read(BIZHUB + bits).conditions.map((c) => c.code)).toEqual(['J-7218', 'toner-low', 'media-low']);
});

test('a finisher takes model and serial from the output it works on; its functions are one unit', () => {
  const reading = read(`
.1.3.6.1.2.1.25.3.2.1.3.1 = STRING: "Acme"
.1.3.6.1.2.1.43.9.2.1.9.1.3 = STRING: "SR3090"
.1.3.6.1.2.1.43.9.2.1.11.1.3 = STRING: "F-104"
.1.3.6.1.2.1.43.30.1.1.2.1.1 = INTEGER: 3
.1.3.6.1.2.1.43.30.1.1.8.1.1 = Hex-STRING: 03
.1.3.6.1.2.1.43.30.1.1.10.1.1 = STRING: "Stapler"
.1.3.6.1.2.1.43.30.1.1.2.1.2 = INTEGER: 8
.1.3.6.1.2.1.43.30.1.1.8.1.2 = STRING: "3"
`);
  expect(reading.structure.units).toEqual([
    { symbol: 'output.3', kind: 'output', model: 'SR3090', serial: 'F-104', software: [] },
    { symbol: 'finisher.1', kind: 'finisher', model: 'SR3090', serial: 'F-104', software: [] },
  ]);
});

test('nothing but a name is a structure too, and says what is missing', () => {
  const reading = read('.1.3.6.1.2.1.1.1.0 = STRING: "Some thing"\n');
  expect(reading.structure).toEqual({ apparatus: { model: 'Some thing', software: [] }, units: [] });
  expect(reading.missing.map((missing) => missing.field)).toEqual([
    'apparatus.serial',
    'software',
    'Printer MIB',
  ]);
});
