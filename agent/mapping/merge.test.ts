import fc from 'fast-check';
import { mergeConditions, mergeReadings } from './merge.ts';
import type { Condition, FoundUnit, Reading, Source } from './reading.ts';

const unit = (symbol: string, kind: string, model: string, more: Partial<FoundUnit> = {}): FoundUnit => ({
  symbol,
  kind,
  model,
  software: [],
  ...more,
});

const software = (id: string, version?: string) => ({
  id,
  vendor: 'km',
  ...(version === undefined ? {} : { version }),
});

const condition = (keyword: string, more: Partial<Condition> = {}): Condition => ({
  code: keyword,
  severity: 'error',
  keyword,
  detail: {},
  ...more,
});

/** A reading whose fields all come from its own protocol. */
function reading(
  source: Source,
  apparatus: Reading['structure']['apparatus'],
  units: FoundUnit[],
  more: Partial<Reading> = {},
): Reading {
  const sources: Record<string, Source> = { 'apparatus.model': source };
  for (const { symbol } of units) sources[`${symbol}.model`] = source;
  return {
    source,
    structure: { apparatus, units },
    sources,
    conditions: [],
    conditionsWhole: true,
    counters: {},
    identity: { tables: [source] },
    missing: [],
    ...more,
  };
}

test('SNMP’s serials and IPP’s versions become one printer, and every field keeps where it came from', () => {
  const snmp = reading(
    'snmp',
    { model: 'C360', serial: 'S-1', software: [software('km.controller', 'G00-K3')] },
    [
      unit('input.1', 'feeder', 'PC-216', { serial: 'A1', software: [software('km.pc-216')] }),
      unit('finisher.1', 'finisher', 'Finisher', { serial: 'F-1' }),
    ],
  );
  const ipp = reading(
    'ipp',
    { model: 'C360i', hardware: '2', software: [software('km.controller', 'G00-K4')] },
    [
      unit('finisher.1', 'finisher', 'FS-539', { software: [software('km.fs-539', 'G00-15')] }),
      unit('input.7', 'feeder', 'pc-216', { software: [software('km.pc-216', 'G00-05')] }),
    ],
  );
  const merged = mergeReadings(snmp, ipp);
  expect(merged.structure).toEqual({
    apparatus: {
      model: 'C360',
      serial: 'S-1',
      hardware: '2',
      software: [software('km.controller', 'G00-K4')],
    },
    units: [
      unit('input.1', 'feeder', 'PC-216', { serial: 'A1', software: [software('km.pc-216', 'G00-05')] }),
      unit('finisher.1', 'finisher', 'FS-539', {
        serial: 'F-1',
        software: [software('km.fs-539', 'G00-15')],
      }),
    ],
  });
  expect(merged.sources).toEqual({
    'apparatus.model': 'snmp',
    'apparatus.hardware': 'ipp',
    'apparatus:km.controller.version': 'ipp',
    'input.1.model': 'snmp',
    'input.1:km.pc-216.version': 'ipp',
    'finisher.1.model': 'ipp',
    'finisher.1:km.fs-539': 'ipp',
    'finisher.1:km.fs-539.version': 'ipp',
  });
});

test('IPP’s versions stand too where it was read first; a version that only SNMP has is taken', () => {
  const ipp = reading('ipp', { model: 'C360', software: [software('a', '2'), software('b')] }, []);
  const snmp = reading('snmp', { model: 'C360', software: [software('a', '1'), software('b', '7')] }, []);
  expect(mergeReadings(ipp, snmp).structure.apparatus.software).toEqual([
    software('a', '2'),
    software('b', '7'),
  ]);
});

