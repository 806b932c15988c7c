/** Rules on readings, tested on the engine itself: closing by operators, refusals, memory. */
import { expect, test } from '@jest/globals';
import type { TroubleRules } from '../../../schemas/types.ts';
import type { ReadingSigns, SupplySign } from '../../readings/signs.ts';
import { compileRules, TroubleEngine } from './index.ts';
import { parseMoment } from './time.ts';

const T0 = Date.parse('2026-11-01T00:00:00Z');
const HOUR = 3_600_000;

const documentOf = (...list: object[]) => ({ rules: 'r', list }) as unknown as TroubleRules;

function engineOf(...list: object[]): TroubleEngine {
  const { rules, diagnostics } = compileRules(documentOf(...list));
  expect(diagnostics).toEqual([]);
  return new TroubleEngine(rules);
}

function reading(number: number, hours: number, more: Partial<ReadingSigns> = {}): ReadingSigns {
  return { session: 's', number, time_ms: T0 + hours * HOUR, counters: {}, supplies: [], ...more };
}

const black = (left: number, more: Partial<SupplySign> = {}): SupplySign => ({
  symbol: 'supply.black',
  kind: 'toner',
  left,
  ...more,
});

const toner = { id: 'toner', by: ['printer', 'unit'], when: { supply: { level: { lt: 10 } } } };

test('what an operator closed opens again only for another cartridge, also after a restart', () => {
  let engine = engineOf(toner);
  const kinds = (number: number, hours: number, supply: SupplySign) => {
    const changes = engine.applyReading('p', reading(number, hours, { supplies: [supply] }));
    changes.push(...engine.advance(T0 + hours * HOUR));
    return changes.map(({ kind }) => kind);
  };
  expect(kinds(1, 1, black(9))).toEqual(['opened']);
  const [open] = [...engine.openIds()];
  expect(open).toBeDefined();
  engine.cut('toner', 'p', 'p\u001fsupply.black\u001f', T0 + 2 * HOUR);
  expect(engine.openIds().size).toBe(0);
  expect(kinds(2, 3, black(8))).toEqual([]);
  const state = JSON.stringify(engine.exportState('p'));
  engine = engineOf(toner);
  expect(engine.importState('p', JSON.parse(state))).toBe(true);
  expect(kinds(3, 500, black(7))).toEqual([]);
  expect(kinds(4, 501, black(97, { exchanged: true }))).toEqual([]);
  expect(kinds(5, 900, black(9))).toEqual(['opened']);
  expect(kinds(6, 901, black(99, { exchanged: true }))).toEqual(['cleared']);
});

test('healthy printers leave only their progress behind', () => {
  const engine = engineOf(toner, { id: 'old', when: { counter: { name: 'impressions', ge: 1_000 } } });
  for (let number = 1; number <= 50; number += 1) {
    engine.applyReading(
      'p',
      reading(number, number, { supplies: [black(60)], counters: { impressions: number } }),
    );
  }
  expect(engine.size()).toMatchObject({ printers: 1, keys: 0, pending: 0 });
  expect(engine.exportState('p')).toMatchObject({ lanes: [], reads: [T0 + 50 * HOUR, 's', 50, {}] });
});

test('what is over is dropped', () => {
  const engine = engineOf(toner);
  engine.applyReading('p', reading(1, 1, { supplies: [black(9)] }));
  engine.applyReading('p', reading(2, 2, { supplies: [black(90, { exchanged: true })] }));
  engine.applyReading('p', reading(3, 900));
  engine.advance(T0 + 900 * HOUR);
  engine.exportState('p');
  expect(engine.exportState('p')).toMatchObject({ lanes: [] });
});

