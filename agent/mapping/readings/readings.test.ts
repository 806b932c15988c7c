import { schemaFault } from '../../../schemas/validate.ts';
import { playRecorded } from '../../drivers/recorded.ts';
import { SnmpAnswer } from '../snmp-answer.ts';
import { snmpReading } from '../snmp-reading.ts';
import { MappingTables } from '../tables.ts';
import { mergeAms } from './bambu-readings.ts';
import { type FoundReadings, levelOf, stateOfLevel } from './found-readings.ts';
import { besideSilent, mergeMeasured } from './merge-readings.ts';
import { colorOf, colorOfHex, kindOfType, kindOfWords, measureOf, numbersIn } from './supply-words.ts';

const mapping = new MappingTables();
const play = (recording: string) => playRecorded(Buffer.from(recording), 'recorded', mapping).reading;
const lines = (...rows: string[]) => rows.join('\n');
const PRT = '1.3.6.1.2.1.43';
const supply = (index: number, cells: Record<number, string>) =>
  Object.entries(cells).map(([column, cell]) => `${PRT}.11.1.1.${column}.1.${index}|${cell}`);

/** Checks a reading against the wire contract. */
function fault(found: FoundReadings | undefined): string | undefined {
  return schemaFault('readings', { session: 's', number: 1, at: '2026-11-30T00:00:00Z', ...found?.readings });
}

test.each([
  [-1, 100, { capacity: 100, known: 'unknown' }],
  [-2, 100, { capacity: 100, known: 'unknown' }],
  [-3, 100, { capacity: 100, known: 'some' }],
  [-3, -2, { known: 'some' }],
  [-7, 100, { capacity: 100, known: 'unknown' }],
  [undefined, 100, { capacity: 100, known: 'unknown' }],
  [0, 100, { level: 0, capacity: 100, known: 'exact' }],
  [500, -2, { level: 500, known: 'exact' }],
  [2, 3, { level: 2, capacity: 3, known: 'steps' }],
  [50, 0, { level: 50, known: 'exact' }],
  // Slightly over capacity is a measurement; a hundredfold is an error.
  [150, 100, { level: 150, capacity: 100, known: 'exact' }],
  [143_065, 100, { capacity: 100, known: 'unknown' }],
] as const)('a level of %s of %s', (level, capacity, expected) => {
  expect(levelOf(level, capacity)).toEqual(expected);
});

test.each([
  [{ level: 0, known: 'exact' }, 'toner', undefined, true, 'empty'],
  [{ level: 0, known: 'exact' }, 'waste', undefined, true, 'full'],
  [{ level: 5, known: 'exact' }, 'toner', undefined, true, 'ok'],
  [{ level: 5, known: 'exact' }, 'toner', 'low', true, 'low'],
  // Not all alerts were read, so "ok" can't be reported.
  [{ level: 5, known: 'exact' }, 'toner', undefined, false, undefined],
  [{ known: 'some' }, 'toner', undefined, true, 'ok'],
  [{ known: 'unknown' }, 'toner', undefined, true, undefined],
  [{ known: 'unknown' }, 'waste', 'empty', true, 'full'],
] as const)('the state of %j, a %s, of which %s is said', (level, kind, said, trusted, state) => {
  expect(stateOfLevel(level, kind, said, trusted)).toBe(state);
});

test('units of RFC 3805, by number and by name', () => {
  expect(measureOf(13)).toEqual({ measure: 'grams', factor: 0.1 });
  expect(measureOf('tenthsOfMilliliters')).toEqual({ measure: 'millilitres', factor: 0.1 });
  expect(measureOf('19')).toEqual({ measure: 'percent', factor: 1 });
  expect(levelOf(1_000, 2_000, measureOf(12).factor)).toEqual({
    level: 28.3495,
    capacity: 56.699,
    known: 'exact',
  });
  expect(measureOf('bananas')).toEqual({ measure: 'unknown', factor: 1 });
});