test('two real models in one place are two units; the second gets a free symbol, and what it says goes with it', () => {
  const first = reading('snmp', { model: 'C360' }, [unit('output.1', 'finisher', 'FS-539')]);
  const second = reading(
    'ipp',
    { model: 'C360' },
    [unit('output.1', 'mailbox', 'MT-202', { serial: 'M-1' })],
    {
      conditions: [condition('media-jam', { unit: 'output.1' })],
    },
  );
  second.sources['output.1.serial'] = 'ipp';
  const merged = mergeReadings(first, second);
  expect(merged.structure.units.map(({ symbol, model }) => [symbol, model])).toEqual([
    ['output.1', 'FS-539'],
    ['output.2', 'MT-202'],
  ]);
  expect(merged.sources).toMatchObject({
    'output.1.model': 'snmp',
    'output.2.model': 'ipp',
    'output.2.serial': 'ipp',
  });
  expect(merged.conditions).toEqual([condition('media-jam', { unit: 'output.2' })]);
});

test('one condition told twice is one, in SNMP’s words; the other protocol’s numbers and times are not mixed in', () => {
  const jam = condition('media-jam', { code: 'J-7218', unit: 'finisher.1', occurrence: '4', ticks: 100 });
  const told = [
    condition('media-jam', { occurrence: '9' }),
    condition('toner-low', { severity: 'warning', occurrence: '10', ticks: 5 }),
  ];
  expect(mergeConditions([jam], told)).toEqual([jam, condition('toner-low', { severity: 'warning' })]);
  // On another unit it is another jam.
  expect(mergeConditions([jam], [condition('media-jam', { unit: 'adf' })])).toHaveLength(2);
});

test('half of one protocol makes half of both; missing is only what neither has; the first one’s counters stand', () => {
  const missing = (field: string) => ({ field, because: 'it matters' });
  const merged = mergeReadings(
    reading('snmp', { model: 'unknown' }, [], {
      counters: { pages: 10, pagesBits: 32 },
      upTimeTicks: 5,
      missing: [missing('apparatus.model'), missing('alerts')],
    }),
    reading('ipp', { model: 'C360' }, [], {
      counters: { pages: 11, printing: true },
      conditionsWhole: false,
      upTimeTicks: 700,
      missing: [missing('alerts'), missing('apparatus.serial')],
    }),
  );
  expect(merged).toMatchObject({
    structure: { apparatus: { model: 'C360' } },
    conditionsWhole: false,
    counters: { pages: 10, pagesBits: 32, printing: true },
    upTimeTicks: 5,
    missing: [missing('alerts')],
    sources: { 'apparatus.model': 'ipp' },
  });
  expect(merged.identity.tables).toEqual(['snmp', 'ipp']);
});

test('whatever is merged: symbols stay unique, no unit of the first is lost, the arguments are as they were', () => {
  const units = fc.uniqueArray(
    fc.record({
      symbol: fc.constantFrom('engine', 'input.1', 'input.2', 'output.1', 'finisher.1'),
      kind: fc.constantFrom('engine', 'feeder', 'finisher'),
      model: fc.constantFrom('Engine', 'Tray 1', 'PC-216', 'FS-539', 'MT-202'),
      serial: fc.option(fc.constantFrom('1', '2'), { nil: undefined }),
      software: fc.constant<FoundUnit['software']>([software('km.x', '1')]),
    }),
    { selector: ({ symbol }) => symbol },
  );
  fc.assert(
    fc.property(units, units, (mine, others) => {
      const first = reading('snmp', { model: 'C360' }, mine);
      const second = reading('ipp', { model: 'C360' }, others);
      const before = JSON.stringify([first, second]);
      const merged = mergeReadings(first, second);
      const symbols = merged.structure.units.map(({ symbol }) => symbol);
      expect(new Set(symbols).size).toBe(symbols.length);
      expect(symbols.slice(0, mine.length)).toEqual(mine.map(({ symbol }) => symbol));
      expect(symbols.length).toBeLessThanOrEqual(mine.length + others.length);
      expect(JSON.stringify([first, second])).toBe(before);
    }),
    { seed: 7, numRuns: 300 },
  );
});