test('readings make no entry late for a rule that looks at entries only', () => {
  const jam = { id: 'jam', when: { count: { ge: 1, over: 'PT1H' } } };
  const entries = (engine: TroubleEngine) =>
    engine.apply('p', 'l', [{ seq: 1, at: new Date(T0).toISOString(), code: 'J', severity: 'error' }]);
  const alone = engineOf(jam, toner);
  alone.applyReading('p', reading(1, 48));
  expect(entries(alone).map(({ kind }) => kind)).toEqual(['opened']);
  // Both advance the time of a rule that looks at both.
  const both = engineOf({ id: 'both', when: { any: [jam.when, toner.when] } });
  both.applyReading('p', reading(1, 48));
  expect(entries(both)).toEqual([]);
  expect(both.late).toBe(1);
});

test('entries and readings make one trouble together', () => {
  const engine = engineOf({
    id: 'starved',
    when: { all: [{ count: { ge: 2, over: 'PT1H' } }, { reason: { is: 'media-low' } }] },
  });
  const jam = (seq: number, hours: number) =>
    engine.apply('p', 'l', [
      { seq, at: new Date(T0 + hours * HOUR).toISOString(), code: 'J', severity: 'error' },
    ]);
  engine.applyReading('p', reading(1, 1, { reasons: ['media-low-warning'] }));
  expect(jam(1, 1.1)).toEqual([]);
  const [change] = jam(2, 1.2);
  expect(change?.kind).toBe('opened');
  expect(change?.trouble.evidence).toEqual([
    { printer: 'p', log: 's', seq: 1 },
    { printer: 'p', log: 'l', seq: 1 },
    { printer: 'p', log: 'l', seq: 2 },
  ]);
  expect(parseMoment(change?.trouble.openedAt ?? '')).toBeCloseTo(T0 + 1.2 * HOUR);
});

test('a rule suppresses another on the same printer, with readings too', () => {
  const engine = engineOf(
    { id: 'empty', when: { reason: { is: 'media-empty' } } },
    { id: 'low', suppressedBy: ['empty'], when: { reason: { is: 'media-low' } } },
  );
  const opened = engine.applyReading('p', reading(1, 1, { reasons: ['media-empty', 'media-low'] }));
  expect(opened.map(({ trouble }) => trouble.rule)).toEqual(['empty']);
});

test.each([
  [{ suply: {} }, '/list/0/when/suply: unknown member "suply" in /list/0/when; did you mean "supply"?'],
  [{ supply: { level: { le: 3 } } }, 'unknown member "le" in /list/0/when/supply/level; did you mean "lt"?'],
  [{ supply: { kind: 'toner' } }, '/list/0/when/supply: either "level" or "daysLeft" is expected'],
  [{ supply: { level: { lt: 101 } } }, '/list/0/when/supply/level: {"lt": a number above 0, at most 100}'],
  [{ supply: { colour: 'black', level: { lt: 1 } } }, 'did you mean "color"?'],
  [{ counter: { name: 'Pages', ge: 1 } }, '/list/0/when/counter/name: the name of a counter is expected'],
  [{ counter: { name: 'sheets', ge: 1, every: 2 } }, 'either "ge" or "every" is expected'],
  [
    { counter: { name: 'sheets', every: 0.5 } },
    '/list/0/when/counter/every: a whole number from 1 is expected',
  ],
  [{ not: { counter: { name: 'sheets', every: 5 } } }, '"every" cannot stand under "not"'],
  [{ reason: { is: 'jam', for: '2h' } }, '/list/0/when/reason/for: an ISO 8601 duration is expected'],
  [{ reason: {} }, '/list/0/when/reason/is: the name of a reason is expected'],
])('%j is refused with its JSON path', (when, message) => {
  const { diagnostics, errors } = compileRules(documentOf({ id: 'a', when }));
  expect(errors).toBeGreaterThan(0);
  expect(diagnostics.map(({ path, message: one }) => `${path}: ${one}`).join('\n')).toContain(message);
});

test('rules on readings are kept by printer', () => {
  const { diagnostics } = compileRules(documentOf({ ...toner, by: ['site'] }));
  expect(diagnostics.map(({ message }) => message)).toContain('supply needs "printer" in by');
});