test('words of many languages', () => {
  expect(
    ['Resttonerbehälter', 'Photoconductor Kit', '感光ドラム', 'Bac récupérateur', 'Heftklammern'].map(
      kindOfWords,
    ),
  ).toEqual(['waste', 'drum', 'drum', 'waste', 'staples']);
  expect(kindOfType('waste-toner')).toBe('waste');
  expect(colorOf('Toner (K)', true)).toBe('black');
  expect(colorOf('Toner (K)')).toBeUndefined();
  expect(colorOf('Light Cyan Ink')).toBe('light-cyan');
  expect(colorOfHex('#00FFFF#FF00FF#FFFF00')).toBe('cyan+magenta+yellow');
  expect(numbersIn('SN unknown, PN unknown')).toEqual({});
});

const NAMES = ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf'];

test.each(NAMES)('a printer that says %s wherever it can say a word', (word) => {
  for (const found of [kindOfType(word), kindOfWords(word), colorOf(word, true), colorOfHex(word)]) {
    expect(found).toBeUndefined();
  }
  expect(measureOf(word).measure).toBe('unknown');
  const bambu = { name: word, project_name: word, product_name: word, hw_ver: word, sw_ver: word, sn: word };
  const tray = { id: word, tray_type: word, tray_color: word, tray_uuid: word, remain: 5 };
  const print = {
    command: 'push_status',
    gcode_state: word,
    hms: [],
    ams: { ams: [{ id: word, tray: [tray] }] },
  };
  const recordings = [
    lines(JSON.stringify({ info: { command: 'get_version', module: [bambu] } }), JSON.stringify({ print })),
    JSON.stringify({
      'printer-make-and-model': word,
      'printer-state': word,
      'printer-state-reasons': [`${word}-error`],
      'printer-alert': [`code=${word};severity=${word};group=${word};`],
      'printer-alert-description': [word],
      'printer-finisher': [`type=${word};unit=${word};${word}=1;`],
      'printer-supply': [`type=${word};unit=${word};class=${word};level=${word};colorantname=${word};`],
      'printer-input-tray': [`name=${word};unit=${word};level=3;maxcapacity=9;`],
      'marker-types': [word],
      'marker-colors': [word],
      'marker-names': [word],
    }),
    lines(
      `1.3.6.1.2.1.1.1.0|4|${word}`,
      `1.3.6.1.2.1.25.3.2.1.3.1|4|${word}`,
      `1.3.6.1.2.1.25.6.3.1.2.1|4|${word}`,
      ...supply(1, { 5: `4|${word}`, 6: `4|${word}`, 9: '2|7' }),
      `${PRT}.18.1.1.2.1.1|2|3`,
      `${PRT}.18.1.1.7.1.1|2|8`,
      `${PRT}.18.1.1.8.1.1|4|${word}`,
    ),
  ];
  for (const recording of recordings) {
    const { structure, conditions, measured } = play(recording);
    const texts = JSON.stringify([structure, conditions, measured]);
    expect(texts).not.toMatch(/native code|\[object/);
    for (const { kind, model } of structure.units)
      expect([typeof kind, typeof model]).toEqual(['string', 'string']);
    for (const { severity, code } of conditions) {
      expect(['info', 'warning', 'error', 'fatal']).toContain(severity);
      expect(typeof code).toBe('string');
    }
    expect(fault(measured)).toBeUndefined();
  }
  expect(Object.hasOwn(Object.prototype, 'remain')).toBe(false);
});

test('negative, huge and doubled values are bounded, and what is left keeps the contract', () => {
  const many = Array.from({ length: 300 }, (_, i) =>
    supply(i + 1, { 5: '2|3', 6: '4|Toner', 8: '2|100', 9: '2|50' }),
  ).flat();
  const { measured } = play(
    lines(
      ...many,
      `${PRT}.10.2.1.4.1.1|70|18446744073709551615`,
      '1.3.6.1.2.1.1.5.0|4|'.padEnd(2_000, 'host'),
      `${PRT}.8.2.1.9.1.1|2|-2`,
      `${PRT}.8.2.1.10.1.1|2|-3`,
    ),
  );
  expect(measured?.readings.supplies).toHaveLength(256);
  expect(measured?.readings.counters).toBeUndefined();
  expect(measured?.missing.map(({ field }) => field)).toEqual(['counters.impressions', 'supplies']);
  expect(measured?.readings.facts?.hostname).toHaveLength(256);
  expect(fault(measured)).toBeUndefined();
});

test('what broke off is left out: no empty list, no unknown level, no sum that lacks a part', () => {
  const answer = new SnmpAnswer();
  const set = (oid: string, value: number) => answer.set(oid, { type: 'integer', value });
  set(`${PRT}.11.1.1.5.1.1`, 3);
  set(`${PRT}.11.1.1.9.1.1`, 40);
  set(`${PRT}.11.1.1.5.1.2`, 3); // Its level is after the truncation.
  set(`${PRT}.10.2.1.4.1.2`, 99); // The first marker's row is missing.
  answer.set('1.3.6.1.2.1.1.2.0', { type: 'oid', value: '1.3.6.1.4.1.18334.1.2.1.2.1' });
  set('1.3.6.1.4.1.18334.1.1.1.5.7.2.2.1.5.1.1', 5);
  set('1.3.6.1.4.1.18334.1.1.1.5.7.2.2.1.5.2.1', 6);
  for (const entry of [`${PRT}.11.1.1`, `${PRT}.10.2.1`, `${PRT}.18.1.1`, '1.3.6.1.4.1'])
    answer.brokenOff.add(entry);
  const { readings, missing } = snmpReading(answer, mapping).measured ?? { readings: {}, missing: [] };
  expect(readings.supplies).toEqual([
    { symbol: 'supply.1', kind: 'toner', level: 40, measure: 'unknown', known: 'exact' },
  ]);
  expect(readings.reasons).toBeUndefined();
  // Single parts can be reported alone, sums can't.
  expect(readings.counters).toEqual({ 'impressions-color': 6 });
  expect(missing.map(({ field }) => field).sort()).toEqual([
    'counters',
    'counters.copies',
    'reasons',
    'supplies',
  ]);
});

test('an open cover and a full output are reasons, by their tables', () => {
  const { measured } = play(
    lines(
      `${PRT}.6.1.1.3.1.1|2|4`,
      `${PRT}.6.1.1.3.1.2|2|3`,
      `${PRT}.9.2.1.4.1.1|2|250`,
      `${PRT}.9.2.1.5.1.1|2|0`,
    ),
  );
  expect(measured?.readings.reasons).toEqual(['cover-open', 'output-area-full']);
});

test('facts: address, hardware address of the wired interface, asset number', () => {
  const { measured } = play(
    lines(
      '1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.11.2.3.9.1',
      '1.3.6.1.2.1.2.2.1.3.1|2|24',
      '1.3.6.1.2.1.2.2.1.3.2|2|71',
      '1.3.6.1.2.1.2.2.1.3.3|2|6',
      '1.3.6.1.2.1.2.2.1.6.2|4x|0a0b0c0d0e0f',
      '1.3.6.1.2.1.2.2.1.6.3|4x|001ba9f0e1d2',
      '1.3.6.1.2.1.4.20.1.1.127.0.0.1|64|127.0.0.1',
      '1.3.6.1.2.1.4.20.1.1.192.0.2.7|64|192.0.2.7',
      '1.3.6.1.4.1.11.2.3.9.4.2.1.1.3.12.0|4|INV-77',
    ),
  );
  expect(measured?.readings.facts).toEqual({
    address: '192.0.2.7',
    mac: '00:1b:a9:f0:e1:d2',
    assetTag: 'INV-77',
  });
  const uri = [
    'ipp://192.0.2.9:631/ipp/print',
    'ipp://printer-9.local/ipp/print',
    'ipp://localhost/ipp/print',
  ];
  const told = play(
    JSON.stringify({
      'printer-uri-supported': uri,
      'printer-location': 'Room 7',
      'printer-contact-col': { 'contact-uri': ['mailto:it@example.org'] },
      'system-asset-tag': 'INV-9',
    }),
  );
  expect(told.measured?.readings.facts).toEqual({
    address: '192.0.2.9',
    hostname: 'printer-9.local',
    location: 'Room 7',
    contact: 'it@example.org',
    assetTag: 'INV-9',
  });
});

describe('two protocols', () => {
  const found = (readings: FoundReadings['readings'], at: string): FoundReadings => ({
    readings,
    from: Object.fromEntries((readings.supplies ?? []).map(({ symbol }) => [`${symbol}.level`, at])),
    missing: [],
  });
  const snmp = found(
    {
      reasons: ['media-jam'],
      counters: { impressions: 100 },
      supplies: [
        { symbol: 'supply.1', kind: 'toner', color: 'black', known: 'some' },
        { symbol: 'supply.2', kind: 'drum', level: 8, capacity: 10, known: 'exact' },
      ],
      inputs: [{ symbol: 'input.1', known: 'some' }],
    },
    'oid',
  );
  const ipp = found(
    {
      state: 'idle',
      reasons: ['toner-low'],
      counters: { impressions: 90, sheets: 60 },
      supplies: [
        {
          symbol: 'supply.1',
          kind: 'toner',
          color: 'black',
          level: 15,
          capacity: 100,
          measure: 'percent',
          known: 'exact',
          state: 'low',
        },
        { symbol: 'supply.2', kind: 'waste', known: 'some' },
      ],
      inputs: [{ symbol: 'input.7', level: 20, capacity: 250, known: 'exact' }],
    },
    'attribute',
  );

  test('the first one’s symbols and numbers stand; the second adds what it does not know', () => {
    const merged = mergeMeasured(snmp, ipp, new Map([['input.7', 'input.1']]));
    expect(merged?.readings).toEqual({
      state: 'idle',
      reasons: ['media-jam', 'toner-low'],
      counters: { impressions: 100, sheets: 60 },
      supplies: [
        {
          symbol: 'supply.1',
          kind: 'toner',
          color: 'black',
          level: 15,
          capacity: 100,
          measure: 'percent',
          known: 'exact',
          state: 'low',
        },
        { symbol: 'supply.2', kind: 'drum', level: 8, capacity: 10, known: 'exact' },
        { symbol: 'supply.2-2', kind: 'waste', known: 'some' },
      ],
      inputs: [{ symbol: 'input.1', level: 20, capacity: 250, known: 'exact' }],
    });
    expect(merged?.from['supply.1.level']).toBe('attribute');
  });

  test('while the first one is silent nothing is said under its names', () => {
    expect(besideSilent(ipp, snmp, true)?.readings).toEqual({ state: 'idle', counters: { sheets: 60 } });
    expect(besideSilent(snmp, ipp, false)?.readings).toEqual({
      counters: { impressions: 100 },
      supplies: [{ symbol: 'supply.2', kind: 'drum', level: 8, capacity: 10, known: 'exact' }],
    });
  });
});

test('a delta of an AMS leaves its other units and slots; a slot without a type is empty', () => {
  const before = {
    ams: [
      {
        id: '0',
        humidity: '3',
        tray: [
          { id: '0', tray_type: 'PLA' },
          { id: '1', tray_type: 'ABS' },
        ],
      },
    ],
  };
  const after = mergeAms(before, {
    ams: [
      { id: '0', tray: [{ id: '1' }] },
      { id: '1', tray: [] },
    ],
  });
  expect(after).toEqual({
    ams: [
      { id: '0', humidity: '3', tray: [{ id: '0', tray_type: 'PLA' }, { id: '1' }] },
      { id: '1', tray: [] },
    ],
  });
  expect(mergeAms(before, { tray_now: '255' })).toMatchObject(before);
});

test('a table of one’s own overrides a counter of the built-in ones, its parts and all', () => {
  const own = new MappingTables([
    {
      file: 'own.json',
      document: {
        mapping: 'own',
        match: { enterprise: [11] },
        objects: [{ oid: '1.3.6.1.4.1.11.7.7.0', is: 'counter', name: 'impressions-color' }],
      },
    },
  ]);
  const recording = lines(
    '1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.11.2.3.9.1',
    '1.3.6.1.4.1.11.7.7.0|65|70',
    '1.3.6.1.4.1.11.2.3.9.4.2.1.4.1.2.7.0|65|999',
  );
  const { measured } = playRecorded(Buffer.from(recording), 'recorded', own).reading;
  expect(measured?.readings.counters).toEqual({ 'impressions-color': 70 });
});
