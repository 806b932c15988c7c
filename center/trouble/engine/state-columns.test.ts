import { expect, test } from '@jest/globals';
import type { LogEntry, TroubleRules } from '../../../schemas/types.ts';
import { compileRules, TroubleEngine } from './index.ts';
import type { Sighting } from './sighting.ts';
import type { PrinterState } from './state-codec.ts';
import { Names, packReadings, packSightings, unpackReadings, unpackSightings } from './state-columns.ts';

function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const T0 = Date.parse('2026-11-01T00:00:00Z');

function throughJson<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

test('sightings and readings survive packing', () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const chance = dice(seed);
    const varied = Array.from({ length: 10 }, () => chance() < 0.5);
    const some = (column: number, of: number) => (varied[column] ? Math.floor(chance() * of) : 7);
    const list = Array.from({ length: seed % 40 }, (_, index): Sighting => {
      const values = varied[9] ? [chance() < 0.3 ? undefined : `v${some(9, 3)}`] : [];
      return {
        at: T0 + index * 1_000 + some(0, 4_096_000) / 4_096,
        printer: `p${some(1, 3)}`,
        log: `l${some(2, 3)}`,
        seq: varied[3] ? Math.floor(chance() * 2 ** 52) : index + 1,
        code: `J-${some(4, 5)}`,
        rule: some(5, 3),
        key: `k${some(6, 3)}`,
        mask: some(7, 2 ** 30),
        pages: varied[8] ? some(8, 1e9) - 1 : -1,
        values,
      };
    });
    const names = new Names();
    const packed = throughJson(packSightings(list, names));
    expect({ seed, list: unpackSightings(packed, throughJson(names.list)) }).toEqual({ seed, list });
    const readings = list.map(({ at, log, seq, pages }) => ({ at, log, seq, pages }));
    expect(unpackReadings(throughJson(packReadings(readings)))).toEqual(readings);
  }
});

const document = {
  rules: 'r',
  list: [
    {
      id: 'jams',
      by: ['printer', 'unit'],
      when: { count: { ge: 3, over: 'PT6H' } },
      clear: { quiet: 'PT2H' },
    },
    { id: 'often', when: { rate: { per: 'pages', n: 100, ge: 2, over: 'PT3H' } } },
    { id: 'places', when: { distinct: { field: 'unit', ge: 2, over: 'PT4H' } } },
  ],
} as unknown as TroubleRules;

function entries(from: number, count: number): LogEntry[] {
  return Array.from({ length: count }, (_, index) => ({
    seq: from + index,
    at: new Date(T0 + (from + index) * 600_000).toISOString(),
    code: `J-${(from + index) % 2}`,
    severity: 'error',
    unit: (from + index) % 3 === 0 ? 'fin' : 'engine',
    pages: (from + index) * 20,
  }));
}

test('the state of a printer whose log grows evenly takes little more than its settled part', () => {
  const { rules } = compileRules({
    rules: 'r',
    list: [{ id: 'jams', when: { count: { ge: 3, over: 'P2D' } }, late: 'P30D' }],
  } as unknown as TroubleRules);
  const engine = new TroubleEngine(rules);
  engine.apply('p', 'l', entries(1, 2_000));
  expect(engine.size().pending).toBe(2_000);
  expect(JSON.stringify(engine.exportState('p')).length).toBeLessThan(2_000 * 4);
});

test('state in the row form can still be restored', () => {
  const { rules } = compileRules(document);
  const engine = new TroubleEngine(rules);
  engine.apply('p', 'l', entries(1, 50));
  const state = throughJson(engine.exportState('p')) as PrinterState;
  const rows = throughJson(state);
  rows.form = 2;
  const { readings } = state;
  if (!readings || Array.isArray(readings)) throw new Error('readings are kept in columns');
  rows.readings = unpackReadings(readings).map(({ at, log, seq, pages }) => [at, log, seq, pages]);
  for (const lane of rows.lanes) {
    const { table, names, pending } = lane;
    if (Array.isArray(table) || typeof pending !== 'number') throw new Error('lanes are kept in columns');
    lane.table = unpackSightings(table, names).map((one) => [
      one.at,
      names.indexOf(one.printer),
      names.indexOf(one.log),
      one.seq,
      names.indexOf(one.code),
      one.rule,
      names.indexOf(one.key),
      one.mask,
      one.pages,
      ...(one.values.length > 0 ? [one.values.map((value) => value ?? null)] : []),
    ]) as typeof lane.table;
    lane.pending = Array.from({ length: pending }, (_, index) => index);
  }
  const next = new TroubleEngine(rules);
  expect(next.importState('p', rows)).toBe(true);
  const more = entries(51, 30);
  expect(next.apply('p', 'l', more)).toEqual(engine.apply('p', 'l', more));
  expect(next.exportState('p')).toEqual(engine.exportState('p'));
  expect(next.importState('q', { ...rows, form: 1 })).toBe(false);
});
