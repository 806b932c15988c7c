import { expect, test } from '@jest/globals';
import { planFleet, readScenario } from '../../../device-sim/scenario.ts';
import { schemaFault } from '../../../schemas/validate.ts';
import { PrinterModel } from './model.ts';
import { officeHours, type SimulatedSupply, supplyAt } from './supplies.ts';

const BLACK: SimulatedSupply = {
  symbol: 'supply.black',
  kind: 'toner',
  pages: 1_000,
  exchangeAt: 0.1,
  offset: -5_000,
  serial: 'T',
};

test('a supply wears with the pages, is low before its end, and another one comes', () => {
  const at = [5_000, 5_500, 5_880, 5_899, 5_900, 6_800].map((pages) => supplyAt(BLACK, pages));
  expect(at.map(({ level, state, serial }) => [level, state, serial])).toEqual([
    [100, 'ok', 'T-0'],
    [50, 'ok', 'T-0'],
    [12, 'low', 'T-0'],
    [11, 'low', 'T-0'],
    [100, 'ok', 'T-1'],
    [100, 'ok', 'T-2'],
  ]);
  // Earlier ones were used before the counter was at zero.
  expect(supplyAt(BLACK, 0)).toMatchObject({ serial: 'T--6', level: 60 });
});

test('an office works as much in a week as any other, by day, and hardly at the weekend', () => {
  const monday = Date.UTC(2026, 10, 30);
  const hours = (from: number, to: number) =>
    officeHours(monday + to * 3_600_000) - officeHours(monday + from * 3_600_000);
  expect(hours(0, 168)).toBeCloseTo(168);
  expect(hours(1_000, 1_168)).toBeCloseTo(168);
  expect(hours(8, 18)).toBeGreaterThan(hours(18, 32) * 5);
  expect(hours(0, 24)).toBeCloseTo(hours(24, 48));
  expect(hours(120, 144)).toBeCloseTo(hours(0, 24) / 10);
  for (let at = 0; at < 400; at += 0.7) expect(hours(at, at + 0.7)).toBeGreaterThanOrEqual(0);
});

test('the printers of the story tell readings as the schema has them, each its own, the same at every start', () => {
  const plan = () =>
    planFleet(readScenario(new URL('../../../device-sim/scenarios/story.json', import.meta.url)));
  const read = () =>
    plan().printers.map(({ printer, spec }) => ({
      printer,
      ...new PrinterModel(spec, 0).readings(3_600_000),
    }));
  const all = read();
  expect(all).toHaveLength(25);
  for (const { printer: _, ...readings } of all) {
    expect(
      schemaFault('readings', { session: 's', number: 1, at: '2026-12-01T07:00:00Z', ...readings }),
    ).toBeUndefined();
    expect(readings.supplies?.length).toBeGreaterThanOrEqual(2);
  }
  expect(read()).toEqual(all);
  expect(new Set(all.map(({ supplies }) => supplies?.[0]?.serial)).size).toBe(25);
});
