import { expect, test } from '@jest/globals';
import { PrinterModel } from '../agent/drivers/simulated/model.ts';
import { schemaFault } from '../schemas/validate.ts';
import { storyPast, storyPlan } from './story.ts';

const START = Date.UTC(2026, 11, 16, 9, 30);

test('the past of the story leads up to its first minute, without a reset and with whole months', () => {
  const { printers } = storyPlan();
  const moments = [...storyPast(printers, START)];
  expect(moments[0]?.time_ms).toBeLessThan(Date.UTC(2026, 10, 1));
  expect(moments.at(-1)?.time_ms).toBeLessThan(START);
  expect(START - (moments.at(-1)?.time_ms ?? 0)).toBeLessThanOrEqual(12 * 3_600_000);
  for (const { printer, spec } of printers) {
    const own = moments.map(({ readings }) => readings.find((one) => one.printer === printer)?.reading);
    for (const reading of own) expect(schemaFault('readings', reading)).toBeUndefined();
    const pages = own.map((reading) => reading?.counters?.['impressions'] ?? Number.NaN);
    pages.push(new PrinterModel(spec, START).pages(START));
    expect(pages).toEqual([...pages].sort((a, b) => a - b));
    expect(pages.at(-1)).toBeGreaterThan((pages[0] ?? 0) + 1_000);
  }
  expect([...storyPast(printers, START)]).toEqual(moments);
});

test('the toner that ends in the story has been in its printer for days, and is exchanged within a minute', () => {
  const plan = storyPlan().printers.find(({ printer }) => printer === 'M210-201');
  if (!plan) throw new Error('the story has no such printer');
  const serialAt = (ms: number) =>
    new PrinterModel(plan.spec, START).readings(START + ms)?.supplies?.[0]?.serial;
  const days = [...storyPast([plan], START)]
    .slice(-8)
    .map(({ readings }) => readings[0]?.reading.supplies?.[0]);
  expect(new Set(days.map((supply) => supply?.serial))).toEqual(new Set([serialAt(20_000)]));
  expect(serialAt(60_000)).not.toBe(serialAt(0));
});
